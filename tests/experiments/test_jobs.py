"""Jobs run once each, on as many cores as there are, and a failure names its log."""

import argparse
import gzip
import sys

import pytest

from experiments import jobs


def job_of(tmp_path, name, program):
    return jobs.Job(name, tmp_path / name, ((sys.executable, "-c", program),))


def leaves(path):
    return f"import pathlib; p = pathlib.Path({str(path)!r}); p.parent.mkdir(); p.touch()"


def test_what_is_done_is_not_done_again(tmp_path, capsys):
    made = [job_of(tmp_path, n, leaves(tmp_path / n / "results.json")) for n in ("one", "two")]
    jobs.run_jobs(made)
    assert all(job.results.exists() for job in made)
    assert sorted(capsys.readouterr().out.split("\n")[:2]) == ["one: done", "two: done"]
    jobs.run_jobs(made)  # either would fail on its directory
    assert capsys.readouterr().out == ""


def test_a_failure_names_its_log(tmp_path):
    broken = job_of(tmp_path, "broken", "raise ValueError('no such row')")
    with pytest.raises(SystemExit, match=r"broken: failed, see .*broken\.log"):
        jobs.run_jobs([broken])
    assert "no such row" in (tmp_path / "broken.log").read_text()


def test_rows_are_drawn_once_and_in_order(tmp_path):
    for split in jobs.SPLITS:
        with gzip.open(tmp_path / f"{split}.jsonl.gz", "wt") as file:
            file.writelines(f'{{"id": {i:03d}}}\n' for i in range(50))
    parser = argparse.ArgumentParser()
    jobs.add_inputs(parser)
    given = ["--data", str(tmp_path), "--vectors", "v.txt", "--train-rows", "20"]
    fields = jobs.data_fields(parser.parse_args(given), tmp_path / "runs")
    with gzip.open(fields["data.train"], "rt") as file:
        lines = file.readlines()
    assert len(set(lines)) == 20 and lines == sorted(lines)
    assert fields["data.dev"] == str(tmp_path / "dev.jsonl.gz")
    assert "encoder.pretrained" not in fields
