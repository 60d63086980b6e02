"""Hugging Face directories of a few kilobytes: a tokeniser, a config, random weights."""

import functools
import json
import pathlib
import string

import jax
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from n2r_jax.data.pieces import PieceTokenizer
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.pretrained import write_weights

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["the", "staff", "was", "kind", "un", "wonder", "##ful", "##ly", "##kind", "room", "clean"]
LETTERS = [
    *string.ascii_lowercase,
    *(f"##{c}" for c in string.ascii_lowercase),
    *string.punctuation,
]
VOCABULARY = [*SPECIAL, *WORDS, *LETTERS]
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(VOCABULARY),
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "initializer_range": 0.3,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


@functools.cache
def wordpiece() -> PieceTokenizer:
    """BERT's kind, with letters as the last resort; it cuts and pads, as published ones do."""
    ids = {piece: i for i, piece in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [(name, ids[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=around
    )
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=7)
    return PieceTokenizer(tokenizer.to_str())


@functools.cache
def byte_level() -> PieceTokenizer:
    """RoBERTa's kind, whose published file does not put a space before a text's first word."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    ids = {piece: i for i, piece in enumerate(["<s>", "</s>", *sorted(letters)])}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the")]
    ids |= {"".join(pair): len(ids) + i for i, pair in enumerate(merges)}
    tokenizer = Tokenizer(models.BPE(ids, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    around = [(name, ids[name]) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=around
    )
    return PieceTokenizer(tokenizer.to_str())


def write_directory(directory: pathlib.Path, **changes) -> pathlib.Path:
    """A directory as a model hub gives it out."""
    directory.mkdir(parents=True, exist_ok=True)
    config = CONFIG | changes
    (directory / "config.json").write_text(json.dumps(config))
    wordpiece().save(directory / "tokenizer.json")
    encoder = make_encoder(config, EncoderOptions())
    write_weights(directory / "model.safetensors", encoder, encoder.init(jax.random.key(3)))
    return directory
