"""The benchmark of the GRU kernels runs to its end on a CPU, and says what it could not time."""

import json

import jax
import jax.numpy as jnp
import pytest

from experiments import bench_gru, bench_gru_jax


@pytest.mark.slow
def test_the_smoke_run_writes_every_side(tmp_path, monkeypatch):
    monkeypatch.delenv("N2R_TORCH_PYTHON", raising=False)
    out = tmp_path / "gru.json"
    assert bench_gru.main(["--smoke", "--texts", "16", "--out", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["smoke"]
    for action in ("forward", "forward and backward"):
        for number_format in ("float32", "bfloat16"):
            sides = written["rows"][f"{action}, {number_format}"]
            assert set(sides) == {"scan", "Pallas texts=16"}
            assert all(len(side["rounds"]) == 2 for side in sides.values())


def test_without_a_gpu_nothing_but_the_smoke_run_starts(capsys):
    assert jax.default_backend() == "cpu"
    assert bench_gru.main([]) == 2
    assert "--smoke" in capsys.readouterr().out


def test_a_side_that_fails_is_left_out_and_named():
    class Broken:
        def ask(self, request, limit=0.0):
            raise RuntimeError("no room")

    options = bench_gru.parse(["--smoke"])
    row = bench_gru.measure({"Pallas": Broken()}, "train", "float32", options)
    assert row.left_out == {"Pallas": "no room"}
    assert row.summaries() == {}


def test_wrong_results_are_not_timed():
    with pytest.raises(ValueError, match=r"off by 0\.5"):
        bench_gru_jax.check([jnp.ones(3)], [2 * jnp.ones(3)], 0.1)
    with pytest.raises(ValueError, match="off by nan"):
        bench_gru_jax.check([jnp.full(3, jnp.nan)], [jnp.ones(3)], 0.1)
    bench_gru_jax.check([jnp.ones(3)], [jnp.ones(3)], 0.1)
