"""What a model is worth at each threshold, as plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_export.curves import Curve
from model_export.report.svg import Ink, drawing, figure, in_percent, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    drawn = figure(240, 220)
    axes = drawn.subplots()
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks((0, 0.25, 0.5, 0.75, 1))
        in_percent(axis)
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
