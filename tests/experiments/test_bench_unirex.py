"""UNIREX's benchmark at tiny sizes: both workers iterate, and choose the same words."""

import subprocess
import sys

import pytest

from experiments import bench_machine, bench_unirex
from tests.experiments.test_bench_transformer import REPO, SMOKE, ask

REQUESTS = [
    {"do": "setup", **SMOKE, **bench_unirex.WITHOUT_DROPOUT},
    {"do": "train", "repeat": 2},
    {"do": "train", "clock": "processor"},
]


@pytest.mark.slow
def test_our_worker_iterates(tmp_path):
    command = [sys.executable, "-m", "experiments.bench_unirex_jax"]
    answers = ask(command, REQUESTS, JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    assert [len(answer["seconds"]) for answer in answers[1:]] == [2, 1]


@pytest.fixture(scope="module")
def torch_python():
    python = bench_machine.find_torch_python(REPO)
    if python is None:
        pytest.skip("no Python with PyTorch: set N2R_TORCH_PYTHON or run make bench once")
    return python


@pytest.mark.slow
def test_pytorchs_worker_iterates(torch_python):
    answers = ask([torch_python, REPO / "experiments" / "bench_unirex_torch.py"], REQUESTS)
    assert [len(answer["seconds"]) for answer in answers[1:]] == [2, 1]


CHOICE = """
import sys
sys.path.insert(0, "experiments")
import torch
from bench_unirex_torch import top_masks
words = torch.tensor([[0.0, 1, 1, 1, 1, 1, 0, 0]])
chosen = top_masks(torch.tensor([[9.0, 1, 5, 2, 5, 0, 9, 0]]), words)
print([[int(i) for i in mask[0].nonzero()] for mask in chosen])
"""


@pytest.mark.slow
def test_pytorch_chooses_as_we_do(torch_python):
    """Of five words 1, 5, 10, 20 % are one and 50 % are two; of equal ones the first."""
    done = subprocess.run(
        [torch_python, "-c", CHOICE], capture_output=True, text=True, cwd=REPO, check=True
    )
    assert done.stdout.strip() == "[[2], [2], [2], [2], [2, 4]]"
