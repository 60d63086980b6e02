"""What a run keeps of itself is enough to go on, and damage to it is noticed."""

import json
import shutil

import numpy as np
import pytest

from n2r_jax.errors import DataError, UserError
from n2r_jax.run_directory import RunDirectory
from tests import tiny


@pytest.fixture
def run(tmp_path):
    return RunDirectory(shutil.copytree(tiny.trained_run(), tmp_path / "run"))


def test_the_config_comes_back_equal_and_locked(run):
    found = run.read_config()
    assert found.to_dict() == tiny.config().to_dict()
    assert isinstance(found.batching.buckets, tuple) and found.is_locked
    run.check_same(tiny.config())


def test_the_manifest_tells_what_made_the_run(run):
    manifest = run.read_manifest()
    assert manifest["labels"] == ["negative", "positive"] and manifest["seed"] == 1
    assert manifest["data"]["train"]["texts"] == 36
    assert set(manifest["versions"]) >= {"jax", "flax", "orbax-checkpoint", "python"}
    assert manifest["devices"] == {"platform": "cpu", "kind": "cpu", "count": 8, "processes": 1}


def test_a_changed_config_is_named_field_by_field(run):
    other = tiny.config(seed=3, batching__buckets=(16, 32))
    with pytest.raises(UserError, match=r"buckets was \(32,\), is \(16, 32\); seed was 1, is 3"):
        run.check_same(other)


def test_what_alters_no_step_that_is_done_may_change(run):
    run.check_same(tiny.config(training__epochs=9, training__patience=3, training__log_every=1))


@pytest.mark.parametrize("name", ["config.json", "manifest.json", "vocabulary.json"])
def test_a_cut_file_is_named(run, name):
    path = run.path / name
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match=name):
        run.read_config(), run.read_inputs()


def test_altered_vectors_are_noticed(run):
    inputs = run.read_inputs()
    assert len(inputs.vocabulary) == len(inputs.table)
    changed = inputs.table.copy()
    changed[3, 0] += 1e-3
    with (run.path / "embedding.npy").open("wb") as file:
        np.save(file, changed)
    with pytest.raises(DataError, match="does not match its checksum"):
        run.read_inputs()


def test_a_run_that_was_not_sealed_is_no_run(run):
    """config.json comes last: a kill during the writing leaves a directory to start anew in."""
    (run.path / "config.json").unlink()
    assert not run.exists
    with pytest.raises(DataError, match="no run here"):
        run.read_config()


def test_nothing_partial_is_left(run):
    assert not list(run.path.rglob("*.partial"))
    json.loads((run.path / "config.json").read_text())
