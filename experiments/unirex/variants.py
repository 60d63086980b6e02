"""Which runs each experiment is made of: a method, and the settings that it is varied by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Variant:
    """A row of a table. `name` is the row's id in `published/`."""

    name: str
    method: str
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Config fields in which it differs from the data set's config."""


def rows(*methods: str) -> tuple[Variant, ...]:
    """Methods as they are."""
    return tuple(Variant(method, method) for method in methods)


MAIN = rows(
    *("aa_grad", "aa_inputxgrad", "aa_deeplift", "aa_ig", "l2e", "sgt", "fresh", "a2r", "aa_f"),
    *("sgt_p", "fresh_p", "a2r_p", "dlm_p", "aa_fp", "dlm_fp", "slm_fp"),
)
"""Tables 6 to 10, in their order: first those that learn from no human's marks."""

ABLATIONS = (
    *rows("aa_f_rand", "aa_f_gold", "aa_f_inv"),
    Variant("aa_f_ig", "aa_f"),
    Variant("aa_fp_sum", "aa_fp"),
    Variant("aa_fp_mlp", "aa_fp", {"unirex.attribution_pooling": "mlp-2048-2"}),
    *rows("dlm_fp", "slm_fp"),
    Variant("slm_fp_comp", "slm_fp", {"unirex.weight_sufficiency": "0.0"}),
    Variant("slm_fp_suff", "slm_fp", {"unirex.weight_comprehensiveness": "0.0"}),
    Variant("slm_fp_kl_div", "slm_fp", {"unirex.sufficiency": "kl"}),
    Variant("slm_fp_mae", "slm_fp", {"unirex.sufficiency": "mae"}),
    Variant("slm_fp_mlp_2048_2", "slm_fp", {"encoder.score_head": "mlp-2048-2"}),
    Variant("slm_fp_mlp_4096_3", "slm_fp", {"encoder.score_head": "mlp-4096-3"}),
)
"""Table 1. Rows that the paper prints under two names stand here once."""

GOLD_PERCENT = ("0.5", "1", "5", "10", "20", "100")
"""Figures 7 and 8: the share of train that has gold rationales."""

FEW_GOLD = (
    *rows("aa_ig", "aa_f"),
    *(
        Variant(f"{method}_gold_{percent}", method, {"unirex.gold_percent": percent})
        for method in ("aa_fp", "dlm_fp", "slm_fp")
        for percent in GOLD_PERCENT
    ),
)

TRANSFER = rows("aa_ig", "aa_f_rand", "aa_f", "dlm_p", "dlm_fp", "slm_fp")
"""Table 2."""

STEPS = (3, 5, 10, 30, 50, 70, 100, 500, 1000)
"""Table 4: steps of integrated gradients, on the runs of `aa_ig`."""
