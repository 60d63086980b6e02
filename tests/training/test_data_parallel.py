"""The same global batch gives the same numbers on any number of devices, and of processes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.data.batch import Batch
from n2r_jax.methods import METHODS, Settings
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training import parallel
from n2r_jax.training.state import create_state
from n2r_jax.training.step import make_train_step
from tests import tiny

ROWS, LENGTH, WORDS = 8, 12, 30
SWITCHES = {"omega_in_update_1": True, "predictor_coasts": True}


@pytest.fixture(scope="module")
def batch():
    """The last batch of an epoch: three of eight rows only fill it up, all on the last devices."""
    rng = np.random.default_rng(1)
    length = np.array([12, 7, 3, 1, 9, 0, 0, 0], np.int32)
    tokens = rng.integers(1, WORDS, (ROWS, LENGTH)) * (np.arange(LENGTH) < length[:, None])
    weight = (length > 0).astype(np.float32)
    gold = np.zeros((ROWS, LENGTH), np.int32)
    labels, rows = np.arange(ROWS, dtype=np.int32) % 2, np.arange(ROWS, dtype=np.int32)
    return Batch(tokens.astype(np.int32), length, labels, weight, rows, gold, weight)


def build(name, per="input"):
    table = np.random.default_rng(0).normal(size=(WORDS, 8)).astype(np.float32)
    table[0] = 0
    model = GRUText(jnp.asarray(table), units=4, classes=2, dropout_rate=0.3).model()
    objective = Objective(0.3, 11.0, 12.0, 0.9, 1.0, per, "mean", max_length=LENGTH)
    method = METHODS[name](model, Settings(objective, **SWITCHES))
    return method, {group: optax.sgd(0.1, momentum=0.9) for group in method.trained}


def shares(batch, devices):
    return jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), batch)


def step_on(devices, method, optimizers, batch):
    """New state and metrics; after one step the momentum of SGD is the gradient itself."""
    body = make_train_step(method, optimizers, parallel.all_sum)
    mapped = jax.pmap(
        body, parallel.AXIS, in_axes=(None, 0), out_axes=None, devices=jax.devices()[:devices]
    )
    state = create_state(method, optimizers, 3, batch)
    return jax.device_get(mapped(state, shares(batch, devices)))


def assert_close(found, wanted, tolerance=1e-6):
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(wanted), strict=True
    ):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(path))


@pytest.fixture(scope="module")
def alone(batch):
    """n2r_mmi, which trains everything in both updates, on one device."""
    method, optimizers = build("n2r_mmi")
    return method, optimizers, step_on(1, method, optimizers, batch)


@pytest.mark.parametrize("devices", [2, 8])
def test_devices_do_not_change_metrics_gradients_or_parameters(alone, batch, devices):
    method, optimizers, wanted = alone
    assert_close(step_on(devices, method, optimizers, batch), wanted)


def test_vmap_over_the_same_body_is_a_reference(alone, batch):
    method, optimizers, (state, metrics) = alone
    body = make_train_step(method, optimizers, parallel.all_sum)
    mapped = jax.jit(jax.vmap(body, in_axes=(None, 0), out_axes=None, axis_name=parallel.AXIS))
    fresh = create_state(method, optimizers, 3, batch)
    found = mapped(fresh, shares(batch, 4))
    assert_close(jax.device_get(found), (state, metrics))


def test_noise_and_dropout_are_on(alone, batch):
    """The equalities above would be empty if nothing random took part."""
    method, optimizers, _ = alone
    step = jax.jit(make_train_step(method, optimizers, lambda tree: tree))
    state = create_state(method, optimizers, 3, batch)
    other = state._replace(key=jax.random.key(99))
    (_, here), (_, there) = step(state, batch), step(other, batch)
    assert here["cross_entropy"][0] != there["cross_entropy"][0]
    assert here["norm"][0] != there["norm"][0]


def test_rows_of_weight_0_change_nothing(alone, batch):
    method, optimizers, (wanted, _) = alone
    tokens = batch.tokens.copy()
    tokens[5:], length = 7, batch.length.copy()
    length[5:] = LENGTH
    filled = batch._replace(tokens=tokens, length=length)
    step = jax.jit(make_train_step(method, optimizers, lambda tree: tree))
    state = create_state(method, optimizers, 3, filled)
    found, _ = step(state, filled)
    assert_close(jax.device_get(found), wanted)


def assert_same_lines(found, wanted):
    for here, there in zip(tiny.lines(found), tiny.lines(wanted), strict=True):
        assert here.pop("split") == there.pop("split")
        assert here == pytest.approx(there, rel=1e-4, abs=1e-5)


def test_a_run_on_eight_devices_is_a_run_on_one(tmp_path, trained):
    """The whole of training, in another process: losses and dev scores, line by line."""
    other = tmp_path / "alone"
    process = tiny.start("-m", "n2r_jax.main", f"--workdir={other}", *tiny.arguments())
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "on 1 x cpu" in out
    assert_same_lines(other, trained)


@pytest.fixture(scope="module")
def trained():
    assert jax.device_count() == 8
    return tiny.trained_run()


@pytest.mark.slow
def test_a_run_of_two_processes_is_a_run_of_one(tmp_path, trained):
    """Also its files: only the first process writes, and one process can go on from them."""
    both = tmp_path / "both"
    started = tiny.start_two("-m", "n2r_jax.main", f"--workdir={both}", *tiny.arguments())
    outputs = tiny.outputs_of(started, timeout=280)
    assert [p.returncode for p in started] == [0, 0], outputs
    assert ["on 2 x cpu" in out for out, _ in outputs] == [True, False]
    assert_same_lines(both, trained)
    assert_close(tiny.parameters(both), tiny.parameters(trained), 1e-5)
