"""Which runs a config asks for."""

import pytest

from n2r_jax.errors import UserError
from n2r_jax.members import members_of
from tests import tiny


def config(seeds=(), **grid):
    made = tiny.config()
    with made.unlocked():
        made.seeds = seeds
        made.grid.update(grid)
    return made


def test_a_config_without_seeds_or_grid_is_a_single_run():
    assert members_of(tiny.config()) == []


def test_every_seed_runs_with_every_combination():
    members = members_of(config((3, 1), sparsity=(0.1, 0.2), learning_rate=(1e-3,)))
    assert [member.name for member in members] == [
        "seed=3,sparsity=0.1,learning_rate=0.001",
        "seed=3,sparsity=0.2,learning_rate=0.001",
        "seed=1,sparsity=0.1,learning_rate=0.001",
        "seed=1,sparsity=0.2,learning_rate=0.001",
    ]
    own = members[1].config
    assert (own.seed, own.objective.sparsity, own.training.learning_rate) == (3, 0.2, 1e-3)
    assert members_of(own) == [] and own.is_locked


def test_a_grid_without_seeds_uses_the_configs_seed():
    assert [m.name for m in members_of(config(lambda_norm=(0.1, 1)))] == [
        "seed=1,lambda_norm=0.1",
        "seed=1,lambda_norm=1",
    ]


@pytest.mark.parametrize("seeds", [(1, 1), (1.5, 2)])
def test_seeds_are_different_integers(seeds):
    with pytest.raises(UserError, match=r"config\.seeds .* different integers"):
        members_of(config(seeds))


@pytest.mark.parametrize("values", [(0.1, 0.1), ("a", "b"), (-1.0, 1.0), (float("nan"), 1.0)])
def test_a_grid_has_different_numbers(values):
    with pytest.raises(UserError, match=r"config\.grid\.sparsity .* different numbers"):
        members_of(config(sparsity=values))
