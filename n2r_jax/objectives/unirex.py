"""UNIREX's objective: weights and criteria of its terms, and the sizes of rationales."""

from __future__ import annotations

import dataclasses

from n2r_jax import masks
from n2r_jax.choices import at_least_0
from n2r_jax.errors import UserError
from n2r_jax.objectives.faithfulness import FaithfulnessObjective
from n2r_jax.objectives.plausibility import PlausibilityObjective

MARGINS = FaithfulnessObjective("margin", "margin", 1.0, 0.1, kl_per_class=True)
CROSS_ENTROPY = PlausibilityObjective("bce", 0.1)


@dataclasses.dataclass(frozen=True)
class UnirexObjective:
    """L = L_task + w_c L_comp + w_s L_suff + w_p L_plaus (UNIREX section 3.3); A2R + w_a L_a2r.

    Raises UserError for a weight below 0 and for percentages outside (0, 100].
    """

    k: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0, 50.0)
    """Rationales of the top k % of a text's units, for each of which faithfulness is trained."""
    weight_comprehensiveness: float = 0.5
    weight_sufficiency: float = 0.5
    weight_plausibility: float = 0.5
    faithfulness: FaithfulnessObjective = MARGINS
    plausibility: PlausibilityObjective = CROSS_ENTROPY
    weight_agreement: float = 0.5
    """Of A2R's two predictors, which takes faithfulness's place."""
    fresh_k: float = 10.0
    """FRESH's rationale is the top k % of its teacher's scores."""
    attribution_pooling: str = "sum"
    """Of attributions over their vectors' dimensions; or an MLP's, like 'mlp-2048-2'."""
    steps: int = 3
    """Of integrated gradients, by Gauss-Legendre quadrature."""
    passes_at_once: int = 0
    """Masked copies of a batch in one pass of the predictor, of 1 + 2 |K|; 0: all of them."""

    def __post_init__(self):
        masks.percentages(self.k)
        masks.percentages((self.fresh_k,))
        for name in ("comprehensiveness", "sufficiency", "plausibility", "agreement"):
            at_least_0(f"weight of {name}", getattr(self, f"weight_{name}"))
        at_least_0("passes at once", self.passes_at_once)
        if self.steps < 1:
            raise UserError(f"config.unirex.steps is {self.steps}; it must be at least 1")

    def only(self, terms: str) -> UnirexObjective:
        """The same with the weights of all other terms at 0.

        'f' faithfulness, 'p' plausibility, 'a' agreement of two predictors.
        """
        faithful, plausible = "f" in terms, "p" in terms
        return dataclasses.replace(
            self,
            weight_comprehensiveness=self.weight_comprehensiveness if faithful else 0.0,
            weight_sufficiency=self.weight_sufficiency if faithful else 0.0,
            weight_plausibility=self.weight_plausibility if plausible else 0.0,
            weight_agreement=self.weight_agreement if "a" in terms else 0.0,
        )
