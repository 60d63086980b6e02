"""The driver against a tiny worker made here, and PyTorch's worker where a PyTorch is found."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import bench_machine, bench_worker
from experiments.bench_driver import Worker, WorkerError, interleave, summarize

REPO = Path(__file__).parents[2]
FAKE = """
import json, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "die":
        sys.exit("no such batch")
    if request["do"] == "hang":
        time.sleep(60)
    if request["do"] == "chat":
        print("Loading ...", flush=True)
    if request["do"] == "train":
        print(json.dumps({"seconds": request["times"], "peak_mb": 1.5}), flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    with Worker([sys.executable, script]) as worker:
        yield worker


def test_worker_answers(worker):
    assert worker.ask({"do": "train", "times": [1.0]}) == {"seconds": [1.0], "peak_mb": 1.5}
    assert worker.ask({"do": "train", "times": [2.0]})["seconds"] == [2.0]


def test_a_dying_worker_shows_its_stderr_every_time(worker):
    for _ in range(2):
        with pytest.raises(WorkerError, match=r"(?s)ended with code 1 at .*no such batch"):
            worker.ask({"do": "die"})


def test_a_hanging_worker_is_ended_at_the_limit(worker):
    with pytest.raises(WorkerError, match=r"said nothing in 0\.2 s at .*hang"):
        worker.ask({"do": "hang"}, limit=0.2)


def test_what_is_no_json_is_named(worker):
    with pytest.raises(WorkerError, match="Loading"):
        worker.ask({"do": "chat"})


class Recorder:
    """Answers with the next of its times and notes when it was asked."""

    def __init__(self, name, diary, times):
        self.name, self.diary, self.times = name, diary, iter(times)

    def ask(self, request, limit):
        self.diary.append(self.name + request["do"])
        return {"seconds": next(self.times)}


def test_interleave_takes_turns_and_drops_the_warmup():
    diary = []
    workers = {
        "a": Recorder("a", diary, [[9.0], [1.0], [2.0]]),
        "b": Recorder("b", diary, [[9.0], [5.0, 3.0, 4.0], [6.0]]),
    }
    seconds = interleave(workers, [{"do": "1"}], rounds=2, warmup=1, pause=0)
    assert seconds == {"a": [1.0, 2.0], "b": [4.0, 6.0]}
    assert diary == ["a1", "b1", "b1", "a1", "a1", "b1"]


def test_a_round_is_the_sum_of_its_requests_and_these_may_differ_by_name():
    diary = []
    both = Recorder("w", diary, [[1.0], [2.0], [7.0]])
    requests = {"buckets": [{"do": "1"}, {"do": "2"}], "padded": [{"do": "3"}]}
    seconds = interleave({"buckets": both, "padded": both}, requests, rounds=1, warmup=0, pause=0)
    assert seconds == {"buckets": [3.0], "padded": [7.0]}


def test_summarize_ratio_of_medians_and_median_of_ratios():
    summary = summarize({"torch": [4.0, 8.0, 12.0], "ours": [1.0, 4.0, 2.0]}, "torch")
    ours = summary["ours"]
    assert (ours.median, ours.quartiles) == (2.0, (1.5, 3.0))
    assert ours.ratio_of_medians == 4.0  # 8 / 2
    assert (ours.median_ratio, ours.ratio_quartiles) == (4.0, (3.0, 5.0))  # of 4, 2, 6
    assert summary["torch"].ratio_of_medians == summary["torch"].median_ratio == 1.0


def test_summarize_a_single_round():
    assert summarize({"a": [3.0], "b": [2.0]}, "a")["b"].ratio_quartiles == (1.5, 1.5)


def test_machine_names_cores_and_versions():
    described = bench_machine.machine(["numpy"])
    assert described["cores"] >= 1 and described["cpu"]
    assert set(described["versions"]) == {"python", "numpy"}


def test_find_torch_python(tmp_path, monkeypatch):
    monkeypatch.delenv("N2R_TORCH_PYTHON", raising=False)
    assert bench_machine.find_torch_python(tmp_path) is None
    own = tmp_path / ".venv-torch" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert bench_machine.find_torch_python(tmp_path) == own
    monkeypatch.setenv("N2R_TORCH_PYTHON", sys.executable)
    assert bench_machine.find_torch_python(tmp_path) == Path(sys.executable)
    monkeypatch.setenv("N2R_TORCH_PYTHON", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="N2R_TORCH_PYTHON"):
        bench_machine.find_torch_python(tmp_path)


def test_random_arrays_repeat_and_pad():
    arguments = {"batch": 2, "length": 4, "vocabulary": 9, "lengths": [1, 4], "seed": 3}
    ids, real, labels = bench_worker.random_arrays(**arguments)
    assert real.tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]] and labels.shape == (2,)
    assert ((ids > 0) == (real == 1)).all() and ids.max() < 9
    assert np.array_equal(ids, bench_worker.random_arrays(**arguments).ids)
    with pytest.raises(ValueError, match="must hold 2 numbers, none above 4"):
        bench_worker.random_arrays(**(arguments | {"lengths": [1, 5]}))


def test_serve_answers_until_quit(monkeypatch, capsys):
    asked = [{"do": "setup", "units": 3}, {"do": "train", "repeat": 2}, {"do": "quit"}, "never"]
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    bench_worker.serve(lambda units: {"x": str(units)}, {"train": lambda repeat: [0.5] * repeat})
    setup, train = map(json.loads, capsys.readouterr().out.splitlines())
    assert setup == {"ok": True, "versions": {"x": "3"}}
    assert train["seconds"] == [0.5, 0.5] and train["peak_mb"] > 1


@pytest.mark.slow
def test_a_torch_venv_that_cannot_be_made_leaves_nothing(tmp_path):
    missing = str(tmp_path / "no-such-wheel.whl")
    with pytest.raises(RuntimeError, match="N2R_TORCH_PYTHON"):
        bench_machine.make_torch_venv(tmp_path, [missing])
    assert not (tmp_path / ".venv-torch").exists()


@pytest.fixture(scope="module")
def torch_worker():
    python = bench_machine.find_torch_python(REPO)
    if python is None:
        pytest.skip("no Python with PyTorch: set N2R_TORCH_PYTHON or run `make bench` once")
    with Worker([python, REPO / "experiments" / "torch_reference.py"]) as worker:
        yield worker


@pytest.mark.slow
@pytest.mark.parametrize("order", ["release", "paper", "n2r_mmi", "rnp"])
def test_torch_reference_speaks_the_protocol(torch_worker, order):
    sizes = {"batch": 3, "length": 6, "units": 4, "embedding": 5, "vocabulary": 20}
    setup = torch_worker.ask({"do": "setup", "order": order, "threads": 1, "seed": 1, **sizes})
    assert setup["ok"] and "torch" in setup["versions"]
    request = {"lengths": [2, 6, 1], "repeat": 2}
    for task in ("train", "evaluate"):
        answer = torch_worker.ask({"do": task, **request})
        assert len(answer["seconds"]) == 2 and answer["peak_mb"] > 10
    split = torch_worker.ask({"do": "evaluate", "batches": 2, "repeat": 3})
    assert len(split["seconds"]) == 3
    explained = torch_worker.ask({"do": "explain", "lengths": [2, 5, 1], "batch": 2})
    assert len(explained["seconds"]) == 1
    resized = torch_worker.ask({"do": "train", "batch": 2, "length": 9, "lengths": None})
    assert len(resized["seconds"]) == 1
