"""Growth against workers that are made here, whose cost is known, and once against the real one."""

import json
import sys

import numpy as np
import pytest
from rich.console import Console

from experiments import bench_growth
from experiments.bench import OURS, TORCH
from experiments.bench_growth import Axis, Growth, Point
from tests import tiny

FAKE = """
import json, sys
own = {"power": float(sys.argv[1]), "asked": 0}
for line in sys.stdin:
    request = json.loads(line)
    if request.pop("do") == "setup":
        own |= request
        answer = {"ok": True, "versions": {}}
    else:
        own["asked"] += 1
        size = own["batch"] * own["length"] * own.get("runs", 1)
        seconds = 9.0 if own["asked"] == 1 else 1e-3 * size ** own["power"]
        answer = {"seconds": [seconds] * request.get("repeat", 1), "peak_mb": 2.0 * size}
    print(json.dumps(answer), flush=True)
"""
AXES = (
    Axis("batch", (2, 4, 8), {"length": 4}),
    Axis("seeds", (1, 3), {"batch": 4, "length": 4}),
)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.bench_driver.time.sleep", lambda _: None)
    (tmp_path / "fake.py").write_text(FAKE)
    command = [sys.executable, tmp_path / "fake.py"]
    return {OURS: [*command, "1"], TORCH: [*command, "2"]}


def test_points_have_fresh_workers_and_stand_on_every_axis_they_belong_to(commands):
    said = []
    batch, seeds = bench_growth.measure(AXES, commands, 2, said.append)
    assert len(said) == 4, "batch 4 of one seed is on both axes"
    assert batch.points[1] is seeds.points[0]
    assert batch.exponent(OURS) == pytest.approx(1)
    assert batch.exponent(TORCH) == pytest.approx(2)
    assert batch.points[2].seconds == {OURS: [0.032] * 2, TORCH: [1.024] * 2}
    assert batch.points[2].peak_mb == {OURS: 64, TORCH: 64}


def test_seeds_are_one_program_of_ours_and_one_after_the_other_elsewhere(commands):
    (seeds,) = bench_growth.measure(AXES[1:], commands, 1, str)
    one, three = seeds.points
    assert three.median(OURS) == pytest.approx(3 * one.median(OURS))
    assert three.median(TORCH) == pytest.approx(3 * one.median(TORCH))
    assert three.peak_mb == {OURS: 3 * one.peak_mb[OURS], TORCH: one.peak_mb[TORCH]}


def made_up(*sides):
    def point(value):
        return Point(
            {side: [value, 2 * value, 3 * value] for side in sides}, dict.fromkeys(sides, 5.0)
        )

    return [Growth(AXES[0], [point(value) for value in (0.1, 0.2, 0.8)])]


def test_the_table_shows_medians_memory_ratios_and_powers():
    console = Console(width=120)
    with console.capture() as capture:
        console.print(bench_growth.table(made_up(OURS, TORCH)[0]))
    for text in ("0.200", "1.600", "1.00", "batch^1.50"):
        assert text in capture.get()


@pytest.mark.parametrize("sides", [(OURS,), (OURS, TORCH)])
def test_the_json_and_the_picture_hold_every_side(tmp_path, sides):
    grown = made_up(*sides)
    saved = json.loads(json.dumps(bench_growth.record(grown)))["batch"]
    assert saved["values"] == [2, 4, 8] and list(saved["sides"]) == [*sides]
    assert saved["sides"][OURS]["seconds"] == pytest.approx([0.2, 0.4, 1.6])
    assert saved["sides"][OURS]["exponent"] == pytest.approx(1.5)
    bench_growth.draw(grown, tmp_path / "growth.png", "a machine")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_quick_runs_our_real_worker(tmp_path, monkeypatch, capsys):
    device = "--xla_force_host_platform_device_count=1 --xla_backend_optimization_level=0"
    monkeypatch.setenv("XLA_FLAGS", device)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tiny.ROOT / ".pytest_cache" / "jax"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    monkeypatch.setattr(bench_growth, "find_torch_python", lambda _: None)
    out = tmp_path / "made" / "growth.json"
    assert bench_growth.main(["--quick", "--out", str(out)]) == 0
    axes = json.loads(out.read_text())["axes"]
    assert list(axes) == ["batch", "seeds"]
    for axis in axes.values():
        found = axis["sides"][OURS]
        assert np.all(np.array(found["seconds"]) > 0) and np.all(np.array(found["peak_mb"]) > 50)
    assert out.with_suffix(".png").exists()
    assert "growing seeds" in capsys.readouterr().out
