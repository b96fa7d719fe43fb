"""What a model is worth at each threshold, as plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_export.curves import Band
from model_export.report.svg import Ink, drawing, figure, in_percent, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Line:
    """A model's curve in a plot.

    Attributes:
        label: what it is called there, and what it is worth.
        points: x and y of each.
        band: how sure it is; None: nobody knows.
        at: x and y of the threshold; None where there are none.
        baseline: whether it is the baseline's: dashed, and in its colour.
    """

    label: str
    points: Sequence[tuple[float, float]]
    band: Band | None
    at: tuple[float | None, float | None]
    baseline: bool


def roc(lines: Sequence[Line], name: str, title: str) -> str:
    """Recall over false alarms; the diagonal is what chance gives."""
    with drawing():
        axes, drawn = _square("false alarms", "recall")
        axes.plot((0, 1), (0, 1), color=str(Ink.RULE), linewidth=1)
        for line in lines:
            _draw(axes, line)
        axes.legend(loc="lower right")
        return inline(drawn, name, title)


def precision_recall(lines: Sequence[Line], name: str, title: str) -> str:
    """Precision over recall."""
    with drawing():
        axes, drawn = _square("recall", "precision")
        for line in lines:
            _draw(axes, line)
        axes.legend(loc="lower left")
        return inline(drawn, name, title)


def _square(x: str, y: str) -> tuple[Axes, Figure]:
    drawn = figure(240, 220)
    axes = drawn.subplots()
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks((0, 0.25, 0.5, 0.75, 1))
        in_percent(axis)
    return axes, drawn


def _draw(axes: Axes, line: Line) -> None:
    """A curve, how sure it is, and a mark where its threshold is."""
    ink = str(Ink.BASELINE if line.baseline else Ink.RESULT)
    if line.band:
        band = line.band
        axes.fill_between(band.at, band.low, band.high, color=ink, alpha=0.16, linewidth=0)
    dashes = (4, 2) if line.baseline else ()
    axes.plot(*zip(*line.points, strict=True), color=ink, dashes=dashes, label=line.label)
    x, y = line.at
    if x is not None and y is not None:
        marker = "s" if line.baseline else "D"
        edge = str(Ink.GROUND)
        axes.plot(x, y, marker=marker, color=ink, markeredgecolor=edge, zorder=3)
