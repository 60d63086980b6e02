"""Whatever happens to the files, a wrong number is never restored."""

import logging
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.training.checkpoints import Checkpoints, flatten

STEPS = (3, 6, 9)


def tree(value, rows=40):
    return {
        "params": {"weight": jax.random.normal(jax.random.key(int(value)), (rows, 50))},
        "optimizer": (jnp.int32(value), [jnp.full((7,), -value)]),
        "key": jax.random.key(int(value)),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Three checkpoints, made once; tests damage a copy."""
    directory = tmp_path_factory.mktemp("saved") / "latest"
    with Checkpoints(directory, keep=3) as checkpoints:
        for step in STEPS:
            checkpoints.save(step, tree(float(step)), {"step": step, "best": 0.1 + 0.2})
    return directory


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "latest")


@pytest.fixture
def told(caplog, monkeypatch):
    """What our own logger says, also after a command has turned it away from the root."""
    monkeypatch.setattr(logging.getLogger("n2r_jax"), "propagate", True)
    return caplog


def files(directory, step, part="arrays"):
    found = [f for f in (directory / str(step) / part).rglob("*") if f.is_file()]
    return sorted(found, key=lambda f: f.stat().st_size, reverse=True)


def data_file(directory, step):
    """The file that holds the numbers themselves."""
    return files(directory, step)[0]


def flip(path: pathlib.Path, place: float):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(bytes(content))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def restore(directory, template=None):
    with Checkpoints(directory) as checkpoints:
        return checkpoints.restore(tree(0.0) if template is None else template)


def assert_is(step, found):
    assert found[0] == step and found[2] == {"step": step, "best": 0.1 + 0.2}
    wanted = flatten(tree(float(step)))
    for name, array in flatten(found[1]).items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name, strict=True)


def test_what_was_saved_comes_back_exactly(saved):
    found = restore(saved)
    assert_is(9, found)
    assert jax.random.key_impl(found[1]["key"]) == jax.random.key_impl(jax.random.key(0))


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert restore(tmp_path / "new") is None


def test_only_the_newest_are_kept(tmp_path):
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step in STEPS:
            checkpoints.save(step, tree(1.0), {})
        checkpoints.wait()
        assert checkpoints.steps == [9, 6]


DAMAGES = {
    "cut data": lambda d: cut(data_file(d, 9)),
    "no data": lambda d: data_file(d, 9).unlink(),
    "flipped byte early in the data": lambda d: flip(data_file(d, 9), 0.2),
    "flipped byte in the middle of the data": lambda d: flip(data_file(d, 9), 0.5),
    "flipped byte late in the data": lambda d: flip(data_file(d, 9), 0.8),
    "no arrays": lambda d: shutil.rmtree(d / "9" / "arrays"),
    "no array metadata": lambda d: (d / "9" / "arrays" / "_METADATA").unlink(),
    "cut array metadata": lambda d: cut(d / "9" / "arrays" / "_METADATA"),
    "no progress": lambda d: shutil.rmtree(d / "9" / "progress"),
    "cut progress": lambda d: cut(files(d, 9, "progress")[0]),
    "flipped byte in the progress": lambda d: flip(files(d, 9, "progress")[0], 0.5),
    "flipped byte in the progress's checksum": lambda d: flip(files(d, 9, "progress")[0], 0.98),
    "no checkpoint metadata": lambda d: (d / "9" / "_CHECKPOINT_METADATA").unlink(),
    "cut checkpoint metadata": lambda d: cut(d / "9" / "_CHECKPOINT_METADATA"),
    "empty": lambda d: [shutil.rmtree(p) for p in (d / "9").iterdir() if p.is_dir()],
}
HARMLESS = ("no array metadata", "no checkpoint metadata", "cut checkpoint metadata")
"""Nothing that is restored stands in these: orbax and people only read about it there."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(copy, told, damage):
    DAMAGES[damage](copy)
    found = restore(copy)
    if damage in HARMLESS:
        assert_is(9, found)
        return
    assert_is(6, found)
    (warning,) = (r.getMessage() for r in told.records if r.levelno == logging.WARNING)
    assert f"{copy}/9 is damaged" in warning and "\n" not in warning


def test_two_damaged_checkpoints_are_both_named(copy, told):
    cut(data_file(copy, 9))
    flip(data_file(copy, 6), 0.5)
    assert_is(3, restore(copy))
    assert [f"/{s} is damaged" in told.text for s in STEPS] == [False, True, True]


def test_every_byte_of_the_data_counts(copy, told):
    """A byte either carries no number (and all is as saved), or its flip is noticed."""
    path = data_file(copy, 9)
    whole, noticed = path.read_bytes(), 0
    for place in np.linspace(0, 1, 12):
        path.write_bytes(whole)
        flip(path, place)
        found = restore(copy)
        noticed += found[0] == 6
        assert_is(found[0], found)
    assert noticed >= 6


def test_when_all_are_damaged_the_user_is_told(copy):
    for step in STEPS:
        cut(data_file(copy, step))
    with pytest.raises(UserError, match=r"every checkpoint in .*latest is damaged .*9, 6, 3"):
        restore(copy)


def test_a_checkpoint_of_another_model_is_no_damage(saved):
    with pytest.raises(UserError, match=r"9 is of another model .*40,50.*30,50"):
        restore(saved, tree(0.0, rows=30))


def test_a_checkpoint_with_other_parameters_is_no_damage(saved):
    more = tree(0.0)
    more["params"]["attacker"] = jnp.zeros(2)
    with pytest.raises(UserError, match=r"another model .*params/attacker is None there"):
        restore(saved, more)


def test_a_resumed_run_overwrites_the_damaged_step(copy):
    flip(data_file(copy, 9), 0.5)
    with Checkpoints(copy, keep=3) as checkpoints:
        step = checkpoints.restore(tree(0.0))[0]
        checkpoints.delete_after(step)
        assert checkpoints.steps == [6, 3]
        checkpoints.save(9, tree(9.0), {"step": 9, "best": 0.1 + 0.2})
    assert_is(9, restore(copy))


def test_the_tree_may_change_while_it_is_being_written(tmp_path):
    moving = np.full(1_000_000, 1.0, np.float32)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"a": jnp.asarray(moving)}, {})
        moving[:] = 2.0
    found = restore(tmp_path, {"a": moving})
    assert (found[1]["a"] == 1.0).all()
