"""Which loss reaches what in DLM and SLM, and that masked passes are what they stand for."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.methods.unirex.extractors import rationale_terms
from n2r_jax.methods.unirex.passes import masked_logits
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.objectives.unirex import UnirexObjective
from n2r_jax.training.state import create_state
from n2r_jax.training.step import encode, make_train_step, update_gradients
from tests.models.test_transformer_text import batch_of as pieces_batch
from tests.models.test_transformer_text import text_model

OBJECTIVE = Objective(0.3, 1.0, 1.0, 1.0, 1.0, "batch", "mean", max_length=10)
UNIREX = UnirexObjective(k=(20, 50))
ROWS, LENGTH, WORDS = 6, 10, 30


@pytest.fixture(scope="module")
def model():
    table = np.random.default_rng(0).normal(size=(WORDS, 6)).astype(np.float32)
    table[0] = 0
    return GRUText(jnp.asarray(table), units=4, classes=2, dropout_rate=0.0).model()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    length = np.array([10, 7, 3, 1, 9, 0], np.int32)
    valid = np.arange(LENGTH) < length[:, None]
    tokens = rng.integers(1, WORDS, (ROWS, LENGTH)) * valid
    gold = rng.integers(0, 2, (ROWS, LENGTH)) * valid
    weight = (length > 0).astype(np.float32)
    annotated = np.array([1, 1, 0, 1, 1, 0], np.float32)
    arrays = (tokens, length, np.arange(ROWS) % 2, weight, np.arange(ROWS), gold, annotated)
    return Batch(*(jnp.asarray(a) for a in arrays))


def build(name, model, **changes):
    unirex = dataclasses.replace(UNIREX, **changes)
    return METHODS[name](model, Settings(OBJECTIVE, unirex=unirex))


def gradients(method, batch, seed=0):
    params = method.model.init(jax.random.key(seed), batch)
    encoded = encode(method, params, batch)
    (update,) = method.updates
    key, same = jax.random.key(5), lambda sums: sums
    run = jax.jit(lambda p: update_gradients(method, update, p, encoded, batch, key, same))
    return run(params)


def moves(tree):
    return any(np.asarray(leaf).any() for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("name", "extractor"), [("dlm_f", False), ("dlm_p", True), ("dlm_fp", True)]
)
def test_of_two_encoders_only_plausibility_reaches_the_extractor(model, batch, name, extractor):
    found, metrics = gradients(build(name, model), batch)
    assert moves(found["extractor"]) == extractor and moves(found["predictor"])
    assert ("loss/plausibility" in metrics) == ("p" in name.split("_")[1])
    assert ("loss/sufficiency" in metrics) == ("f" in name.split("_")[1])


def test_plausibility_does_not_reach_the_predictor(model, batch):
    zero = {"weight_comprehensiveness": 0.0, "weight_sufficiency": 0.0}
    ours, _ = gradients(build("dlm_fp", model, weight_plausibility=3.0, **zero), batch)
    without, _ = gradients(build("dlm_fp", model, weight_plausibility=0.0, **zero), batch)
    jax.tree.map(np.testing.assert_array_equal, ours["predictor"], without["predictor"])
    assert not moves(without["extractor"])


def annotated(batch):
    return batch._replace(rationale=(batch.tokens % 2) * (batch.valid > 0), annotated=batch.weight)


def test_one_encoder_learns_from_both():
    method = build("slm_fp", text_model(shared=True))
    batch = annotated(pieces_batch())
    found, _ = gradients(method, batch)
    assert moves(found["encoder"]) and moves(found["extractor"]) and moves(found["predictor"])


def test_one_pass_of_a_shared_encoder_does_for_both():
    batch, key = annotated(pieces_batch()), jax.random.key(3)
    for encoder_dropout in (0.0, 0.1):
        text = text_model(shared=True, masking="attention", encoder_dropout=encoder_dropout)
        params = text.init(jax.random.key(0), batch)
        features = text.encode(params, batch)
        scores, whole = text.score_and_predict(params, features, batch, None)
        np.testing.assert_allclose(scores, text.score(params, features, batch, None), atol=1e-6)
        apart = text.predict(params, batch, batch.valid, None)
        np.testing.assert_allclose(whole.logits, apart.logits, atol=2e-6)
        drawn, _ = text.score_and_predict(params, features, batch, key)
        assert np.allclose(drawn, scores) == (encoder_dropout == 0)


def test_the_wrong_number_of_encoders_is_told(model):
    with pytest.raises(UserError, match=r"slm_fp.*set config.encoder.shared=True"):
        build("slm_fp", model)
    with pytest.raises(UserError, match=r"dlm_fp.*set config.encoder.shared=False"):
        build("dlm_fp", text_model(shared=True))


def test_copies_of_a_batch_are_what_one_mask_at_a_time_gives(model, batch):
    params = model.init(jax.random.key(0), batch)
    masks = jnp.stack([batch.valid, batch.valid * (batch.tokens % 2), batch.valid * 0])
    together = masked_logits(model, params, batch, masks, None)
    one_by_one = masked_logits(model, params, batch, masks, None, at_once=1)
    alone = [model.predict(params, batch, mask, None).logits for mask in masks]
    np.testing.assert_allclose(together, jnp.stack(alone), atol=1e-6)
    np.testing.assert_allclose(one_by_one, jnp.stack(alone), atol=1e-6)


def test_a_term_without_a_weight_costs_no_pass(model, batch):
    params = model.init(jax.random.key(0), batch)
    scores = jnp.zeros(batch.tokens.shape)

    def flops(**changes):
        unirex = dataclasses.replace(UNIREX, **changes)
        run = jax.jit(lambda b: rationale_terms(model, unirex, params, b, scores, None))
        return run.lower(batch).compile().cost_analysis()["flops"]

    both, one = flops(), flops(weight_comprehensiveness=0.0)
    assert one < 0.75 * both


def test_a_rationale_is_the_top_share_of_every_text(model, batch):
    method = build("dlm_fp", model)
    params = method.model.init(jax.random.key(0), batch)
    found = jax.jit(lambda b: rationalize(method, params, b))(batch)
    wanted = [max(1, round(0.3 * n)) if n else 0 for n in np.asarray(batch.length)]
    np.testing.assert_array_equal(found.mask.sum(1), wanted)
    worst_in = np.where(found.mask > 0, found.scores, 2).min(1)
    best_out = np.where((found.mask == 0) & (batch.valid > 0), found.scores, -1).max(1)
    assert (worst_in >= best_out)[:5].all()


def test_training_on_gold_finds_it(model, batch):
    method = build("dlm_fp", model)
    optimizers = {group: optax.adam(3e-2) for group in method.trained}
    state = create_state(method, optimizers, 0, batch)
    step = jax.jit(make_train_step(method, optimizers, lambda sums: sums))
    losses = []
    for _ in range(60):
        state, metrics = step(state, batch)
        losses.append({name: float(a / b) for name, (a, b) in metrics.items()})
    assert losses[-1]["loss/plausibility"] < 0.3 * losses[0]["loss/plausibility"]
    assert losses[-1]["cross_entropy"] < 0.5 * losses[0]["cross_entropy"]
