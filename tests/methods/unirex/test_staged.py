"""Methods that select, then predict, or learn from a teacher: L2E, FRESH and A2R."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.compat import Compat
from n2r_jax.errors import UserError
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.methods.groups import model_of, with_copy
from n2r_jax.methods.unirex.attributed import (
    INTEGRATED,
    attribution_scores,
    explain_predicted,
    in_unit_interval,
)
from n2r_jax.methods.unirex.heuristics import fingerprint, random_scores
from n2r_jax.models.soft_attention import soft_attention
from n2r_jax.objectives.attribution_classes import attribution_classes
from n2r_jax.objectives.unirex import UnirexObjective
from n2r_jax.training.state import create_state
from n2r_jax.training.step import make_train_step
from tests.methods.unirex.test_extractors import OBJECTIVE, batch, model
from tests.models.test_transformer_text import batch_of as pieces_batch
from tests.models.test_transformer_text import text_model

__all__ = ["batch", "model"]
UNIREX = UnirexObjective(k=(20, 50), fresh_k=30.0)


def settings(**compat):
    return Settings(OBJECTIVE, unirex=UNIREX, compat=Compat(**compat))


def trained(method, params, batch, steps, rate=3e-2):
    """Parameters and metrics after so many steps."""
    optimizers = {group: optax.adam(rate) for group in method.trained}
    state = create_state(method, optimizers, 0, batch)
    kept = {group: params[group] for group in method.keeps}
    state = state._replace(params=state.params | kept)
    step = jax.jit(make_train_step(method, optimizers, lambda sums: sums, dropout=False))
    for _ in range(steps):
        state, metrics = step(state, batch)
    return state.params, {name: float(a / b) for name, (a, b) in metrics.items()}


def test_l2es_extractor_learns_the_classes_of_the_attributions(model, batch):
    first, second = METHODS["l2e"](model, settings())
    params, _ = trained(first, {}, batch, 20)
    assert set(params) == {"embedding", "predictor"}
    after, metrics = trained(second, params, batch, 80)
    assert metrics["loss/extractor"] < 0.2
    jax.tree.map(np.testing.assert_array_equal, after["predictor"], params["predictor"])
    explain = explain_predicted(model, attribution_scores(model, INTEGRATED, settings()))
    target = attribution_classes(jax.jit(explain)(params, batch), batch.valid)
    found = jax.jit(lambda b: rationalize(second, after, b))(batch)
    classes = jax.nn.sigmoid(target - 2.0)  # what a class stands for, as a probability
    agree = np.isclose(found.scores, classes)[np.asarray(batch.valid) > 0]
    assert agree.mean() > 0.9


def test_fresh_reads_the_teachers_best_units_and_no_other(model, batch):
    first, second = METHODS["fresh"](model, settings())
    assert first.trained == ("teacher",) and second.groups == ("predictor", "teacher")
    params, _ = trained(first, {}, batch, 5)
    after, metrics = trained(second, params, batch, 30)
    assert metrics["cross_entropy"] < 0.6
    jax.tree.map(np.testing.assert_array_equal, after["teacher"], params["teacher"])
    found = jax.jit(lambda b: rationalize(second, after, b))(batch)
    wanted = [max(1, int(0.3 * n)) if n else 0 for n in np.asarray(batch.length)]
    np.testing.assert_array_equal(found.mask.sum(1), wanted)
    np.testing.assert_array_equal(found.scores, found.mask)
    teacher = model_of(with_copy(model, "teacher", of="predictor"), predictor="teacher")
    explain = explain_predicted(teacher, attribution_scores(teacher, INTEGRATED, settings()))
    scores = np.where(batch.valid > 0, jax.jit(explain)(params, batch), -np.inf)
    best = np.where(found.mask > 0, scores, np.inf).min(1)
    rest = np.where(found.mask > 0, -np.inf, scores).max(1)
    assert (best >= rest)[:5].all()


def test_fresh_plaus_says_what_ranks_the_units(model, batch):
    for name, chosen, is_binary in (
        ("fresh", "scores", False),
        ("fresh_p", "authors", False),
        ("fresh_p", "binary", True),
    ):
        method = METHODS[name](model, settings(fresh_plaus=chosen))[-1]
        params = method.model.init(jax.random.key(0), batch)
        scores, mask = jax.jit(lambda b, m=method, p=params: m.select(p, b, None))(batch)
        assert np.array_equal(scores, mask) == is_binary


def test_fresh_p_keeps_nothing_of_its_teacher_but_the_extractor(model, batch):
    first, second = METHODS["fresh_p"](model, settings())
    assert set(first.trained) == {"extractor", "teacher"} and first.needs_gold
    assert second.groups == ("predictor", "extractor")


def test_a2r_agrees_and_learns(model, batch):
    method = METHODS["a2r_p"](model, settings())
    _, before = trained(method, {}, batch, 1)
    _, after = trained(method, {}, batch, 60)
    assert after["cross_entropy"] < 0.7 * before["cross_entropy"]
    assert after["loss/plausibility"] < before["loss/plausibility"]
    assert set(method.trained) == {"extractor", "predictor", "second_predictor"}
    assert not method.predicts_from_all and method.faithful_to == "top_k"
    other = METHODS["a2r"](model, settings(spp_faithfulness="complement"))
    assert other.faithful_to == "text"


def test_soft_attention_is_of_the_units_or_of_all_places():
    scores, units = jnp.array([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0]]), jnp.array([[1, 1, 0], [0, 0, 0]])
    masked = soft_attention(scores, units, mask_pads=True)
    np.testing.assert_allclose(masked[0], [*np.exp([-1, 0]) / np.exp([-1, 0]).sum(), 0], atol=1e-6)
    np.testing.assert_array_equal(masked[1], [0, 0, 0])
    release = soft_attention(scores, units, mask_pads=False)
    np.testing.assert_allclose(release[0], np.exp([1, 2, 0]) / np.exp([1, 2, 0]).sum(), atol=1e-6)


@pytest.mark.parametrize("mask_pads", [False, True])
def test_attending_to_one_unit_is_its_state_alone(mask_pads):
    batch, text = pieces_batch(), text_model()
    params = text.init(jax.random.key(0), batch)
    scores = jnp.full(batch.tokens.shape, -90.0).at[:, 0].set(90.0)
    found = text.attend(params, batch, scores, mask_pads, None)
    flat = text.attend(params, batch, jnp.zeros(batch.tokens.shape), mask_pads, None)
    assert found.logits.shape == (4, 2) and np.abs(found.logits - flat.logits)[:3].max() > 1e-4
    longer = jax.tree.map(jnp.asarray, pieces_batch(length=32))
    more = text.attend(params, longer, jnp.zeros(longer.tokens.shape), mask_pads, None)
    assert np.allclose(more.logits[:3], flat.logits[:3], atol=1e-5) == mask_pads


def test_chance_is_the_same_for_a_text_in_any_batch(model, batch):
    score = random_scores(model, settings())
    found = score({}, batch, batch.label)
    order = np.array([3, 1, 0, 2, 5, 4])
    wider = jax.tree.map(lambda a: a[order], batch)
    pad = ((0, 0), (0, 6))
    wider = wider._replace(
        tokens=jnp.pad(wider.tokens, pad), rationale=jnp.pad(wider.rationale, pad)
    )
    again = score({}, wider, wider.label)
    np.testing.assert_array_equal(again[:, : found.shape[1]], found[order])
    assert len(set(np.asarray(fingerprint(batch)).tolist())) == len(order)


def test_scores_of_any_size_keep_their_order_as_probabilities():
    scores = jnp.array([[3e4, 1e4, -2e4, 9.0], [1e-9, -2e-9, 3e-9, 9.0]])
    valid = jnp.array([[1.0, 1, 1, 0], [1, 1, 1, 0]])
    found = in_unit_interval(scores, valid)
    np.testing.assert_array_equal(np.argsort(found[:, :3]), np.argsort(scores[:, :3]))
    np.testing.assert_array_equal(found[:, :3] > 0.5, scores[:, :3] > 0)
    assert not found[:, 3].any()


@pytest.mark.parametrize("name", ["l2e", "fresh", "fresh_p", "a2r"])
def test_one_encoder_for_both_is_refused(name):
    with pytest.raises(UserError, match=rf"{name}.*set config\.encoder\.shared=False"):
        METHODS[name](text_model(shared=True), settings())


def test_pooling_that_nothing_trains_is_refused(model):
    wrong = dataclasses.replace(UNIREX, attribution_pooling="mlp-8-1")
    with pytest.raises(
        UserError, match=r"attribution_pooling 'mlp-8-1' learns from plausibility alone"
    ):
        METHODS["aa_f"](model, Settings(OBJECTIVE, unirex=wrong))
    with pytest.raises(
        UserError, match=r"attribution_pooling is 'mlp'; it must be sum, or like mlp-2048-2"
    ):
        bad = dataclasses.replace(UNIREX, attribution_pooling="mlp")
        METHODS["aa_fp"](model, Settings(OBJECTIVE, unirex=bad))
