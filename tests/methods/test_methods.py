"""Which parameters each update moves, on what, and what a rationale may depend on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.data.batch import Batch
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.methods.unirex import UNIREX_METHODS
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training.state import create_state
from n2r_jax.training.step import apply_gradients, encode, make_train_step, update_gradients

OBJECTIVE = Objective(0.3, 1.0, 1.0, 0.9, 1.0, "batch", "mean", max_length=10)
ROWS, LENGTH, WORDS = 6, 10, 30


EXTRACTIVE = sorted(METHODS.keys() - UNIREX_METHODS.keys())
ON_A_GRU = sorted(name for name in METHODS if not name.startswith("slm"))  # one encoder for both


def same(sums):
    return sums


@pytest.fixture(scope="module")
def model():
    table = np.random.default_rng(0).normal(size=(WORDS, 6)).astype(np.float32)
    table[0] = 0
    return GRUText(jnp.asarray(table), units=4, classes=2, dropout_rate=0.2).model()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    length = np.array([10, 7, 3, 1, 9, 0], np.int32)
    tokens = rng.integers(1, WORDS, (ROWS, LENGTH)) * (np.arange(LENGTH) < length[:, None])
    weight = (length > 0).astype(np.float32)
    zeros = np.zeros((ROWS, LENGTH), np.int32)
    arrays = (tokens, length, np.arange(ROWS) % 2, weight, np.arange(ROWS), zeros, 0 * weight)
    return Batch(*(jnp.asarray(a) for a in arrays))


def stages(name, model, **switches):
    made = METHODS[name](model, Settings(OBJECTIVE, **switches))
    return made if isinstance(made, tuple) else (made,)


def build(name, model, **switches):
    method = stages(name, model, **switches)[-1]
    return method, {group: optax.adam(1e-2) for group in method.trained}


def moved(before, after):
    return {
        group
        for group in before
        if any(
            not np.array_equal(a, b)
            for a, b in zip(
                jax.tree.leaves(before[group]), jax.tree.leaves(after[group]), strict=True
            )
        )
    }


def gradients_of(method, index, params, batch, key):
    encoded = encode(method, params, batch)
    return update_gradients(method, method.updates[index], params, encoded, batch, key, same)[0]


def compiled_update(method, optimizers, index):
    """(state, batch) -> the state after one update."""

    @jax.jit
    def run(state, batch):
        gradients = gradients_of(method, index, state.params, batch, jax.random.key(5))
        return apply_gradients(optimizers, method.updates[index], state, gradients)

    return run


@pytest.mark.parametrize(
    ("name", "switches", "expected"),
    [
        ("rnp", {}, [{"extractor", "predictor"}]),
        ("n2r", {}, [{"predictor"}, {"extractor"}]),
        ("n2r", {"omega_in_update_1": True}, [{"extractor", "predictor"}, {"extractor"}]),
        ("n2r_mmi", {}, [{"extractor", "predictor"}, {"extractor"}]),
        ("classifier", {}, [{"predictor"}]),
    ],
)
def test_an_update_moves_its_groups_and_no_other(model, batch, name, switches, expected):
    method, optimizers = build(name, model, **switches)
    state = create_state(method, optimizers, 0, batch)
    assert len(method.updates) == len(expected)
    for index, groups in enumerate(expected):
        after = compiled_update(method, optimizers, index)(state, batch)
        assert moved(state.params, after.params) == groups
        state = after


def test_in_n2r_the_extractor_never_sees_the_labels(model, batch):
    method, optimizers = build("n2r", model, omega_in_update_1=True)
    flipped = batch._replace(label=1 - batch.label)
    state = create_state(method, optimizers, 0, batch)
    for index in range(2):
        run = compiled_update(method, optimizers, index)
        assert "extractor" not in moved(run(state, batch).params, run(state, flipped).params)
    run = compiled_update(*build("rnp", model), 0)
    assert "extractor" in moved(run(state, batch).params, run(state, flipped).params)


def test_momentum_alone_moves_a_coasting_predictor(model, batch):
    method, optimizers = build("n2r", model, predictor_coasts=True)
    state = create_state(method, optimizers, 0, batch)
    first = compiled_update(method, optimizers, 0)(state, batch)
    second = compiled_update(method, optimizers, 1)(first, batch)
    assert "predictor" in moved(first.params, second.params)


def test_sharing_the_encoder_gives_the_gradients_of_not_sharing(model, batch):
    """In the paper's order one encoder pass serves both updates."""
    method, optimizers = build("n2r", model)
    state = create_state(method, optimizers, 0, batch)
    shared, _ = jax.jit(make_train_step(method, optimizers, same))(state, batch)

    @jax.jit
    def one_by_one(state):
        for index, update in enumerate(method.updates):
            key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), index)
            gradients = gradients_of(method, index, state.params, batch, key)
            state = apply_gradients(optimizers, update, state, gradients)
        return state

    apart = one_by_one(state)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), shared.params, apart.params
    )


def test_noise_is_fresh_for_every_update_and_step(model, batch):
    drawn = []

    def spy(key, row, units):
        jax.debug.callback(
            lambda data: drawn.append(tuple(data.tolist())), jax.random.key_data(key)
        )
        return jnp.zeros((row.shape[0], units))

    method, optimizers = build("n2r_mmi", model, noise=spy)
    state = create_state(method, optimizers, 0, batch)
    step = jax.jit(make_train_step(method, optimizers, same))
    state, _ = step(state, batch)
    jax.block_until_ready(step(state, batch))
    jax.effects_barrier()
    assert len(drawn) == 4
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("name", EXTRACTIVE)
def test_unselected_tokens_never_change_the_prediction(model, batch, name):
    method, optimizers = build(name, model)
    params = create_state(method, optimizers, 0, batch).params
    rationale = jax.jit(lambda b: rationalize(method, params, b))(batch)
    other = jnp.where(rationale.mask > 0, batch.tokens, (batch.tokens + 7) % WORDS)
    changed = batch._replace(tokens=other)
    again = jax.jit(lambda b, m: method.model.predict(params, b, m, None))(changed, rationale.mask)
    kept = batch.weight > 0
    np.testing.assert_array_equal(again.logits[kept], rationale.logits[kept])


@pytest.mark.parametrize("name", ["rnp", "n2r", "n2r_mmi"])
def test_padding_is_never_selected_and_never_matters(model, batch, name):
    method, optimizers = build(name, model)
    params = create_state(method, optimizers, 0, batch).params
    run = jax.jit(lambda b: rationalize(method, params, b, jax.random.key(2)))
    short = run(batch)
    pad = ((0, 0), (0, 6))
    longer = batch._replace(
        tokens=jnp.pad(batch.tokens, pad), rationale=jnp.pad(batch.rationale, pad)
    )
    long = run(longer)
    np.testing.assert_array_equal(long.mask[:, :LENGTH], short.mask)
    assert float((long.mask * (1 - longer.valid)).sum()) == 0
    np.testing.assert_allclose(long.logits, short.logits, atol=1e-6)


@pytest.mark.parametrize("name", ON_A_GRU)
def test_a_row_that_fills_up_changes_no_gradient(model, batch, name):
    method, optimizers = build(name, model)
    params = create_state(method, optimizers, 0, batch).params
    fewer = jax.tree.map(lambda a: a[:5], batch)
    key = jax.random.key(1)
    for index in range(len(method.updates)):
        found = jax.jit(lambda b, i=index: gradients_of(method, i, params, b, key))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found(batch), found(fewer)
        )


def test_a_new_method_is_a_tuple_of_updates(model, batch):
    """The promise of the design: the step knows nothing of which method runs."""
    rnp, optimizers = build("rnp", model)
    twice = dataclasses.replace(rnp, name="twice", updates=rnp.updates * 2)
    state = create_state(twice, optimizers, 0, batch)
    after, _ = jax.jit(make_train_step(twice, optimizers, same))(state, batch)
    assert int(after.optimizer["predictor"][0].count) == 2
