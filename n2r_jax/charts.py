"""Curves and points as pictures that print in greyscale: lines differ by dashes and marks too."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["line", "points", "spot"]
STYLES = (("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"), ((0, (5, 1, 1, 1)), "v"))
"""Dashes and mark of each line of a panel, in turn."""
MARKS_UP_TO = 30
"""Points of a line beyond which marks would cover it."""
SIZE = (3.6, 2.8)
"""Inches of one panel."""


class Series(NamedTuple):
    """Named numbers of a panel."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Kind = "line"
    """line; points: a cloud; spot: a few large marks."""
    like: int | None = None
    """Place of the panel's series whose colour and mark it shares; None: its own."""


class Panel(NamedTuple):
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]


def draw(panels: Sequence[Panel], across: int = 3) -> Figure:
    """Return a figure of panels, `across` in a row, each with a legend where it has two names."""
    from matplotlib.figure import Figure

    columns = min(across, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(SIZE[0] * columns, SIZE[1] * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        _fill(axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _fill(axes: Axes, panel: Panel) -> None:
    for place, series in enumerate(panel.series):
        _add(axes, series, place)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(alpha=0.3)
    if len([s for s in panel.series if s.name]) > 1:
        axes.legend(fontsize=7)


def _add(axes: Axes, series: Series, place: int) -> None:
    place = place if series.like is None else series.like
    dashes, mark = STYLES[place % len(STYLES)]
    label = _literal(series.name) or "_unnamed"  # matplotlib's legends leave such names out
    common = {"label": label, "color": f"C{place}"}
    if series.kind == "line":
        shown = mark if len(series.x) <= MARKS_UP_TO else None
        axes.plot(series.x, series.y, linestyle=dashes, marker=shown, markersize=4, **common)
    elif series.kind == "points":
        # As pixels: thousands of points would make a picture of many megabytes.
        axes.scatter(series.x, series.y, s=8, alpha=0.4, marker=mark, rasterized=True, **common)
    else:
        outline = {"edgecolors": "black", "linewidths": 1.2, "zorder": 3}
        axes.scatter(series.x, series.y, s=90, marker=mark, **outline, **common)


def _literal(name: str) -> str:
    """A name of the user's: none of it a formula, nor with the "_" that hides it from a legend."""
    return (" " if name[:1] == "_" else "") + name.replace("$", r"\$")


def as_svg(figure: Figure) -> bytes:
    """Return a figure as SVG whose letters stay letters; the same figure gives the same bytes."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "n2r_jax"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG of 150 dots an inch."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return out.getvalue()


def numbers(values: Iterable[float | None]) -> list[float]:
    """Return values to draw, where None (JSON's NaN) is a gap in the line."""
    return [float("nan") if value is None else float(value) for value in values]
