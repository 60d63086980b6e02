"""UNIREX's methods as runs: trained, evaluated with faithfulness, explained; bad settings told."""

import json

import pytest

import n2r_jax
from n2r_jax.errors import UserError
from n2r_jax.evaluate import evaluate
from n2r_jax.train import train
from tests import tiny

SHORT = {"training__epochs": 1, "data__sizes": (16, 8, 8), "unirex__k": (20, 50)}


@pytest.mark.parametrize("method", ["dlm_fp", "slm_fp", "aa_f"])
def test_a_run_from_training_to_its_reasons(tmp_path, method):
    shared = method.startswith("slm")
    train(tiny.config(method=method, encoder__shared=shared, **SHORT), str(tmp_path / "run"))
    report, origin = evaluate(tmp_path / "run", faithfulness=True)
    assert origin["method"] == method and report.faithfulness["k"] == [20, 50]
    (found,) = n2r_jax.load(tmp_path / "run").explain(["The staff were rude and slow ."])
    assert sum(found.mask) == 1  # a fifth of seven words


def test_what_cannot_work_is_told_in_one_line(tmp_path):
    rows = [{"text": f"word {i}", "label": i % 2} for i in range(8)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"data__name": "files", "data__train": str(path), "data__dev": str(path)}
    for changes, told in (
        (files, "learns from gold rationales, and no text of the train split has one"),
        ({"unirex__k": ()}, "there are no top-k percentages"),
        ({"unirex__k": (0,)}, "above 0 and at most 100"),
        ({"unirex__sufficiency": "l1"}, "sufficiency criterion is 'l1'"),
        ({"unirex__weight_plausibility": -1.0}, "must be a number of at least 0"),
        ({"method": "slm_fp"}, r"set config\.encoder\.shared=True"),
        ({"method": "aa_ig", "unirex__steps": 0}, "must be at least 1"),
    ):
        with pytest.raises(UserError, match=told):
            train(tiny.config(**({"method": "dlm_fp"} | changes)), str(tmp_path / "run"))
        assert not (tmp_path / "run").exists()
