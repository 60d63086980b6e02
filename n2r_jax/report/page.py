"""The page itself: one HTML file that fetches nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from n2r_jax.tables import Table

TEMPLATES = "n2r_jax.report"


class Picture(NamedTuple):
    """An SVG and what it shows, which also stands in for it where it cannot be seen."""

    svg: bytes
    caption: str

    @property
    def source(self) -> str:
        """As the address of an image: names inside one SVG never meet those of another."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


class Content(NamedTuple):
    """All that a page shows."""

    title: str
    origins: Table
    notes: list[str]
    scores: list[Table]
    confusions: list[Table]
    pictures: list[Picture]
    curve_notes: list[str]
    shown_note: str
    settings: list[Table]
    data: Mapping[str, Any]
    """labels, runs (names) and examples: what the script draws."""
    more: Sequence[Table] = ()
    """Scores that are opened by those who want them."""
    graphs: bool = False
    """Whether the examples are graphs and not texts."""


def render(content: Content) -> str:
    """Return the HTML. Whatever comes from data is escaped, also inside the script's data.

    The content security policy names the hashes of the page's own script and style, so that a
    browser would refuse any other, and every address but those of the pictures inside.
    """
    import jinja2
    from markupsafe import Markup

    loader = jinja2.PackageLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    script, style = _own("report.js"), _own("report.css")
    return environment.get_template("report.html").render(
        content._asdict()
        | {
            "units": "Graphs" if content.graphs else "Texts",
            "data": Markup(json_for_script(content.data)),
            "script": Markup(script),
            "style": Markup(style),
            "script_hash": _hash(script),
            "style_hash": _hash(style),
        }
    )


def json_for_script(value: Any) -> str:
    """Return JSON that may stand inside a script element: no text in it can end the element.

    Strings are the only place for < > & in JSON, and there they may be written as escapes.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _own(name: str) -> str:
    return importlib.resources.files(TEMPLATES).joinpath("templates", name).read_text("utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()
