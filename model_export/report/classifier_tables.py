"""What classifiers are worth for each class and in what light, and what they take for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_export.evaluation import LIGHTING, ClassifierQuality, ClassQuality, LightingQuality
from model_export.recipes.outcome import RecipeOutcome
from model_export.report import words
from model_export.report.steps import Cell
from model_export.report.tables import (
    MOST_CLASSES,
    WHOLE,
    Block,
    Judged,
    Line,
    Pair,
    Table,
    areas,
    least_found,
    of_classifiers,
    rate_cell,
)

_MOST_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Confused:
    """How many pictures of a class a model took for another (or for the class itself).

    Attributes:
        count: how many.
        percent: of the pictures of the class, 0..100.
        right: whether it is the class itself.
    """

    count: int
    percent: float
    right: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """A model's confusion matrix."""

    model: Judged
    said: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Confused, ...]], ...]


def classifier_tables(pairs: Sequence[Pair]) -> tuple[Table, ...]:
    """All of them."""
    return _by_class(pairs), _by_lighting(pairs)


def confusions(outcome: RecipeOutcome) -> Iterator[Confusion]:
    """Of classifiers with few classes, what was taken for what."""
    for model, quality in of_classifiers(outcome):
        if len(quality.classes) <= MOST_CLASSES:
            yield _confusion(model, quality)


def _by_class(pairs: Sequence[Pair]) -> Table:
    """Each class against all others."""
    quality = pairs[-1][1]
    shown = least_found([item.recall.value for item in quality.classes])
    blocks = tuple(
        Block(
            quality.classes[number].label,
            f"{words.count(quality.classes[number].recall.of)} pictures",
            tuple(Line(model, _class(found.classes[number])) for model, found in pairs),
        )
        for number in shown
    )
    columns = "found (recall)", "precision", "false alarms", "ROC area", "average precision"
    left_out = len(quality.classes) - len(shown)
    more = f" {left_out} classes that the result finds more of are left out." if left_out else ""
    note = f"At a threshold of {quality.threshold:g}; bars from {WHOLE}.{more}"
    return Table("By class", "class", columns, blocks, note)


def _class(found: ClassQuality) -> tuple[Cell, ...]:
    rates = (found.recall, found.precision, found.false_alarms)
    return *(rate_cell(rate) for rate in rates), *areas(found.curve)


def _by_lighting(pairs: Sequence[Pair]) -> Table:
    """Each bucket of brightness that has pictures."""
    quality = pairs[-1][1]
    labels = [item.label for item in quality.classes]
    # More would be a table that nobody reads.
    shown = labels if len(labels) <= _MOST_COLUMNS else []
    blocks = tuple(
        Block(
            bucket.bucket,
            f"{words.count(bucket.accuracy.of)} pictures",
            tuple(
                Line(model, _lighting(same, shown))
                for model, found in pairs
                for same in found.lighting
                if same.bucket == bucket.bucket
            ),
        )
        for bucket in quality.lighting
    )
    names = list(LIGHTING)
    borders = ", ".join(f"{name} from {LIGHTING[name]:g}" for name in names[1:])
    note = f"By mean brightness of 0 to 255: {names[0]}, {borders}. Bars from {WHOLE}."
    columns = ("accuracy", *(f"found of {label}" for label in shown))
    return Table("By light", "light", columns, blocks, note)


def _lighting(found: LightingQuality, labels: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(rate_cell(rate) for rate in (found.accuracy, *(found.recall[i] for i in labels)))


def _confusion(model: Judged, quality: ClassifierQuality) -> Confusion:
    labels = tuple(item.label for item in quality.classes)
    rows = tuple(
        (
            label,
            tuple(
                Confused(count, 100 * count / max(1, sum(counts)), row == column)
                for column, count in enumerate(counts)
            ),
        )
        for row, (label, counts) in enumerate(zip(labels, quality.confusion, strict=True))
    )
    return Confusion(model, labels, rows)
