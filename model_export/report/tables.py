"""What the baseline and the result are worth, side by side: tables of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_export.bootstrap import Interval, Rate
from model_export.curves import Curve
from model_export.detection_evaluation import DetectorQuality
from model_export.evaluation import ClassifierQuality
from model_export.recipes.outcome import Quality, RecipeOutcome
from model_export.report import words
from model_export.report.scale import Scale
from model_export.report.steps import Cell

MOST_CLASSES = 20
"""More are in the JSON: of those the page has the ones that the result is worst at."""

WHOLE = Scale(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A model that the page has in detail.

    Attributes:
        role: ``baseline``, ``result`` or, where it is both, ``baseline and result``.
        step: the name of its step.
    """

    role: str
    step: str

    @property
    def is_baseline(self) -> bool:
        """Whether it is that and no more."""
        return self.role == "baseline"


@dataclass(frozen=True, slots=True)
class Line:
    """What one model is worth in one respect."""

    model: Judged
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One class, or a part of the pictures: a line for each model."""

    title: str
    detail: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Blocks under columns.

    Attributes:
        title: what it is about.
        first: what the blocks are.
        columns: of the cells.
        blocks: the rows.
        note: what is to be known of them.
    """

    title: str
    first: str
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    note: str


Pair = tuple[Judged, ClassifierQuality]
BoxedPair = tuple[Judged, DetectorQuality]


def judged(outcome: RecipeOutcome) -> tuple[tuple[Judged, Quality], ...]:
    """The models that the page has in detail: the baseline, then the result."""
    baseline, result = outcome.step(outcome.baseline), outcome.step(outcome.result)
    if baseline is result:
        return ((Judged("baseline and result", result.name), result.quality),)
    return (
        (Judged("baseline", baseline.name), baseline.quality),
        (Judged("result", result.name), result.quality),
    )


def of_classifiers(outcome: RecipeOutcome) -> tuple[Pair, ...]:
    """Those that are classifiers: all or none."""
    found = judged(outcome)
    return tuple((model, item) for model, item in found if isinstance(item, ClassifierQuality))


def of_detectors(outcome: RecipeOutcome) -> tuple[BoxedPair, ...]:
    """Those that are detectors: all or none."""
    found = judged(outcome)
    return tuple((model, item) for model, item in found if isinstance(item, DetectorQuality))


def least_found(recalls: Sequence[float | None], most: int = MOST_CLASSES) -> tuple[int, ...]:
    """The numbers of the classes that the page has, rising: all, or those with least recall."""
    known = [1.0 if recall is None else recall for recall in recalls]
    return tuple(sorted(sorted(range(len(known)), key=known.__getitem__)[:most]))


def rate_cell(rate: Rate, *, counted: bool = False) -> Cell:
    """A share with its interval, and where `counted`, of how many it is one."""
    if rate.value is None:
        return Cell(words.NONE)
    of = (f"of {words.count(rate.of)}",) if counted else ()
    return Cell(
        words.share(rate.value),
        (words.interval(rate.low, rate.high), *of),
        bar=WHOLE.bar(rate.low, rate.value, rate.high),
    )


def areas(curve: Curve | None) -> tuple[Cell, Cell]:
    """The two areas under a curve."""
    if curve is None:
        return Cell(words.NONE), Cell(words.NONE)
    sure = curve.intervals
    return (
        _area(curve.roc_auc, sure.roc_auc if sure else None),
        _area(curve.average_precision, sure.average_precision if sure else None),
    )


def _area(value: float, sure: Interval | None) -> Cell:
    if sure is None:
        return Cell(f"{value:.3f}")
    ends = f"{sure.low:.3f} to {sure.high:.3f}"
    return Cell(f"{value:.3f}", (ends,), bar=WHOLE.bar(sure.low, value, sure.high))
