"""Rows of a run: of the whole text, chunk by chunk, and what the predictor says of parts of it."""

import numpy as np
import pytest

from n2r_jax.data.records import Record
from n2r_jax.data.reviews import Reviews
from n2r_jax.export.predicted import predicted_rows
from n2r_jax.export.rows import InputRow
from n2r_jax.faithful import masked_predictor
from n2r_jax.inference import TrainedRun
from tests import tiny

REVIEWS = list(Reviews("test", size=11))
ROWS = [InputRow(r.id, r.tokens[: 4 + 7 * (i % 3)]) for i, r in enumerate(REVIEWS)]
ROWS.append(InputRow("long", tuple(REVIEWS[0].tokens) * 3))


@pytest.fixture(scope="module")
def trained():
    """The tiny run, every second token that it sees selected: at arg-max it selects hardly any."""
    run = TrainedRun(tiny.trained_run())
    real, predict = run.rationalize, masked_predictor(run)

    def rationalize(texts):
        found = real(texts)
        seen = np.arange(found.mask.shape[1]) < texts.lengths[:, None]
        found.mask[:] = seen & (np.arange(found.mask.shape[1]) % 2 == 0)
        found.probabilities[:] = predict(texts, found.mask)
        return found

    run.rationalize = rationalize
    return run


def test_rows_are_of_the_whole_text_in_their_order(trained):
    found = list(predicted_rows(trained, iter(ROWS), chunk=5))
    assert [row.given for row in found] == ROWS
    for row in found:
        assert len(row.mask) == len(row.scores) == len(row.given.tokens)
        assert row.label == max(row.probabilities, key=row.probabilities.get)
        assert row.faithfulness is None and row.spans[0] == (0, 1)
    long = found[-1]
    assert len(long.mask) > 32 and sum(long.mask[:32]) == 16
    assert not any(long.mask[32:]) and not any(long.scores[32:]) and all(long.scores[:32])


def test_chunks_do_not_change_what_is_said(trained):
    one = list(predicted_rows(trained, ROWS, faithful=True, shares=(0.2,), chunk=100))
    many = list(predicted_rows(trained, ROWS, faithful=True, shares=(0.2,), chunk=3))
    for a, b in zip(one, many, strict=True):
        assert a.mask == b.mask and a.label == b.label
        assert a.scores == pytest.approx(b.scores, abs=2e-6)
        assert a.faithfulness.without == pytest.approx(b.faithfulness.without, abs=1e-6)
        for x, y in zip(a.faithfulness.at[0.2], b.faithfulness.at[0.2], strict=True):
            assert x == pytest.approx(y, abs=1e-6)


def test_the_predictor_is_asked_of_whole_complement_rationale_and_best_tokens(trained):
    """Against masks made by hand, text by text."""
    predict = masked_predictor(trained)
    for row in predicted_rows(trained, ROWS[-3:], faithful=True, shares=(0.05, 0.5)):
        texts = trained.encode([Record("", row.given.tokens, 0)])
        seen = min(len(row.given.tokens), 32)
        order = np.argsort(-np.array(row.scores[:seen]), kind="stable")

        def said(mask, texts=texts):
            p = predict(texts, np.asarray(mask, float)[None])[0]
            return pytest.approx(dict(zip(trained.labels, p, strict=True)), abs=1e-6)

        mask = np.array(row.mask[:seen])
        found = row.faithfulness
        assert found.whole == said(np.ones(seen))
        assert found.without == said(1 - mask) and found.only == said(mask)
        assert found.only == pytest.approx(row.probabilities, abs=1e-6)
        for share, (without, only) in found.at.items():
            best = np.zeros(seen)
            best[order[: max(1, round(share * seen))]] = 1
            assert without == said(1 - best) and only == said(best)
