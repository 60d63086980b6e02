"""Predicted rows without a model, with all that makes a format stumble."""

from n2r_jax.export.predicted import Faithfulness, Predicted
from n2r_jax.export.rows import InputRow
from n2r_jax.export.target import Target

ODD = ("a b", "x\ty", "\u2028", "naïve", "#", "# id=3", "😀", '"', "-DOCSTART-", "\r\n", "<b>", "a")
LABELS = ("neg", "so & so")


def target(path, **fields):
    return Target(path, LABELS, "odd task", "n2r best, step 3", **fields)


def distribution(p):
    return {"neg": 1 - p, "so & so": p}


def predicted(
    name="r1",
    tokens=ODD,
    mask=None,
    *,
    label="so & so",
    truth="neg",
    gold=(),
    faithful=(),
    **fields,
):
    """A row. gold: flags, or None where no human marked it. faithful: p of whole, without, only."""
    mask = tuple(mask) if mask is not None else tuple(i % 3 % 2 for i in range(len(tokens)))
    rationale = None if gold is None else tuple(gold) or (1, *[0] * (len(tokens) - 1))
    given = InputRow(name, tuple(tokens), truth, rationale, **fields)
    scores = tuple(0.9 if selected else 0.125 for selected in mask)
    asked = Faithfulness(*map(distribution, faithful), at={}) if faithful else None
    p = distribution(0.75 if label == "so & so" else 0.25)
    return Predicted(given, label, p, mask, scores, asked)
