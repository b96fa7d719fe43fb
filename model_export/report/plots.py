"""The report's plots: what a step costs against what it gains, curves, and training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.curves import Curve
from model_export.report import words
from model_export.report.placing import Area, place
from model_export.report.svg import FONT, Ink, drawing, figure, inline
from model_export.training.loop import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 420.0

_LABEL = 26
_MARKER = 7.0
_LOGARITHMIC = 8.0
"""From this ratio of the greatest to the least value on, an axis is logarithmic."""


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


@dataclass(frozen=True, slots=True)
class Line:
    """A model's curve in a plot.

    Attributes:
        title: what it is called there: ``baseline``, ``result``.
        curve: the curve.
        at: of its threshold: recall, false alarms and precision; None for what nobody knows.
        ink: its colour.
        dashed: how it is told from the others without colours.
    """

    title: str
    curve: Curve
    at: tuple[float | None, float | None, float | None]
    ink: Ink
    dashed: bool

    @property
    def dashes(self) -> tuple[float, ...]:
        """On and off, in widths of the line; none: it is solid."""
        return (4, 2) if self.dashed else ()


def trade_off(marks: Sequence[Mark], cost: str, gain: str, name: str, title: str) -> str:
    """What the steps gain over what they cost, an arrow from each to what was made from it."""
    with drawing():
        drawn = figure(WIDTH, 300)
        axes = drawn.subplots()
        axes.set_xlabel(cost)
        axes.set_ylabel(gain)
        _scale(axes, [mark.cost for mark in marks])
        for mark in marks:
            _mark(axes, mark)
        axes.margins(x=0.12, y=0.12)
        for mark in marks:
            if mark.source is not None:
                _arrow(axes, marks[mark.source], mark)
        drawn.draw_without_rendering()
        _label(axes, marks)
        return inline(drawn, name, title)


def _scale(axes: Axes, values: Sequence[float]) -> None:
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.amount(value)))
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))


def _mark(axes: Axes, mark: Mark) -> None:
    if mark.low is not None and mark.high is not None:
        axes.vlines(mark.cost, mark.low, mark.high, colors=str(mark.ink), linewidth=1.2)
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
            "linewidth": 0.9,
            "shrinkA": 6,
            "shrinkB": 6,
            "connectionstyle": "arc3,rad=0.12",
        },
    )


def _label(axes: Axes, marks: Sequence[Mark]) -> None:
    """Write the names where they hide neither marks nor intervals nor each other."""
    texts = [words.shortened(mark.name, _LABEL) for mark in marks]
    spots = [_spot(axes, mark.cost, mark.gain) for mark in marks]
    # A figure is 72 dots an inch: a dot is a unit.
    around = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in spots]
    bars = [
        (x - 2, _spot(axes, mark.cost, mark.low)[1], x + 2, _spot(axes, mark.cost, mark.high)[1])
        for mark, (x, _) in zip(marks, spots, strict=True)
        if mark.low is not None and mark.high is not None
    ]
    box = axes.get_window_extent()
    placed = place(
        spots,
        [_measured(text) for text in texts],
        [*around, *bars],
        (box.x0, box.y0, box.x1, box.y1),
        _MARKER,
    )
    for mark, text, spot, area in zip(marks, texts, spots, placed, strict=True):
        _write(axes, mark, text, spot, area)


def _spot(axes: Axes, x: float, y: float) -> tuple[float, float]:
    place_x, place_y = axes.transData.transform((x, y))
    return float(place_x), float(place_y)


def _measured(text: str) -> tuple[float, float]:
    """Width and height in units, in a font that is wider than most."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0, 0.0
    outline = TextPath((0, 0), text, size=FONT, prop=FontProperties(family="DejaVu Sans"))
    return float(outline.get_extents().width), FONT


def _write(axes: Axes, mark: Mark, text: str, spot: tuple[float, float], area: Area) -> None:
    x, y = area[0], (area[1] + area[3]) / 2
    axes.text(
        x,
        y,
        text,
        transform=None,
        color=str(Ink.TEXT if mark.ink is Ink.OTHER else mark.ink),
        fontweight="normal" if mark.ink is Ink.OTHER else "bold",
        verticalalignment="center_baseline",
    )
    near = float(np.clip(spot[0], area[0], area[2])), float(np.clip(spot[1], area[1], area[3]))
    if np.hypot(near[0] - spot[0], near[1] - spot[1]) > 2 * _MARKER:
        from matplotlib.lines import Line2D

        axes.add_artist(
            Line2D(
                (spot[0], near[0]), (spot[1], near[1]), transform=None,
                color=str(Ink.MUTED), linewidth=0.6,
            )
        )  # fmt: skip


def roc(lines: Sequence[Line], name: str, title: str) -> str:
    """Recall over false alarms."""
    with drawing():
        axes, drawn = _square("false alarms", "recall")
        axes.plot((0, 1), (0, 1), color=str(Ink.RULE), linewidth=1)
        for line in lines:
            points = [(point.false_alarms, point.recall) for point in line.curve.points]
            recall, false_alarms, _ = line.at
            label = f"{line.title}: area {line.curve.roc_auc:.3f}"
            _line(axes, line, points, (false_alarms, recall), label)
        axes.legend(loc="lower right")
        return inline(drawn, name, title)


def precision_recall(lines: Sequence[Line], name: str, title: str) -> str:
    """Precision over recall."""
    with drawing():
        axes, drawn = _square("recall", "precision")
        for line in lines:
            points = [(point.recall, point.precision) for point in line.curve.points]
            recall, _, precision = line.at
            label = f"{line.title}: average {line.curve.average_precision:.3f}"
            _line(axes, line, points, (recall, precision), label)
        axes.legend(loc="lower left")
        return inline(drawn, name, title)


def _square(x: str, y: str) -> tuple[Axes, Figure]:
    from matplotlib.ticker import PercentFormatter

    drawn = figure(320, 290)
    axes = drawn.subplots()
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    return axes, drawn


def _line(
    axes: Axes,
    line: Line,
    points: Sequence[tuple[float, float]],
    at: tuple[float | None, float | None],
    label: str,
) -> None:
    """A curve, and a mark where its threshold is."""
    ink = str(line.ink)
    axes.plot(*zip(*points, strict=True), color=ink, dashes=line.dashes, label=label)
    x, y = at
    if x is not None and y is not None:
        marker = "s" if line.dashed else "D"
        edge = str(Ink.GROUND)
        axes.plot(x, y, marker=marker, color=ink, markeredgecolor=edge, zorder=3)


def training(epochs: Sequence[Epoch], name: str, title: str) -> str:
    """Loss and what the validation pictures say of it, by epoch."""
    from_first = [epoch.number for epoch in epochs]
    with drawing():
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        drawn = figure(WIDTH, 290)
        losses, shares = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        marker = "o" if len(epochs) < 3 else ""
        losses.plot(
            from_first,
            [epoch.loss for epoch in epochs],
            color=str(Ink.BASELINE),
            linestyle=(0, (4, 2)),
            marker=marker,
            label="training",
        )
        losses.plot(
            from_first,
            [epoch.validation.loss for epoch in epochs],
            color=str(Ink.RESULT),
            marker=marker,
            label="validation",
        )
        losses.set_ylabel("loss")
        losses.legend(ncols=2, loc="upper right")
        accuracies = [epoch.validation.accuracy for epoch in epochs]
        shares.plot(from_first, accuracies, color=str(Ink.RESULT), marker=marker)
        shares.set(xlabel="epoch", ylabel="right")
        shares.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        shares.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
        return inline(drawn, name, title)
