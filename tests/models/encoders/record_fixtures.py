"""Record what Hugging Face's BigBird and ModernBERT give for small random weights.

    TORCH_PYTHON tests/models/encoders/record_fixtures.py tests/models/encoders/fixtures

Needs torch and transformers. Each directory gets config.json, model.safetensors, expected.npz.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BigBirdConfig, BigBirdModel, ModernBertConfig, ModernBertModel

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
}


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights large enough that a mistake anywhere shows in the outputs."""
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=draws)
            is_scale = tensor.ndim == 1 and name.endswith("weight")
            tensor.copy_(1 + 0.2 * noise if is_scale else 0.25 * noise)


def draw_inputs(length: int, shorter: int, holes: tuple[slice, ...]) -> dict[str, np.ndarray]:
    """Three texts: a whole one, a padded one, one with hidden pieces in its middle."""
    draws = np.random.default_rng(0)
    ids = draws.integers(1, SIZES["vocab_size"], (3, length)).astype(np.int32)
    mask = np.ones((3, length), np.int32)
    ids[1, shorter:] = mask[1, shorter:] = 0
    for hole in holes:
        mask[2, hole] = 0
    second = np.arange(length)[None] >= np.array([20, 9, 30])[:, None]
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": second.astype(np.int32)}


def run(model: torch.nn.Module, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the model gives in inference mode."""
    with torch.no_grad():
        out = model.eval()(**{name: torch.from_numpy(x).long() for name, x in inputs.items()})
    return {
        name: np.asarray(out[name])
        for name in ("last_hidden_state", "pooler_output")
        if name in out
    }


def save(folder: pathlib.Path, model: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: x.numpy() for name, x in model.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"))
    config = json.dumps(model.config.to_dict(), indent=2, sort_keys=True)
    (folder / "config.json").write_text(config + "\n")
    np.savez(folder / "expected.npz", **arrays)


def record_bigbird(folder: pathlib.Path) -> None:
    """The same weights attending both ways; 51 pieces are no whole number of blocks."""
    inputs = draw_inputs(51, 44, (slice(9, 14), slice(26, 28)))
    arrays = dict(inputs)
    settings = {"num_hidden_layers": 2, "block_size": 4, "num_random_blocks": 2}
    for kind in ("original_full", "block_sparse"):
        config = BigBirdConfig(
            **SIZES, **settings, attention_type=kind, rescale_embeddings=True, use_bias=False
        )
        model = BigBirdModel(config)
        randomise(model, 1)
        arrays |= {f"{kind}_{name}": x for name, x in run(model, inputs).items()}
        assert model.attention_type == kind  # it changes its mind about short texts
    save(folder, model, arrays)


def record_modernbert(folder: pathlib.Path) -> None:
    """Four layers, the outer two global; the window reaches 2 places; eager attention."""
    inputs = draw_inputs(27, 19, (slice(6, 10),))
    del inputs["token_type_ids"]
    config = ModernBertConfig(
        **SIZES,
        cls_token_id=1,
        num_hidden_layers=4,
        global_attn_every_n_layers=3,
        local_attention=4,
        global_rope_theta=160.0,
        local_rope_theta=10.0,
        attn_implementation="eager",
    )
    model = ModernBertModel(config)
    randomise(model, 2)
    save(folder, model, inputs | run(model, inputs))


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    record_bigbird(target / "bigbird")
    record_modernbert(target / "modernbert")
