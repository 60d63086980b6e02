"""What every config starts from: all fields there are, with the papers' settings for GRU text.

Each field may be set on the command line: `--config.objective.sparsity=0.15`. There are no hidden
defaults: what is not here does not exist.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from n2r_jax.presets import switches


def get_config(preset: str = "release") -> ConfigDict:
    """Return the common settings (N2R appendix A.2) with the switches of one preset."""
    config = ConfigDict()
    config.method = "n2r"  # rnp, n2r, n2r_mmi, classifier; see README
    config.seed = 1  # of parameters, noise, data order and down-sampling; the papers use 1 to 5
    config.seeds = ()  # several runs in one program, like 1,2,3: see also `grid`
    config.grid = _grid()
    config.objective = _objective()
    config.unirex = _unirex()
    config.compat = _compat()
    config.model = _model()
    config.encoder = _encoder()
    config.graph = _graph()
    config.data = _data()
    config.batching = ConfigDict(
        {
            "batch_size": 128,  # of all devices together
            "buckets": (64, 128, 192, 256),  # lengths to pad to; the last is data.max_length
            "balance": True,  # down-sample the larger classes of train, as the papers do
        }
    )
    config.training = _training()
    config.evaluation = ConfigDict(
        {
            "batch_size": 256,
            "sample_masks": False,  # True draws masks with noise, as the release does
            "bootstrap": 1000,  # resamples of the texts behind each 95 % interval
        }
    )
    use_preset(config, preset)
    return config.lock()


def use_preset(config: ConfigDict, preset: str) -> None:
    """Set every switch in which paper and release differ."""
    config.preset = preset
    config.objective.update(switches(preset, max_length=config.data.max_length))


def _objective() -> ConfigDict:
    return ConfigDict(
        {
            "sparsity": 0.125,  # target share of selected tokens
            "lambda_sparsity": 11.0,
            "lambda_continuity": 12.0,
            "lambda_cross_entropy": 0.9,
            "lambda_norm": 1.0,
            "temperature": 1.0,  # of the Gumbel-softmax
            "sparsity_per": "batch",  # batch: one ratio for the batch; input: mean of each text's
            "continuity": "mean",  # mean over inputs * (max_length - 1); sum: per text
            "omega_in_update_1": True,  # N2R: the extractor steps on omega in update 1 as well
            "predictor_coasts": False,  # N2R: Adam's momentum moves the predictor in update 2
        }
    )


def _grid() -> ConfigDict:
    """Several values, like 0.1,0.15, train a run of each: every combination, with every seed."""
    return ConfigDict(
        {
            "sparsity": (),
            "lambda_sparsity": (),
            "lambda_continuity": (),
            "lambda_cross_entropy": (),
            "lambda_norm": (),
            "learning_rate": (),
        }
    )


def _unirex() -> ConfigDict:
    """Of UNIREX's methods alone: L_task + weights * terms."""
    return ConfigDict(
        {
            "k": (1, 5, 10, 20, 50),  # rationales of the top k %: faithfulness is over all of them
            "weight_comprehensiveness": 0.5,
            "weight_sufficiency": 0.5,
            "weight_plausibility": 0.5,
            "comprehensiveness": "margin",  # or diff
            "sufficiency": "margin",  # or diff, mae, mse, kl
            "comprehensiveness_margin": 1.0,  # nats
            "sufficiency_margin": 0.1,  # nats
            "plausibility": "bce",  # or kl, linear, linear_margin
            "plausibility_margin": 0.1,  # of linear_margin
            "steps": 3,  # of integrated gradients
            "attribution_pooling": "sum",  # over dimensions; aa_fp: or an MLP, like mlp-2048-2
            "weight_agreement": 0.5,  # of A2R's two predictors
            "fresh_k": 10,  # FRESH's rationale: the top k % of the teacher's scores
            "passes_at_once": 0,  # masked copies in one pass; 0: all 1 + 2 |k|
            "gold_percent": 100.0,  # of train keeps its gold rationale (gamma); 100: as it is
            "gold_beta": 2.0,  # below 100 %: 1 / beta of every batch is drawn from these
            "gold_seed": 0,  # of which texts they are, apart from `seed`
        }
    )


def _compat() -> ConfigDict:
    """Where UNIREX's paper, its release and what is right differ; see n2r_jax/compat.py.

    Those of the data are with the data: movies_alignment, polarity_sampling.
    """
    return ConfigDict(
        {
            "aa_grad": "first_order",  # or second_order: attributions are differentiated through
            "kl_per_class": True,  # sufficiency's KL divided by the classes; the paper: False
            "deeplift": "pooler",  # under its rule: the pooler's tanh, or all: full_rescale
            "dropout": "authors",  # in each epoch's first batch; or on, off (other methods: on)
            "a2r_divergence": "reverse_jsd",  # or jsd
            "a2r_mask_pads": False,  # True: its soft attention leaves padding out
            "a2r_p2_ce": False,  # True: its second predictor learns the task too
            "fresh_plaus": "authors",  # what FRESH ranks units by: scores, or binary
            "spp_faithfulness": "empty",  # of FRESH and A2R; or complement, as of all others
            "gold_schedule": "true_steps",  # or authors: the rate is 0 in mid-training, as theirs
            "faith_eval_input": "compact",  # metrics take tokens out; mask: hide them
            "aopc_denominator": "k_plus_1",  # of what a report calls aopc; or k (it has both)
        }
    )


def _model() -> ConfigDict:
    return ConfigDict(
        {
            "name": "gru",  # gru, transformer, gcn
            "units": 100,  # per direction: the papers' hidden_dim of 200; gcn: of each layer
            "dropout": 0.2,  # of the features that the heads read
            "dimension": 100,  # of the frozen word vectors
        }
    )


def _encoder() -> ConfigDict:
    """Of model.name=transformer alone, but for `shared` and `score_head`."""
    return ConfigDict(
        {
            "pretrained": "",  # a Hugging Face directory, or a name on its hub
            "masking": "zeroed",  # what the predictor sees: zeroed, attention, compaction
            "pooling": "pooler",  # Enc(Z): pooler, or max over the visible pieces
            "word_score": "first",  # a word's score: its first piece's, or their mean or max
            "score_head": "linear",  # of the extractor; mlp-2048-2: two hidden layers of 2048
            "shared": False,  # True: one encoder for extractor and predictor
            "dropout": 0.1,  # inside the encoder
            "attention_dropout": 0.0,  # above 0 a fused attention cannot be used
            "dtype": "float32",  # or bfloat16: what the layers compute in
            "remat": False,  # True: less memory, a third more time
            "frozen": 0,  # 1: the embeddings stay as they are, 2: the first layer too, ...
            "layer_decay": 1.0,  # each layer's learning rate by that of the one above
            "head_learning_rate": 0.0,  # of the fresh heads; 0: training.learning_rate
        }
    )


def _graph() -> ConfigDict:
    """Of model.name=gcn alone."""
    return ConfigDict(
        {
            "layers": 3,  # of graph convolution, in extractor and predictor
            "weights": "degree",  # of edges: 1 / sqrt(d_i d_j) as in GCNs; or one: plain sums
            "layer_norm": True,  # of each node's state, in every layer
            "pooling": "max",  # Enc(Z): max or mean over the selected nodes
        }
    )


def _data() -> ConfigDict:
    return ConfigDict(
        {
            "name": "files",  # files, graphs, eraser, beer, hotel, reviews, sst, polarity,
            # stormfront, tweet_eval, hatexplain
            "train": "",  # files: JSONL, CSV, TSV or Parquet (.gz too); eraser, sst and what
            # follows it: the directory of all splits; graphs: an .npz file of all splits
            "dev": "",
            "test": "",  # only read by --mode=evaluate
            "labels": (),  # names in order; empty: those of train
            "second": "",  # eraser: query, hypothesis, choices; "": the documents are all
            "without_evidence": "keep",  # eraser: rows without any: keep, unmarked, drop
            "movies_alignment": "document",  # eraser: or authors, as UNIREX's release misplaced it
            "aspect": "",  # beer, hotel, reviews
            "directory": "",  # beer, hotel: where the prepared records are kept
            "manual_directory": "",  # beer, hotel: where you put the original files
            "correlation": 0.0,  # reviews: how often the other aspects share the label
            "sizes": (0, 0, 0),  # reviews, polarity: texts of train, dev, test
            "polarity_sampling": "stratified",  # by label; or head: the first ones of the files
            "seed": 0,  # reviews, polarity: which texts; also of vectors that are drawn
            "vectors": "",  # word vectors: GloVe text (.gz, .zip too) or .npz; empty: seeded ones
            "vectors_norm": 0.0,  # scale every word's vector to this length; 0: leave them
            "vectors_limit": 0,  # read only the first so many words; 0: all
            "min_count": 1,  # without vectors: rarer words are unknown
            "lowercase": True,
            "max_length": 256,  # tokens (pieces, nodes); gold beyond it disappears
            "too_long": "truncate",  # or error
            "cache": "",  # folder of encoded texts; empty: in the user's cache folder; or off
        }
    )


def _training() -> ConfigDict:
    return ConfigDict(
        {
            "epochs": 300,
            "learning_rate": 1e-4,
            "optimizer": "adam",  # or adam_uncorrected: UNIREX's, betas .9 and .98, no correction
            "schedule": "constant",  # or linear, linear_from_0, cosine: to 0 at the last step
            "warmup": 0.0,  # share of all steps in which the learning rate rises from 0
            "weight_decay": 0.0,  # decoupled, of matrices
            "clip_norm": 0.0,  # largest norm of a group's gradient; 0: any
            "log_every": 50,  # steps
            "checkpoint_every": 500,  # steps; a checkpoint is written after every epoch anyway
            "best_by": "dev/accuracy",  # chooses the checkpoint that evaluation uses; dev only
            "best_mode": "max",  # or min
            "best_sparsity_at_most": 1.0,  # epochs that select more on dev are never the best
            "patience": 0,  # epochs without a new best before stopping; 0: never
        }
    )
