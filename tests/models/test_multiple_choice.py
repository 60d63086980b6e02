"""Questions as rows: one softmax a question, one rationale and one attributed logit a row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution.of_model import unit_attributions
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.inputs import WordInputs
from n2r_jax.models.gru_text import GRUText
from n2r_jax.models.multiple_choice import multiple_choice
from n2r_jax.objectives.rationale import task_sums

WORDS = ("q:", "a:", "red", "blue", "which", "one")
TABLE = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
QUESTIONS = [
    Record("0", ("which", "one"), 2, choices=(("red",), ("blue",), ("red", "blue"))),
    Record("1", ("which", "red", "one"), 0, choices=(("red",), ("blue",), ("one",))),
]


@pytest.fixture(scope="module")
def found():
    """(model, params, batch of six rows)."""
    texts = WordInputs(Vocabulary(WORDS), TABLE).encode(
        QUESTIONS, max_length=8, too_long="error", name="x"
    )
    batch = jax.tree.map(jnp.asarray, texts.batch(range(6), 6, 8))
    rows = GRUText(jnp.asarray(TABLE), units=3, classes=1, dropout_rate=0.0).model()
    params = rows.init(jax.random.key(0), batch)
    return rows, multiple_choice(rows, 3), params, batch


def test_every_row_has_its_questions_logits(found):
    rows, model, params, batch = found
    own = rows.predict(params, batch, batch.valid, None).logits[:, 0]
    logits = model.predict(params, batch, batch.valid, None).logits
    np.testing.assert_array_equal(logits[:3], np.broadcast_to(own[:3], (3, 3)))
    np.testing.assert_array_equal(logits[3:], np.broadcast_to(own[3:], (3, 3)))


def test_the_loss_of_the_rows_is_that_of_the_questions(found):
    rows, model, params, batch = found

    def of_rows(params):
        logits = model.predict(params, batch, batch.valid, None).logits
        sums = task_sums(logits, batch.label, batch.weight)
        return sums["cross_entropy"] / sums["inputs"]

    def of_questions(params):
        logits = rows.predict(params, batch, batch.valid, None).logits.reshape(2, 3)
        return -jax.nn.log_softmax(logits)[jnp.arange(2), jnp.array([2, 0])].mean()

    one, other = (jax.value_and_grad(f)(params) for f in (of_rows, of_questions))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-6)
    for a, b in zip(jax.tree.leaves(one[1]), jax.tree.leaves(other[1]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_rows_attributions_are_of_its_own_logit_whatever_is_chosen(found):
    rows, model, params, batch = found
    given = (params, batch, batch.valid)
    wanted = unit_attributions("input_x_gradient", rows, *given, jnp.zeros(6, int))
    for chosen in (batch.label, jnp.ones(6, int)):
        values = unit_attributions("input_x_gradient", model, *given, chosen)
        np.testing.assert_allclose(values, wanted, atol=1e-6)
    assert (np.abs(wanted).sum(1) > 0).all()
