"""The page as a file: nothing from data can become part of it, and it needs nothing else."""

import base64
import hashlib
import html.parser
import json
import re

from n2r_jax.charts import Panel, Series, as_svg, draw
from n2r_jax.report.page import Picture, json_for_script, render
from tests.report import made


class Elements(html.parser.HTMLParser):
    """Elements with their attributes, and the text of each script and style."""

    def __init__(self, page):
        super().__init__()
        self.started, self.inside = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.started.append((tag, dict(attrs)))
        self.inside += [""] if tag in ("script", "style") else []

    def handle_data(self, data):
        if self.cdata_elem:
            self.inside[-1] += data


def page():
    hostile = [made.HOSTILE, "a\u2028b", "<!--<script>", "&lt;", made.ATTRIBUTE]
    examples = [made.example(made.HOSTILE, hostile, runs=[made.of_run(mask=[0, 2])])]
    svg = as_svg(draw([Panel("a", "x", "y", [Series("s", [1, 2], [1, 2])])]))
    picture = Picture(svg, f"a curve {made.ATTRIBUTE}")
    return render(made.content(examples, labels=(made.HOSTILE, "b"), pictures=[picture])), examples


def test_texts_names_and_captions_stay_text():
    written, examples = page()
    elements = Elements(written)
    assert [tag for tag, _ in elements.started].count("script") == 2
    assert all(not name.startswith("on") for _, own in elements.started for name in own)
    assert "<script>document" not in written and "</script><script>document" not in written
    _, data, _ = elements.inside
    assert json.loads(data)["examples"] == examples
    assert not re.search("[<>&\u2028\u2029]", data)
    (image,) = (own for tag, own in elements.started if tag == "img")
    assert image["alt"] == f"a curve {made.ATTRIBUTE}"


def test_the_policy_names_the_own_script_and_style_and_nothing_else():
    elements = Elements(page()[0])
    (policy,) = (own["content"] for tag, own in elements.started if "http-equiv" in own)
    style, _, script = elements.inside
    for kind, text in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_nothing_is_fetched():
    for tag, own in Elements(page()[0]).started:
        assert tag not in ("link", "iframe", "object", "base")
        for name in ("src", "href", "action", "srcset"):
            assert own.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))


def test_json_for_a_script_is_the_value():
    value = {"a<b>&": ["</script>", "\u2028", "é", 1.5, None, True]}
    assert json.loads(json_for_script(value)) == value


def test_five_thousand_long_texts_stay_under_ten_megabytes():
    assert len(render(made.content(made.many(5000, 256))).encode()) < 10e6
