"""Runs that train as one program go as each would alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.data.batch import Batch
from n2r_jax.methods import METHODS, Settings
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training import parallel, several
from n2r_jax.training.state import create_state
from n2r_jax.training.step import make_train_step

ROWS, WORDS, FROZEN = 8, 30, ("embedding",)
OBJECTIVE = Objective(0.3, 11.0, 12.0, 0.9, 1.0, "input", "mean", max_length=16)
VALUES = [{"sparsity": s, "learning_rate": r} for s, r in ((0.1, 0.1), (0.4, 0.02), (0.3, 0.05))]


def batch_of(seed, length):
    """Random texts; every run has its own, padded to its own length."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, length + 1, ROWS).astype(np.int32)
    tokens = rng.integers(1, WORDS, (ROWS, length)) * (np.arange(length) < lengths[:, None])
    labels, rows = rng.integers(0, 2, ROWS).astype(np.int32), np.arange(ROWS, dtype=np.int32)
    weight = (lengths > 0).astype(np.float32)
    gold = np.zeros((ROWS, length), np.int32)
    return Batch(tokens.astype(np.int32), lengths, labels, weight, rows, gold, weight)


BATCHES = [batch_of(0, 12), batch_of(1, 16), batch_of(2, 5)]


def build(values):
    table = np.random.default_rng(0).normal(size=(WORDS, 8)).astype(np.float32)
    table[0] = 0
    model = GRUText(jnp.asarray(table), units=4, classes=2, dropout_rate=0.3).model()
    objective = dataclasses.replace(OBJECTIVE, sparsity=values["sparsity"])
    method = METHODS["n2r_mmi"](model, Settings(objective))
    return method, {g: optax.adam(values["learning_rate"]) for g in method.trained}


@pytest.fixture(scope="module")
def starts():
    return [create_state(*build(VALUES[0]), seed, BATCHES[0]) for seed in range(3)]


def step_alone(state, run):
    body = make_train_step(*build(VALUES[run]), parallel.all_sum)
    step = parallel.data_parallel(body, donate=False)
    return jax.device_get(step(state, parallel.shard(BATCHES[run])))


def step_together(starts, active, at_once=True):
    values = {name: jnp.asarray([v[name] for v in VALUES]) for name in VALUES[0]}
    together = several.Several(several.stack(starts, FROZEN), values, jnp.asarray(active))
    body = several.make_several_step(build, FROZEN, parallel.all_sum, at_once=at_once)
    step = parallel.data_parallel(body, donate=False)
    batch = several.shard_several(BATCHES, jax.local_device_count())
    found, metrics = step(together, batch)
    return jax.device_get(found.state), jax.device_get(metrics)


def assert_close(found, wanted, tolerance=1e-5):
    def check(a, b):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

    jax.tree.map(check, found, wanted)


@pytest.mark.parametrize("at_once", [True, False])
def test_every_run_goes_as_it_would_alone(starts, at_once):
    state, metrics = step_together(starts, [True, True, True], at_once)
    for run, start in enumerate(starts):
        alone, measured = step_alone(start, run)
        assert_close(several.take(state, run, FROZEN), alone)
        assert_close(jax.tree.map(lambda m, r=run: m[r], metrics), measured)


def test_a_run_that_is_over_keeps_its_state_exactly(starts):
    state, _ = step_together(starts, [True, False, True])
    jax.tree.map(
        np.testing.assert_array_equal,
        several.take(state, 1, FROZEN)._replace(key=0),
        starts[1]._replace(key=0),
    )
    moved = several.take(state, 2, FROZEN)
    assert int(moved.step) == 1 and int(starts[2].step) == 0


def test_frozen_parameters_are_kept_once(starts):
    together = several.stack(starts, FROZEN)
    assert together.params["embedding"]["table"].shape == (WORDS, 8)
    assert together.params["extractor"]["head"]["kernel"].shape[0] == len(starts)
