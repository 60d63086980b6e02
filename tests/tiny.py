"""A model of a few hundred numbers on a handful of reviews: every test's run."""

import atexit
import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

from configs import base
from n2r_jax.data.reviews import Reviews
from n2r_jax.inference import TrainedRun
from n2r_jax.train import train

ROOT = pathlib.Path(__file__).parents[1]
FIELDS = {
    "method": "n2r_mmi",
    "model.units": 4,
    "model.dimension": 8,
    "data.name": "reviews",
    "data.aspect": "service",
    "data.sizes": (36, 20, 20),  # 36 texts: the last batch of an epoch is half empty
    "data.max_length": 32,
    "data.cache": "off",  # tests leave the user's cache alone
    "batching.buckets": (32,),
    "batching.batch_size": 8,
    "batching.balance": False,
    "evaluation.batch_size": 8,
    "evaluation.bootstrap": 20,
    "training.epochs": 2,
    "training.log_every": 3,
    "training.checkpoint_every": 4,
    "training.learning_rate": 1e-2,
    "objective.sparsity": 0.2,
}


def config(**changes: Any) -> Any:
    """The tiny config; name a field with __ for the dot."""
    made = base.get_config()
    fields = FIELDS | {name.replace("__", "."): value for name, value in changes.items()}
    with made.unlocked():
        made.update_from_flattened_dict(fields)
    return made


def arguments(**changes: Any) -> list[str]:
    """The tiny config as command line arguments."""
    fields = FIELDS | {name.replace("__", "."): value for name, value in changes.items()}
    return [
        f"--config={ROOT / 'configs' / 'base.py'}",
        *(f"--config.{name}={value}" for name, value in fields.items()),
    ]


@functools.cache
def trained_run() -> pathlib.Path:
    """A finished run, trained once for all tests. Copy it before you change it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="n2r_jax_test_"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    train(config(), str(directory / "run"))
    return directory / "run"


def write_rows(path: pathlib.Path, split: str, size: int) -> pathlib.Path:
    """Write reviews as JSONL rows with tokens, label and rationale."""
    source = Reviews(split, size=size)
    rows = (
        {
            "id": r.id,
            "tokens": r.tokens,
            "label": source.label_names[r.label],
            "rationale": r.rationale,
        }
        for r in source
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def start(*command: str, devices: int = 1, **options: Any) -> subprocess.Popen:
    """A real process of this package with so many CPU devices; its output is text."""
    count = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "XLA_FLAGS": f"{count} --xla_backend_optimization_level=0",
        "PYTHONPATH": str(ROOT),
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".pytest_cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, *command], env=environment, cwd=ROOT, **(pipes | options)
    )


def start_two(*command: str, **options: Any) -> list[subprocess.Popen]:
    """Two real processes of one job, of one device each; the first is the coordinator."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    joined = (f"--coordinator=localhost:{port}", "--processes=2")
    return [start(*command, *joined, f"--process={i}", **options) for i in (0, 1)]


def outputs_of(started: list[subprocess.Popen], *, timeout: float) -> list[tuple[str, str]]:
    """What each printed (stdout, stderr) until all had ended; none is left when time is up."""
    end = time.monotonic() + timeout
    try:
        return [process.communicate(timeout=end - time.monotonic()) for process in started]
    finally:
        for process in started:
            process.kill()  # jax.distributed swallows SIGTERM


def wait_for_lines(run: pathlib.Path, count: int, *, timeout: float = 120) -> None:
    """Return when a run that is under way has written so many lines of metrics."""
    end, path = time.monotonic() + timeout, run / "metrics.jsonl"
    while time.monotonic() < end:
        if path.exists() and len(path.read_bytes().splitlines()) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the run wrote nothing")


def lines(run: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl."""
    text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def sealed(run: pathlib.Path, which: str = "latest") -> tuple[int, dict[str, Any]]:
    """Step and record of the newest checkpoint: progress, and checksums of all its arrays."""
    step = max(int(path.name) for path in (run / which).iterdir() if path.name.isdigit())
    text = (run / which / str(step) / "progress" / "metadata").read_text(encoding="utf-8")
    return step, json.loads(json.loads(text)["record"])


def parameters(run: pathlib.Path) -> Any:
    """The newest parameters of a run."""
    return TrainedRun(run, "latest").params
