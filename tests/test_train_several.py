"""Several runs in one program: each as alone, through stops, patience and kills."""

import os
import shutil
import signal

import numpy as np
import pytest

from n2r_jax.data import batching
from n2r_jax.errors import UserError
from n2r_jax.members import members_of
from n2r_jax.train import train
from n2r_jax.train_several import train_several
from n2r_jax.training.loop import Interrupted
from tests import tiny

BUCKETS = {"batching__buckets": (28, 32), "data__max_length": 32}


def config(**changes):
    """Two seeds of two sparsities, whose batches are padded to different lengths."""
    made = tiny.config(**(BUCKETS | changes))
    with made.unlocked():
        made.seeds = (1, 2)
        made.grid.sparsity = (0.1, 0.4)
    return made


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    directory = tmp_path_factory.mktemp("several")
    train_several(config(), str(directory))
    return directory


def members(directory):
    return sorted(path for path in directory.iterdir() if path.is_dir())


def assert_same_lines(found, wanted, tolerance):
    found, wanted = tiny.lines(found), tiny.lines(wanted)
    assert [line["step"] for line in found] == [line["step"] for line in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.keys() == theirs.keys()
        numbers = [key for key in ours if key != "split"]
        for key in numbers:
            assert ours[key] == pytest.approx(theirs[key], abs=tolerance, rel=tolerance)


def test_every_run_is_the_single_run(straight, tmp_path):
    for member in members_of(config()):
        train(member.config, str(tmp_path / member.name))
        assert_same_lines(straight / member.name, tmp_path / member.name, 1e-5)
        for which in ("latest", "best"):
            alone, together = (tiny.sealed(d / member.name, which) for d in (tmp_path, straight))
            assert alone[0] == together[0]
            assert alone[1]["progress"]["best_epoch"] == together[1]["progress"]["best_epoch"]


def test_a_member_goes_on_alone_as_any_other_run(straight, tmp_path, capsys):
    member = members_of(config())[0]
    shutil.copytree(straight / member.name, tmp_path / "run")
    train(member.config, str(tmp_path / "run"))
    assert "done after step 10" in capsys.readouterr().out


@pytest.mark.parametrize("step", [3, 5, 7])
def test_stopped_runs_go_on_bit_by_bit(straight, tmp_path, monkeypatch, step):
    calls = []

    def stream(batches, start):
        for index, batch in enumerate(batching.stream(batches, start), start + 1):
            if index == step and batches.seed == 1:
                calls.append(index)
                os.kill(os.getpid(), signal.SIGTERM) if len(calls) == 1 else None
            yield batch

    monkeypatch.setattr("n2r_jax.train_several.stream", stream)
    with pytest.raises(Interrupted, match=f"after step {step}"):
        train_several(config(), str(tmp_path))
    train_several(config(), str(tmp_path))
    assert_same_runs(tmp_path, straight)


def assert_same_runs(found, wanted):
    assert [path.name for path in members(found)] == [path.name for path in members(wanted)]
    for ours, theirs in zip(members(found), members(wanted), strict=True):
        assert (ours / "metrics.jsonl").read_bytes() == (theirs / "metrics.jsonl").read_bytes()
        for which in ("latest", "best"):
            assert tiny.sealed(ours, which) == tiny.sealed(theirs, which)


def test_a_kill_between_the_saves_of_two_runs_sets_all_back_to_the_earlier(straight, tmp_path):
    train_several(config(training__epochs=1), str(tmp_path))
    behind = members(tmp_path)[2]
    shutil.rmtree(behind / "latest" / "5")  # the checkpoint of step 4 is its newest now
    train_several(config(), str(tmp_path))
    assert_same_runs(tmp_path, straight)


def test_a_run_out_of_patience_is_frozen_while_others_go_on(tmp_path):
    changes = {"training__epochs": 4, "training__patience": 1, "training__best_by": "dev/norm"}
    asked = config(**changes)
    train_several(asked, str(tmp_path / "all"))
    ends = set()
    for member in members_of(asked):
        train(member.config, str(tmp_path / "alone" / member.name))
        alone, together = (tiny.sealed(tmp_path / d / member.name) for d in ("alone", "all"))
        assert alone[0] == together[0]
        ends.add(alone[0])
        found, wanted = (
            tiny.parameters(tmp_path / d / member.name)["extractor"]["head"]["kernel"]
            for d in ("all", "alone")
        )
        # Adam makes steps of a hundredth of gradients near 0, rounding included.
        np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert len(ends) > 1, "the test needs runs that end at different steps"


def test_a_run_of_another_config_is_refused_before_anything_is_written(straight, tmp_path):
    shutil.copytree(straight, tmp_path / "all")
    with pytest.raises(UserError, match="another config"):
        train_several(config(model__units=5), str(tmp_path / "all"))
    assert_same_runs(tmp_path / "all", straight)
