"""One call on few shapes says what the run says, with its own rationale and with any share."""

import numpy as np
import pytest

import n2r_jax
from n2r_jax.data.records import Record
from n2r_jax.data.reviews import Reviews
from n2r_jax.data.rows import Parts
from n2r_jax.errors import UserError
from n2r_jax.explain import Units
from n2r_jax.faithful import masked_predictor
from n2r_jax.serve.model import Asked, ServedRun
from n2r_jax.train import train
from tests import tiny
from tests.models import tiny_encoder
from tests.serve.served import served_run

TEXTS = [Units(Parts(r.tokens[: 5 + 9 * (i % 4)])) for i, r in enumerate(Reviews("test", size=9))]


@pytest.fixture(scope="module")
def run():
    return n2r_jax.load(tiny.trained_run())


def test_it_explains_as_the_run_does(run):
    found = served_run()([Asked(units) for units in TEXTS])
    for one, wanted in zip(found, run.explain_units(TEXTS), strict=True):
        assert one.explanation.label == wanted.label
        assert one.explanation.mask == wanted.mask
        assert one.explanation.scores == pytest.approx(wanted.scores, abs=1e-5)
        expected = pytest.approx(wanted.probabilities, abs=1e-5)
        assert one.explanation.probabilities == expected and one.faithfulness is None


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 1.0])
def test_a_share_is_of_the_best_scored(share):
    found = served_run()([Asked(units, share) for units in TEXTS])
    for one in found:
        explanation, seen = one.explanation, len(one.explanation.tokens) - one.unread
        chosen = [i for i, selected in enumerate(explanation.mask) if selected]
        assert len(chosen) == max(1, round(share * seen))
        left = [s for i, s in enumerate(explanation.scores[:seen]) if i not in chosen]
        assert min(explanation.scores[i] for i in chosen) >= max(left, default=0)


def test_faithfulness_is_what_the_predictor_says_of_each_part(run):
    found = served_run()([Asked(units, 0.3, True) for units in TEXTS])
    trained = run.trained
    texts = trained.encode([Record(str(i), u.parts.tokens, 0) for i, u in enumerate(TEXTS)])
    length = 32
    chosen = np.zeros((len(TEXTS), length), np.float32)
    for i, one in enumerate(found):
        mask = one.explanation.mask[:length]
        chosen[i, : len(mask)] = mask
    valid = (np.arange(length)[None] < texts.lengths[:, None]).astype(np.float32)
    predict = masked_predictor(trained)
    masks = {"whole": valid, "rationale": chosen, "rest": valid * (1 - chosen)}
    wanted = {name: predict(texts, mask) for name, mask in masks.items()}
    for i, one in enumerate(found):
        parts = one.faithfulness
        for name in masks:
            probabilities = list(getattr(parts, name).values())
            assert probabilities == pytest.approx(wanted[name][i], abs=1e-5)
        y = parts.label
        assert y == max(parts.whole, key=parts.whole.get)
        assert parts.comprehensiveness == pytest.approx(parts.whole[y] - parts.rest[y])
        assert parts.sufficiency == pytest.approx(parts.whole[y] - parts.rationale[y])
        assert one.explanation.probabilities == parts.rationale


def test_what_is_beyond_the_longest_is_told():
    (found,) = served_run()([Asked(Units(Parts(("fine",) * 40)))])
    assert found.unread == 8 and len(found.explanation.mask) == 40


def test_one_text_that_is_refused_takes_no_other_with_it(monkeypatch):
    trained = served_run().trained
    config = trained.config.copy_and_resolve_references()
    with config.unlocked():
        config.data.too_long = "error"
    monkeypatch.setattr(trained, "config", config)
    short, long = Asked(Units(Parts(("fine",)))), Asked(Units(Parts(("fine",) * 33)))
    found = served_run()([short, long, short])
    assert [isinstance(one, UserError) for one in found] == [False, True, False]
    assert "33 tokens, the limit is 32" in str(found[1])


def test_a_pair_is_read_as_the_run_reads_it(run):
    pair = Units(Parts(("the", "staff", "was", "rude", "rude", "staff"), second=4))
    (found,) = served_run()([Asked(pair, 0.5)])
    (wanted,) = run.explain_units([pair])
    assert found.explanation.second == 4 and sum(found.explanation.mask) == 3
    assert found.explanation.scores == pytest.approx(wanted.scores, abs=1e-5)


@pytest.mark.slow
def test_an_attributed_transformer_is_served_as_it_predicts_from_the_whole_text(tmp_path):
    fields = {
        "method": "aa_grad",
        "model__name": "transformer",
        "encoder__pretrained": str(tiny_encoder.write_directory(tmp_path / "tiny-bert")),
        "data__max_length": 64,
        "data__sizes": (8, 8, 8),
        "batching__buckets": (64,),
        "training__epochs": 1,
    }
    train(tiny.config(**fields), str(tmp_path / "run"))
    explainer = n2r_jax.load(tmp_path / "run")
    found = ServedRun(explainer.trained)([Asked(units, None, True) for units in TEXTS])
    for one, wanted in zip(found, explainer.explain_units(TEXTS), strict=True):
        assert one.explanation.mask == wanted.mask and any(wanted.mask)
        assert one.explanation.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
        assert one.explanation.probabilities == one.faithfulness.whole
        assert one.explanation.label == one.faithfulness.label
