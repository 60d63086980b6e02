"""Rotary positions turn by place and frequency; products depend on distances alone."""

import jax
import jax.numpy as jnp
import numpy as np

from n2r_jax.models.encoders.rotary import rotary_angles, rotate


def test_each_pair_turns_by_its_place_times_its_frequency():
    x = jax.random.normal(jax.random.key(0), (2, 7, 3, 8))
    found = np.asarray(rotate(x, rotary_angles(7, 8, 100.0)))
    pairs = np.asarray(x)[..., :4] + 1j * np.asarray(x)[..., 4:]
    turns = np.exp(1j * np.arange(7)[:, None] * 100.0 ** (-np.arange(4) / 4))
    expected = pairs * turns[None, :, None, :]
    np.testing.assert_allclose(found[..., :4], expected.real, atol=1e-5)
    np.testing.assert_allclose(found[..., 4:], expected.imag, atol=1e-5)


def test_products_depend_on_the_distance_alone_and_types_are_kept():
    query, key = jax.random.normal(jax.random.key(1), (2, 8))
    angles = rotary_angles(30, 8, 10_000.0)
    queries, keys = (jnp.broadcast_to(x, (1, 30, 1, 8)) for x in (query, key))
    products = jnp.einsum("bqnd,bknd->qk", rotate(queries, angles), rotate(keys, angles))
    for distance in (-9, 0, 4):
        along = np.diagonal(products, distance)
        np.testing.assert_allclose(along, along[0], atol=1e-4)
    assert rotate(queries.astype(jnp.bfloat16), angles).dtype == jnp.bfloat16
