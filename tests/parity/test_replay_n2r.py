"""Recorded runs of other implementations, replayed."""

import pathlib
import shutil

import numpy as np
import pytest

from tests.parity import replay_n2r

RECORDED = sorted((pathlib.Path(__file__).parent / "recorded").glob("*.npz"))
GOLDEN = pathlib.Path(__file__).parents[2].parent / "shared" / "golden" / "n2r"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_our_recordings_of_pytorch_are_reproduced(path):
    for place, differences in replay_n2r.Replay(str(path)).run():
        for kind, value in differences.items():
            assert value <= replay_n2r.TOLERANCE, f"{place}, {kind}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnp", "n2r", "n2r_mmi"])
def test_the_authors_runs_are_reproduced(name, capsys):
    files = [str(path) for path in sorted(GOLDEN.glob(f"{name}_[fp]*.npz"))]
    if not files:
        pytest.skip("the authors' recorded runs are not here (../shared/golden/n2r)")
    assert replay_n2r.main(files) == 0
    assert "within" in capsys.readouterr().out


def test_a_difference_is_found_and_fails(tmp_path, capsys):
    path = tmp_path / "changed.npz"
    shutil.copy(RECORDED[-1], path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["params/1/cls_fc.bias"] = arrays["params/1/cls_fc.bias"] + 1e-4
    np.savez(path, **arrays)
    assert replay_n2r.main([str(path)]) == 1
    assert "ABOVE" in capsys.readouterr().out
