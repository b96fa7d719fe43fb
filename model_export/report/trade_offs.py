"""What a step's model costs against what it is worth, as a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.report import words
from model_export.report.placing import Area, place
from model_export.report.svg import FONT, Ink, drawing, figure, in_percent, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABEL = 26
_MARKER = 7.0
_LOGARITHMIC = 8.0
"""From this ratio of the greatest to the least value on, an axis is logarithmic."""
_BEND = 0.12
"""How far an arrow's middle is beside the straight line, as a share of its length, twice."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A step in a plot.

    Attributes:
        name: the step's.
        cost: what it costs: milliseconds, bytes.
        gain: how good it is, 0..1.
        low, high: between which values that is; None: nobody knows.
        source: the index of the mark that it was made from; None: none of them.
        ink: its colour.
    """

    name: str
    cost: float
    gain: float
    low: float | None
    high: float | None
    source: int | None
    ink: Ink

    @property
    def weight(self) -> str:
        """Of its label."""
        return "normal" if self.ink is Ink.OTHER else "bold"


def trade_off(marks: Sequence[Mark], cost: str, gain: str, name: str, title: str) -> str:
    """What the steps gain over what they cost, an arrow from each to what was made from it."""
    with drawing():
        drawn = figure(360, 265)
        axes = drawn.subplots()
        axes.set(xlabel=cost, ylabel=gain)
        in_percent(axes.yaxis)
        _scale(axes, [mark.cost for mark in marks])
        for mark in marks:
            _mark(axes, mark)
        axes.margins(x=0.12, y=0.12)
        arrows = [(marks[mark.source], mark) for mark in marks if mark.source is not None]
        for start, end in arrows:
            _arrow(axes, start, end)
        # Only then it is known where what stands.
        drawn.draw_without_rendering()
        _label(axes, marks, arrows)
        return inline(drawn, name, title)


def _scale(axes: Axes, values: Sequence[float]) -> None:
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.amount(value)))


def _mark(axes: Axes, mark: Mark) -> None:
    if mark.low is not None and mark.high is not None:
        # Of many steps, the bars would be all that is seen.
        faint = 0.4 if mark.ink is Ink.OTHER else 0.9
        axes.vlines(mark.cost, mark.low, mark.high, colors=str(mark.ink), alpha=faint)
    axes.plot(
        mark.cost,
        mark.gain,
        # Of the three, each has a shape of its own as well.
        marker={Ink.BASELINE: "s", Ink.RESULT: "D"}.get(mark.ink, "o"),
        markersize=_MARKER if mark.ink is not Ink.OTHER else _MARKER - 1.5,
        color=str(mark.ink),
        markeredgecolor=str(Ink.GROUND),
        zorder=3,
    )


def _arrow(axes: Axes, start: Mark, end: Mark) -> None:
    axes.annotate(
        "",
        (end.cost, end.gain),
        (start.cost, start.gain),
        arrowprops={
            "arrowstyle": "->",
            "color": str(Ink.MUTED),
            "alpha": 0.7,
            "linewidth": 0.9,
            "shrinkA": 6,
            "shrinkB": 6,
            "connectionstyle": f"arc3,rad={_BEND}",
        },
    )


def _label(axes: Axes, marks: Sequence[Mark], arrows: Sequence[tuple[Mark, Mark]]) -> None:
    """Write the names where they hide neither marks, intervals and arrows nor each other."""
    texts = [words.shortened(mark.name, _LABEL) for mark in marks]
    spots = [_spot(axes, mark.cost, mark.gain) for mark in marks]
    # A figure is 72 dots an inch: a dot is a unit.
    around = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in spots]
    bars = [
        (x - 2, _spot(axes, mark.cost, mark.low)[1], x + 2, _spot(axes, mark.cost, mark.high)[1])
        for mark, (x, _) in zip(marks, spots, strict=True)
        if mark.low is not None and mark.high is not None
    ]
    bent = [area for start, end in arrows for area in _along(axes, start, end)]
    sizes = [_measured(text, mark.weight) for text, mark in zip(texts, marks, strict=True)]
    box = axes.get_window_extent()
    bounds = box.x0, box.y0, box.x1, box.y1
    placed = place(spots, sizes, [*around, *bars, *bent], bounds, _MARKER)
    for mark, text, spot, area in zip(marks, texts, spots, placed, strict=True):
        _write(axes, mark, text, spot, area)


def _spot(axes: Axes, x: float, y: float) -> tuple[float, float]:
    place_x, place_y = axes.transData.transform((x, y))
    return float(place_x), float(place_y)


def _along(axes: Axes, start: Mark, end: Mark, steps: int = 24) -> Iterator[Area]:
    """Small areas along an arrow, as matplotlib bends it: a parabola."""
    first = np.array(_spot(axes, start.cost, start.gain))
    last = np.array(_spot(axes, end.cost, end.gain))
    x, y = last - first
    middle = (first + last) / 2 + _BEND * np.array((y, -x))
    for at in np.linspace(0, 1, steps):
        x, y = (1 - at) ** 2 * first + 2 * at * (1 - at) * middle + at**2 * last
        yield float(x) - 2, float(y) - 2, float(x) + 2, float(y) + 2


def _measured(text: str, weight: str) -> tuple[float, float]:
    """Width and height in units, in a font that is wider than most."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0, 0.0
    outline = TextPath(
        (0, 0), text, size=FONT, prop=FontProperties(family="DejaVu Sans", weight=weight)
    )
    return float(outline.get_extents().width), FONT


def _write(axes: Axes, mark: Mark, text: str, spot: tuple[float, float], area: Area) -> None:
    """A label, and a line to its mark where it is far from it."""
    # It has its place; a layout would look for another one.
    axes.text(
        area[0],
        (area[1] + area[3]) / 2,
        text,
        transform=None,
        color=str(Ink.TEXT if mark.ink is Ink.OTHER else mark.ink),
        fontweight=mark.weight,
        verticalalignment="center_baseline",
    ).set_in_layout(False)
    x, y = (float(np.clip(spot[axis], area[axis], area[axis + 2])) for axis in (0, 1))
    if np.hypot(x - spot[0], y - spot[1]) > 2 * _MARKER:
        from matplotlib.lines import Line2D

        ink = str(Ink.MUTED)
        leader = Line2D((spot[0], x), (spot[1], y), transform=None, color=ink, linewidth=0.6)
        leader.set_in_layout(False)
        axes.add_artist(leader)
