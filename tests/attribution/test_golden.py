"""captum's attributions of a small BERT, recorded with their weights, are reproduced."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution import attribute, convergence_delta, integrated_gradients
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.interface import EncoderOptions, unchanged
from n2r_jax.models.pretrained import read_config, read_weights

GOLDEN = pathlib.Path(__file__).parents[2].parent / "shared" / "golden"
RECORDED = GOLDEN / "attribution" / "captum_bert.npz"
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(
    not RECORDED.is_file(), reason="captum's attributions are not here (../shared/golden)"
)


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as file:
        return {name: jnp.asarray(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def bert(recorded):
    """(target, vectors, baseline) of the recorded inputs."""
    directory = GOLDEN / "encoders" / "bert"
    encoder = make_encoder(read_config(directory), EncoderOptions())
    params = read_weights(directory, encoder).params
    ids, visible = recorded["input_ids"], recorded["attention_mask"].astype(jnp.float32)

    def target(vectors, nonlinearity=unchanged):
        encode = encoder.rebuilt(nonlinearity=nonlinearity).encode
        segments, rows = jnp.zeros(ids.shape, jnp.int32), jnp.arange(len(ids))
        pooled = encode(params, vectors, visible, segments, rows, None).pooled
        logits = pooled @ recorded["head_kernel"] + recorded["head_bias"][None]
        return jnp.take_along_axis(logits, recorded["target"][:, None], axis=1)[:, 0]

    look_up = encoder.word_vectors
    return target, look_up(params, ids), look_up(params, recorded["baseline_ids"])


@pytest.mark.parametrize(
    ("name", "theirs", "settings"),
    [
        ("gradient", "saliency", {}),
        ("input_x_gradient", "input_x_gradient", {}),
        ("integrated_gradients", "integrated_gradients_3", {"steps": 3}),
        ("integrated_gradients", "integrated_gradients_50", {"steps": 50, "chunk": 16}),
        ("deep_lift", "deep_lift", {}),
    ],
)
def test_captums_attributions_are_reproduced(bert, recorded, name, theirs, settings):
    target, x, baseline = bert
    found = jax.jit(lambda x: attribute(name, target, x, baseline, **settings))(x)
    np.testing.assert_allclose(found, recorded[theirs], atol=TOLERANCE, rtol=0)


def test_captums_convergence_delta_is_reproduced(bert, recorded):
    target, x, baseline = bert

    @jax.jit
    def delta(x):
        return convergence_delta(target, integrated_gradients(target, x, baseline), x, baseline)

    np.testing.assert_allclose(delta(x), recorded["convergence_delta_3"], atol=TOLERANCE, rtol=0)
