"""Which parameters each loss reaches: the table of UNIREX's specification, section 2."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.compat import Compat
from n2r_jax.methods import METHODS, Settings
from n2r_jax.objectives.unirex import UnirexObjective
from tests.methods.unirex.test_extractors import OBJECTIVE, batch, model
from tests.models.test_transformer_text import batch_of as pieces_batch
from tests.models.test_transformer_text import text_model

__all__ = ["batch", "model"]
TERMS = ("comprehensiveness", "sufficiency", "plausibility", "agreement")


def reached(name, model, batch, term, compat=None, **changes):
    """Parts of the parameters, as group/part, that the gradient of one term alone gets to."""
    weights = {f"weight_{other}": float(other == term) for other in TERMS}
    unirex = UnirexObjective(k=(20, 50), steps=1, **weights, **changes)
    objective = dataclasses.replace(OBJECTIVE, lambda_cross_entropy=float(term == "task"))
    made = METHODS[name](model, Settings(objective, unirex=unirex, compat=compat or Compat()))
    method = made[-1] if isinstance(made, tuple) else made
    (update,) = method.updates
    params = method.model.init(jax.random.key(0), batch)

    @jax.jit
    def gradients(params):
        def loss(params):
            encodes = set(method.model.encodes) <= params.keys()
            features = method.model.encode(params, batch) if encodes else ()
            return update.loss(update.sums(params, features, batch, None))[0]

        return jax.grad(loss)(params)

    found = gradients(params)
    found.pop("embedding", None)  # a GRU's words, which nothing trains
    parts = {f"{group}/{part}": tree for group, own in found.items() for part, tree in own.items()}
    moved = {part for part, tree in parts.items() if moves(tree)}
    assert {part.split("/")[0] for part in moved} <= set(update.trains)
    return moved


def moves(tree):
    return any(np.abs(leaf).max() > 1e-9 for leaf in jax.tree.leaves(tree))


PREDICTOR, SECOND = (
    {"predictor/gru", "predictor/head"},
    {
        "second_predictor/gru",
        "second_predictor/head",
    },
)
EXTRACTOR = {"extractor/gru", "extractor/scale", "extractor/offset", "extractor/head"}
TABLE = [
    ("dlm_fp", "task", PREDICTOR),
    ("dlm_fp", "comprehensiveness", PREDICTOR),
    ("dlm_fp", "sufficiency", PREDICTOR),
    ("dlm_fp", "plausibility", EXTRACTOR),
    ("aa_f_gold", "comprehensiveness", PREDICTOR),
    ("l2e", "task", EXTRACTOR),  # its one loss, which has no weight
    ("fresh", "task", PREDICTOR),
    ("fresh_p", "task", PREDICTOR),
    ("a2r", "task", PREDICTOR),
    ("a2r", "agreement", PREDICTOR | SECOND | EXTRACTOR),
    ("a2r_p", "plausibility", EXTRACTOR),
]


@pytest.mark.parametrize(("name", "term", "wanted"), TABLE)
def test_with_two_encoders(model, batch, name, term, wanted):
    assert reached(name, model, batch, term) == wanted


def test_a2rs_second_predictor_learns_the_task_where_it_is_told_to(model, batch):
    # The soft attention is part of that predictor, so that the selector learns the task as well.
    found = reached("a2r", model, batch, "task", Compat(a2r_p2_ce=True))
    assert found == PREDICTOR | SECOND | EXTRACTOR


def annotated(batch):
    return batch._replace(rationale=(batch.tokens % 2) * (batch.valid > 0), annotated=batch.weight)


SHARED = [
    ("task", {"encoder", "predictor"}),
    pytest.param("sufficiency", {"encoder", "predictor"}, marks=pytest.mark.slow),
    ("plausibility", {"encoder", "extractor"}),
]


@pytest.mark.parametrize(("term", "wanted"), SHARED)
def test_with_one_encoder(term, wanted):
    found = reached("slm_fp", text_model(shared=True), annotated(pieces_batch()), term)
    assert {part.split("/")[0] for part in found} == wanted


def test_a_pooling_mlp_learns_from_plausibility_and_the_word_vectors_with_it():
    found = reached(
        "aa_fp",
        text_model(),
        annotated(pieces_batch()),
        "plausibility",
        attribution_pooling="mlp-8-2",
    )
    assert found == {"pooler/head", "predictor/encoder"}


def test_special_and_padding_pieces_get_no_slope_of_integrated_gradients():
    batch = annotated(pieces_batch())
    weights = {f"weight_{term}": float(term == "plausibility") for term in TERMS}
    unirex = UnirexObjective(k=(50,), steps=1, **weights)
    objective = dataclasses.replace(OBJECTIVE, lambda_cross_entropy=0.0)
    method = METHODS["aa_fp"](text_model(), Settings(objective, unirex=unirex))
    (update,) = method.updates
    params = method.model.init(jax.random.key(0), batch)
    run = jax.jit(jax.grad(lambda p: update.loss(update.sums(p, (), batch, None))[0]))
    words = np.asarray(run(params)["predictor"]["encoder"]["embeddings"]["word"])
    used = np.unique(batch.pieces.ids[batch.pieces.word >= 0])
    assert np.abs(words[used]).max() > 0
    assert not words[np.setdiff1d(np.arange(len(words)), used)].any()  # 0 is [PAD], 2 and 3 around
    assert jnp.isfinite(words).all()
