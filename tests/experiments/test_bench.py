"""The benchmark's arithmetic on made-up seconds; nothing is timed."""

import json

import numpy as np
import pytest
from rich.console import Console

from experiments import bench
from experiments.bench_explain import explainer_of
from experiments.bench_jax import Bench
from experiments.bench_lengths import BUCKETS, explain_request, real_requests, review_lengths
from experiments.bench_worker import Settings, random_arrays, random_splits, random_texts, words_of

ROWS = [
    bench.Row("train", {"n2r_jax": [0.5, 0.4, 0.5], "PyTorch": [1.5, 1.6, 2.0]}),
    bench.Row("explain", {"n2r_jax": [0.1, 0.2], "PyTorch": [1.5, 1.5]}, tokens=30_000),
]
STARTS = {"n2r_jax, release's order": bench.Start(8.25, 1080.4)}


def shown(table):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_table_shows_medians_ratios_of_rounds_and_quartiles():
    text = shown(bench.table(ROWS))
    assert "0.500 [0.450, 0.500]" in text
    assert "4.00 [3.50, 4.00]" in text  # of the rounds' own ratios 3, 4, 4
    assert "1.00 [1.00, 1.00]" in text
    assert "200,000" in text and "20,000" in text  # tokens a second at the median


def test_without_pytorch_there_are_seconds_but_no_ratio():
    text = shown(bench.table([bench.Row("train", {"n2r_jax": [0.5, 0.5]})]))
    assert "0.500" in text
    assert "1.00" not in text


def test_first_step_and_peak_are_shown():
    text = shown(bench.starts_table(STARTS))
    assert "8.2" in text
    assert "1080" in text


def test_the_json_holds_the_rounds_and_their_summary():
    saved = json.loads(json.dumps(bench.record(ROWS, STARTS)))
    side = saved["rows"]["train"]["n2r_jax"]
    assert side["rounds"] == [0.5, 0.4, 0.5]
    assert side["median_ratio"] == pytest.approx(4)
    assert saved["tokens"] == {"explain": 30_000}
    assert saved["starts"]["n2r_jax, release's order"]["peak_mb"] == 1080.4


def test_a_busy_machine_is_told():
    assert bench.busy(0.1, 2) is None
    assert "load average 3.0 on 2 cores" in bench.busy(3.0, 2)


def test_file_names_of_machines():
    assert bench.slug("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz").startswith("intel-xeon-plat")


def test_real_lengths_are_the_same_texts_in_every_way():
    lengths = review_lengths(4096)
    assert lengths.min() >= 20
    assert lengths.max() == 256
    assert lengths.mean() == pytest.approx(140, abs=5)
    ways = real_requests()
    texts = {way: sorted(n for r in ways[way] for n in r["lengths"]) for way in ways}
    assert texts["padded"] == texts["trimmed"] == texts["buckets"]
    for request in ways["padded"] + ways["trimmed"] + ways["buckets"]:
        assert len(request["lengths"]) == 128
        assert max(request["lengths"]) <= request["length"]
    assert {r["length"] for r in ways["buckets"]} <= set(BUCKETS)
    tokens = {way: np.sum([r["length"] for r in ways[way]]) for way in ways}
    assert tokens["buckets"] < tokens["trimmed"] <= tokens["padded"]


SMALL = Settings(batch=8, length=12, units=3, embedding=4, vocabulary=30)


def test_a_split_is_made_of_the_batches_that_training_draws():
    splits = random_splits(SMALL, batches=2, repeat=2, lengths=[3] * 8)
    expected = [random_arrays(**SMALL.sizes(lengths=[3] * 8), seed=seed) for seed in range(4)]
    for found, wanted in zip([one for split in splits for one in split], expected, strict=True):
        np.testing.assert_array_equal(found.ids, wanted.ids)
    assert [len(split) for split in splits] == [2, 2]


def test_texts_to_explain_are_words_of_the_vocabulary():
    request = explain_request(texts=300)
    texts = random_texts(request["lengths"], 30)
    assert [len(text) for text in texts] == review_lengths(300).tolist()
    assert {word for text in texts for word in text} == set(words_of(30))
    assert texts == random_texts(request["lengths"], 30)


def test_our_side_evaluates_splits_and_explains_texts():
    ours = Bench()
    ours.setup(**{name: getattr(SMALL, name) for name in ("batch", "length", "units", "embedding")})
    assert len(ours.evaluate(batches=2, repeat=2)) == 2
    assert len(ours.evaluate(lengths=[1, 2, 3, 4, 5, 6, 7, 8])) == 1


def test_what_is_timed_is_a_run_that_knows_every_word(capsys):
    explainer = explainer_of(SMALL)
    assert explainer.trained.inputs.vocabulary.encode(words_of(30)).all()
    found = explainer.explain(random_texts([3, 12, 5], 30), batch_size=2)
    assert [len(one.tokens) for one in found] == [3, 12, 5]
    assert capsys.readouterr().out == ""
