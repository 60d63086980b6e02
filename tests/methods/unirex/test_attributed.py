"""Methods whose rationale comes by attribution: on a GRU and on a transformer alike."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.compat import Compat
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.methods.unirex.attributed import attribution_scores
from n2r_jax.objectives.unirex import UnirexObjective
from n2r_jax.training.state import create_state
from n2r_jax.training.step import make_train_step
from tests.methods.unirex.test_extractors import OBJECTIVE, batch, gradients, model, moves
from tests.models.test_transformer_text import batch_of as pieces_batch
from tests.models.test_transformer_text import text_model

__all__ = ["batch", "model"]
POST_HOC = ["aa_grad", "aa_inputxgrad", "aa_deeplift", "aa_ig"]
UNIREX = UnirexObjective(k=(50,))


def annotated(batch):
    return batch._replace(rationale=(batch.tokens % 2) * (batch.valid > 0), annotated=batch.weight)


def build(name, model, compat=None, **changes):
    unirex = UnirexObjective(k=(50,), **changes)
    return METHODS[name](model, Settings(OBJECTIVE, unirex=unirex, compat=compat or Compat()))


@pytest.mark.parametrize("name", POST_HOC)
def test_a_classifier_is_explained_after_it_was_trained(name):
    method, batch = build(name, text_model()), pieces_batch()
    params = method.model.init(jax.random.key(0), batch)
    assert method.trained == ("predictor",)
    found = jax.jit(lambda b: rationalize(method, params, b))(batch)
    whole = method.model.predict(params, batch, batch.valid, None)
    np.testing.assert_allclose(found.logits, whole.logits, atol=1e-5)
    assert found.mask.sum(1)[:3].all() and not found.mask[batch.valid == 0].any()


def test_on_a_gru_gradients_rank_words_as_differences_do(model, batch):
    params = model.init(jax.random.key(0), batch)
    score = attribution_scores(model, "input_x_gradient", Settings(OBJECTIVE, unirex=UNIREX))
    chosen = jnp.zeros(len(batch.length), jnp.int32)
    scores = jax.jit(lambda b: score(params, b, chosen))(batch)

    def logit(scale):
        return model.predict(params, batch, batch.valid * scale, None).logits[:, 0].sum()

    slopes = jax.grad(logit)(jnp.ones(batch.tokens.shape))  # of a word's vector by its length
    np.testing.assert_allclose(scores, slopes * batch.valid, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("aa_f", {"comprehensiveness", "sufficiency"}),
        ("aa_fp", {"comprehensiveness", "sufficiency", "plausibility"}),
        ("sgt", {"sufficiency"}),
        ("sgt_p", {"sufficiency", "plausibility"}),
    ],
)
def test_rationales_made_in_training_enter_the_loss(model, batch, name, terms):
    method = build(name, model)
    found, metrics = gradients(method, batch)
    assert {n.removeprefix("loss/") for n in metrics if n.startswith("loss/")} - {"joint"} == terms
    assert set(found) == {"predictor"} and moves(found["predictor"])


def test_to_first_order_plausibility_reaches_the_word_vectors_alone():
    batch, zero = annotated(pieces_batch()), {"weight_comprehensiveness": 0.0}
    zero["weight_sufficiency"] = 0.0
    with_it, _ = gradients(build("aa_fp", text_model(), weight_plausibility=1.0, **zero), batch)
    without, _ = gradients(build("aa_fp", text_model(), weight_plausibility=0.0, **zero), batch)
    change = jax.tree.map(lambda a, b: a - b, with_it, without)["predictor"]
    words = change["encoder"]["embeddings"].pop("word")
    assert moves(words)
    assert all(np.allclose(leaf, 0, atol=1e-6) for leaf in jax.tree.leaves(change))


@pytest.mark.slow
def test_to_second_order_it_reaches_the_layers():
    batch, zero = annotated(pieces_batch()), {"weight_comprehensiveness": 0.0}
    zero["weight_sufficiency"] = 0.0
    second = {"compat": Compat(aa_grad="second_order"), "steps": 1} | zero
    with_it, _ = gradients(build("aa_fp", text_model(), weight_plausibility=1.0, **second), batch)
    without, _ = gradients(build("aa_fp", text_model(), weight_plausibility=0.0, **zero), batch)
    layer = [g["predictor"]["encoder"]["layer_0"] for g in (with_it, without)]
    change = jax.tree.map(lambda a, b: np.abs(a - b).max(), *layer)
    assert max(jax.tree.leaves(change)) > 1e-5


def test_a_predictor_learns_while_it_is_asked_for_its_reasons(model, batch):
    method = build("aa_f", model)
    optimizers = {group: optax.adam(3e-2) for group in method.trained}
    state = create_state(method, optimizers, 0, batch)
    step = jax.jit(make_train_step(method, optimizers, lambda sums: sums))
    found = []
    for _ in range(40):
        state, metrics = step(state, batch)
        found.append(float(metrics["cross_entropy"][0] / metrics["cross_entropy"][1]))
    assert found[-1] < 0.5 * found[0]
