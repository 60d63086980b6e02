"""Points where UNIREX's paper, its release and what is right differ: one switch each.

The spec's policy decides the defaults: what the release does where published numbers depend on it.
A run records all of them in `config.compat`, whether its method looks at them or not.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal

from n2r_jax.attribution.base import AAGrad
from n2r_jax.attribution.deep_lift import Rule
from n2r_jax.choices import one_of
from n2r_jax.metrics.faithfulness import Denominator
from n2r_jax.objectives.divergences import Divergence

Dropout = Literal["authors", "on", "off"]
"""authors: in the first batch of every epoch only, as in UNIREX's release, which forgets to go back
to training mode after it has measured a batch."""

Removal = Literal["compact", "mask"]
FaithfulTo = Literal["text", "top_k", "rationale"]
"""text: the prediction of the whole text. top_k, rationale: that of the top k % of its units, or of
the method's own rationale, besides which nothing was ever seen: so sufficiency is 0, and
comprehensiveness what the prediction loses when nothing is shown (UNIREX's A2R and FRESH)."""


@dataclasses.dataclass(frozen=True)
class Compat:
    """Raises UserError for a value that a switch does not have."""

    aa_grad: AAGrad = "first_order"
    """first_order (release): an attribution's gradient is a constant; second_order: it is not."""
    kl_per_class: bool = True
    """Sufficiency's KL is divided by the number of classes (release: yes, paper: no)."""
    deeplift: Rule = "pooler"
    """Functions under DeepLIFT's rule: the pooler's tanh (release), or each (full_rescale)."""

    dropout: Dropout = "authors"
    """Of UNIREX's methods."""
    a2r_divergence: Divergence = "reverse_jsd"
    """Of A2R's predictors (release), or Jensen and Shannon's: jsd."""
    a2r_mask_pads: bool = False
    """A2R's soft attention is over units alone, or over padding too (release)."""
    a2r_p2_ce: bool = False
    """A2R's second predictor learns the task too (Yu et al. 2021), or not (release)."""
    fresh_plaus: Literal["authors", "scores", "binary"] = "authors"
    """What ranks FRESH's units: the teacher's scores, or its rationale; authors: the rationale for
    FRESH, the scores for FRESH+P, as published."""
    spp_faithfulness: Literal["empty", "complement"] = "empty"
    """Faithfulness of methods that select, then predict: of the rationale against nothing
    (release), or as for all others, of the text against its parts."""
    gold_schedule: Literal["true_steps", "authors"] = "true_steps"
    """Of the learning rate with few gold rationales: it falls to 0 at the end, or in the middle,
    since the release counts too few steps."""
    faith_eval_input: Removal = "compact"
    """Faithfulness metrics take tokens out (release), or hide them as in training."""
    aopc_denominator: Denominator = "k_plus_1"
    """Of the value that a report calls `aopc`; it has both under names of their own."""

    def __post_init__(self):
        for name, kind in typing.get_type_hints(type(self)).items():
            choices: tuple[Any, ...] = (False, True)
            if typing.get_origin(kind) is Literal:
                choices = typing.get_args(kind)
            one_of(f"config.compat.{name}", getattr(self, name), choices)
