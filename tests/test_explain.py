"""An explanation tells which tokens the prediction was made from, and no others had a say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import n2r_jax
from n2r_jax.data.reviews import Reviews
from n2r_jax.errors import UserError
from n2r_jax.explain import runs
from tests import tiny

TEXT = "The staff were rude, but the  room — naïve décor — was lovely! I couldn't sleep."


@pytest.fixture(scope="module")
def run():
    return n2r_jax.load(tiny.trained_run())


@pytest.fixture
def selecting(run, monkeypatch):
    """The run with masks that are drawn: at arg-max the tiny model selects hardly anything."""
    real = run.trained.rationalize
    monkeypatch.setattr(run.trained, "rationalize", lambda t, **k: real(t, sample_seed=3, **k))
    return run


def test_a_text_is_cut_and_its_spans_point_into_it(selecting):
    (found,) = selecting.explain([TEXT])
    assert found.label == max(found.probabilities, key=found.probabilities.get)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert 0 < sum(found.mask) < len(found.tokens)
    for (start, end), (a, b) in zip(found.spans, found.char_spans, strict=True):
        assert TEXT[a:b].startswith(found.tokens[start])
        assert TEXT[a:b].endswith(found.tokens[end - 1])
        assert all(found.mask[start:end])
    assert sum(end - start for start, end in found.spans) == sum(found.mask)


def test_token_lists_stay_as_they_are(selecting):
    tokens = ["The staff", "", "were", "zzz-unknown", "rude"]
    (found,) = selecting.explain([tokens])
    assert found.tokens == tuple(tokens) and found.char_spans is None and found.text is None
    assert "text" not in found.to_dict() and len(found.mask) == 5


def test_order_is_kept_whatever_the_lengths_and_the_batch_size(run):
    """Short and long texts share no batch, and a text's explanation does not depend on others."""
    texts = [list(r.tokens[: 3 + 5 * (i % 4)]) for i, r in enumerate(Reviews("test", size=19))]
    together, small = run.explain(texts), run.explain(texts, batch_size=4)
    assert [list(found.tokens) for found in together] == texts
    for text, one, other in zip(texts, together, small, strict=True):
        assert one.mask == other.mask
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert list(run.explain([text])[0].scores) == pytest.approx(one.scores, abs=1e-5)


def test_tokens_beyond_the_longest_are_kept_and_never_selected(selecting):
    tokens = list(Reviews("test", size=1)[0].tokens) * 2
    (found,) = selecting.explain([tokens])
    assert len(found.tokens) == len(found.mask) == len(found.scores) == len(tokens) > 32
    assert not any(found.mask[32:]) and not any(found.scores[32:]) and any(found.mask[:32])


def test_too_long_is_an_error_where_the_run_says_so(run, monkeypatch):
    config = run.trained.config.copy_and_resolve_references()
    with config.unlocked():
        config.data.too_long = "error"
    monkeypatch.setattr(run.trained, "config", config)
    with pytest.raises(UserError, match="33 tokens, the limit is 32"):
        run.explain([["fine"] * 33])


def test_no_texts_no_explanations(run):
    assert run.explain([]) == []


UNEXPLAINABLE = [("fine", r"write \[text\]"), (["ok", " "], "text 1 has no"), ([[]], "text 0")]


@pytest.mark.parametrize(("texts", "message"), UNEXPLAINABLE)
def test_what_cannot_be_explained_is_told(run, texts, message):
    with pytest.raises(UserError, match=message):
        run.explain(texts)


def test_the_terminal_shows_the_selection_in_order(selecting):
    (found,) = selecting.explain([TEXT])
    shown = found.to_rich(gold=[1])
    assert shown.plain.split() == " ".join(found.tokens).split()
    yellow = (span for span in shown.spans if "on yellow" in str(span.style))
    marked = {place for span in yellow for place in range(span.start, span.end)}
    place = 0
    for token, selected in zip(found.tokens, found.mask, strict=True):
        assert (place in marked) == bool(selected)
        place += len(token) + 1
    assert "underline" in str(shown.spans[0].style)


@pytest.mark.parametrize(
    ("mask", "spans"),
    [((), []), ((0, 0), []), ((1, 1), [(0, 2)]), ((1, 0, 1, 1, 0), [(0, 1), (2, 4)])],
)
def test_runs_of_ones(mask, spans):
    assert list(runs(mask)) == spans


def test_certificate_no_unselected_token_has_a_say(selecting):
    """Every unselected token becomes another word: not one bit of the output moves."""
    trained, rng = selecting.trained, np.random.default_rng(0)
    records = list(Reviews("test", size=40))
    texts = trained.encode(records)
    mask = trained.rationalize(texts).mask.astype(np.float32)
    assert 0 < mask.sum() < mask.size
    batch = texts.batch(range(40), 40, mask.shape[1])
    others = rng.integers(1, len(trained.inputs.vocabulary), batch.tokens.shape).astype(np.int32)
    changed = batch._replace(tokens=np.where(mask > 0, batch.tokens, others))
    assert (changed.tokens != batch.tokens).mean() > 0.3
    params = jax.tree.map(jnp.asarray, jax.device_get(trained.params))
    predict = jax.jit(lambda batch: trained.method.model.predict(params, batch, mask, None))
    for before, after in zip(predict(batch), predict(changed), strict=True):
        np.testing.assert_array_equal(before, after)
    selected = batch._replace(tokens=np.where(mask > 0, others, batch.tokens))
    assert not np.array_equal(predict(batch).logits, predict(selected).logits)


def test_which_checkpoint_is_asked_for_is_checked():
    assert n2r_jax.load(tiny.trained_run(), "latest").trained.step == 10
    with pytest.raises(UserError, match="choose 'best' or 'latest'"):
        n2r_jax.load(tiny.trained_run(), "last")
