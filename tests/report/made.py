"""Pages without a run: texts that are made up, some of them to break out of the page."""

import random

from n2r_jax.report.page import Content
from n2r_jax.tables import Table

LABELS = ("neg", "so & so")
HOSTILE = "</script><script>document.title='broken'</script>"
ATTRIBUTE = '"><img src=x onerror="document.title=\'broken\'">'


def example(index, tokens, *, label=0, gold=None, runs=()):
    text = {"id": f"t{index}", "tokens": tokens, "label": label, "runs": list(runs)}
    return text if gold is None else text | {"gold": gold}


def of_run(label=0, probability=0.9, mask=(), f1=None, **fields):
    found = {"label": label, "probability": probability, "mask": list(mask), **fields}
    return found if f1 is None else found | {"f1": f1}


def content(examples, runs=("one",), labels=LABELS, **fields):
    plain = {
        "title": f"a {HOSTILE} title",
        "origins": Table("Runs", ("", *runs), [["method", *(HOSTILE for _ in runs)]]),
        "notes": [],
        "scores": [],
        "confusions": [],
        "pictures": [],
        "curve_notes": [],
        "shown_note": "",
        "settings": [],
        "data": {"labels": labels, "runs": runs, "examples": examples},
    }
    return Content(**(plain | fields))


def many(texts, length, seed=0):
    """Texts of English-like length, each with gold and one run's mask of a tenth."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshr", k=rng.randint(1, 9))) for _ in range(5000)]
    made = []
    for index in range(texts):
        starts = sorted(rng.sample(range(length // 4), length // 40))
        mask = [place for start in starts for place in (4 * start, 4 * start + 3)]
        run = of_run(rng.randrange(2), 0.7, mask, f1=round(rng.random(), 3))
        tokens = " ".join(rng.choices(words, k=length))
        made.append(example(index, tokens, label=index % 2, gold=mask[:4], runs=[run]))
    return made
