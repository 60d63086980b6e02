"""UNIREX's recorded masks, losses and metrics, replayed."""

import pathlib

import numpy as np
import pytest

from tests.parity import replay_unirex

GOLDEN = pathlib.Path(__file__).parents[2].parent / "shared" / "golden" / "unirex"


def inputs(rows=3, units=12, classes=3, k=(10, 50)):
    """Random inputs of the files' layout."""
    random = np.random.default_rng(0)
    logits = {
        f"in/{name}_logits": random.normal(size=shape).astype(np.float32)
        for name, shape in {
            "full": (rows, classes),
            "comp": (len(k), rows, classes),
            "suff": (len(k), rows, classes),
            "l2e": (rows, units, 5),
        }.items()
    }
    valid = (np.arange(units)[None] < units - np.arange(rows)[:, None]).astype(np.int64)
    return logits | {
        "in/attention_mask": valid,
        "in/scores": random.normal(size=(rows, units)).astype(np.float32) * valid,
        "in/rationale": (np.arange(units)[None] % 3 == 1) * valid,
        "in/has_rationale": np.arange(rows) % 3 != 2,
        "in/label": np.arange(rows) % classes,
        "in/topk": np.array(k),
        "in/l2e_target": random.integers(0, 5, (rows, units)),
        "in/comp_margin": np.float32(1),
        "in/suff_margin": np.float32(0.1),
    }


@pytest.fixture(scope="module")
def recorded():
    given = inputs()
    found = replay_unirex.replayed(given).items()
    return given | {name: np.asarray(value) for name, value in found}


def test_the_releases_values_are_reproduced(capsys):
    files = [str(path) for path in sorted(GOLDEN.glob("*.npz"))]
    if not files:
        pytest.skip("the recorded values are not here (../shared/golden/unirex)")
    assert replay_unirex.main(files) == 0
    assert "within" in capsys.readouterr().out


def test_any_sizes_will_do(recorded, tmp_path):
    np.savez(tmp_path / "same.npz", **recorded)
    assert replay_unirex.main([str(tmp_path / "same.npz")]) == 0


@pytest.mark.parametrize("name", ["loss/suff_kldiv", "metric/auprc_mean", "in/keep_mask"])
def test_a_difference_is_found_and_fails(name, recorded, tmp_path, capsys):
    np.savez(tmp_path / "changed.npz", **(recorded | {name: recorded[name] + 1e-5}))
    assert replay_unirex.main([str(tmp_path / "changed.npz")]) == 1
    assert f"{name}: 1.0e-05  ABOVE" in capsys.readouterr().out


def test_a_quantity_that_has_no_replay_fails(recorded, tmp_path):
    np.savez(tmp_path / "more.npz", **(recorded | {"metric/novel": np.float32(0)}))
    assert replay_unirex.main([str(tmp_path / "more.npz")]) == 1
