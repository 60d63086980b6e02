"""Divergences of two predictions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.objectives import divergences
from n2r_jax.objectives.divergences import agreement_loss

FULL = np.float32([[2, 0.5], [0.2, 1.2]])
OTHER = np.float32([[0, 0], [1, -1]])
jensen_shannon = partial(jax.jit, static_argnums=2)(divergences.jensen_shannon)
agreement_sums = partial(jax.jit, static_argnums=3)(divergences.agreement_sums)


@pytest.mark.parametrize(("which", "value"), [("reverse_jsd", 0.1560597), ("jsd", 0.1329314)])
def test_values_and_symmetry(which, value):
    np.testing.assert_allclose(jensen_shannon(FULL, OTHER, which).mean(), value, atol=1e-6)
    there, back = jensen_shannon(FULL, OTHER, which), jensen_shannon(OTHER, FULL, which)
    np.testing.assert_allclose(there, back, rtol=1e-6)
    np.testing.assert_allclose(jensen_shannon(FULL, FULL, which), [0, 0], atol=1e-7)


def test_the_divergence_is_bounded_and_its_reverse_is_not():
    sure = np.float32([[60, 0]])
    np.testing.assert_allclose(jensen_shannon(sure, -sure, "jsd"), np.log(2), rtol=1e-5)
    assert jensen_shannon(sure, -sure, "reverse_jsd")[0] > 10


@pytest.mark.parametrize("which", ["reverse_jsd", "jsd"])
def test_sums_are_by_k_add_up_and_leave_rows_of_weight_0_out(which):
    rationale, ones = np.stack([OTHER, FULL * 2]), np.ones(2, np.float32)

    def sums(rows, weight=ones):
        return agreement_sums(rationale[:, rows], FULL[rows], weight[rows], which)

    whole = sums(slice(None))
    by_k = [jensen_shannon(logits, FULL, which).mean() for logits in rationale]
    np.testing.assert_allclose(agreement_loss(whole), np.mean(by_k), rtol=1e-6)
    added = jax.tree.map(np.add, sums(slice(0, 1)), sums(slice(1, 2)))
    np.testing.assert_allclose(agreement_loss(added), agreement_loss(whole), rtol=1e-6)
    kept = sums(slice(None), np.float32([1, 0]))
    np.testing.assert_allclose(agreement_loss(kept), agreement_loss(sums(slice(0, 1))), rtol=1e-6)


def test_gradients_flow_into_both_sides():
    def total(rationale, full):
        return agreement_loss(agreement_sums(rationale, full, jnp.ones(2), "reverse_jsd"))

    for slope in jax.grad(total, (0, 1))(OTHER[None], FULL):
        assert np.abs(slope).min() > 0


def test_an_unknown_divergence_is_one_clear_line():
    with pytest.raises(UserError, match="reverse_jsd, jsd"):
        jensen_shannon(FULL, OTHER, "kl")
