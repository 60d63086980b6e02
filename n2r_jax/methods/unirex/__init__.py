"""UNIREX (Chan et al., ICML 2022): rationales that are faithful, plausible and accurate.

A row of the paper's tables is a line of this table, named as there: the kind of extractor, and the
terms it is trained on (F faithfulness, P plausibility).
"""

from n2r_jax.methods.unirex.a2r import a2r
from n2r_jax.methods.unirex.attributed import in_training, post_hoc
from n2r_jax.methods.unirex.extractors import extractor_method
from n2r_jax.methods.unirex.fresh import fresh, fresh_p
from n2r_jax.methods.unirex.heuristics import gold_scores, inverse_scores, random_scores
from n2r_jax.methods.unirex.l2e import l2e
from n2r_jax.objectives.unirex import UnirexObjective

UNIREX_METHODS = {
    "dlm_f": extractor_method("dlm_f", "f", shared=False),
    "dlm_p": extractor_method("dlm_p", "p", shared=False),
    "dlm_fp": extractor_method("dlm_fp", "fp", shared=False),
    "slm_p": extractor_method("slm_p", "p", shared=True),
    "slm_fp": extractor_method("slm_fp", "fp", shared=True),
    "aa_grad": post_hoc("aa_grad", "gradient"),
    "aa_inputxgrad": post_hoc("aa_inputxgrad", "input_x_gradient"),
    "aa_deeplift": post_hoc("aa_deeplift", "deep_lift"),
    "aa_ig": post_hoc("aa_ig", "integrated_gradients"),
    "aa_f": in_training("aa_f", "f"),
    "aa_f_rand": in_training("aa_f_rand", "f", scores=random_scores),
    "aa_f_gold": in_training("aa_f_gold", "f", scores=gold_scores, needs_gold=True),
    "aa_f_inv": in_training("aa_f_inv", "f", scores=inverse_scores, needs_gold=True),
    "aa_fp": in_training("aa_fp", "fp"),
    "sgt": in_training("sgt", "f", self_guided=True),
    "sgt_p": in_training("sgt_p", "fp", self_guided=True),
    "l2e": l2e,
    "fresh": fresh,
    "fresh_p": fresh_p,
    "a2r": a2r("a2r", "a"),
    "a2r_p": a2r("a2r_p", "ap"),
}

__all__ = ["UNIREX_METHODS", "UnirexObjective"]
