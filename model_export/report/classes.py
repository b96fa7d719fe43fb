"""What the baseline and the result are worth for each class, and in what light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_export.detection_evaluation import BoxQuality, DetectorQuality
from model_export.evaluation import LIGHTING, ClassifierQuality, ClassQuality, LightingQuality, Rate
from model_export.recipes.outcome import Quality, RecipeOutcome
from model_export.report import words
from model_export.report.scale import Scale
from model_export.report.steps import Cell

MOST_CLASSES = 20
"""More are in the JSON: of those the page has the ones that the result is worst at."""

_MOST_COLUMNS = 6
_WHOLE = Scale(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A model that the page has in detail.

    Attributes:
        role: ``baseline``, ``result`` or, where it is both, ``baseline and result``.
        step: the name of its step.
    """

    role: str
    step: str


@dataclass(frozen=True, slots=True)
class Line:
    """What one model is worth in one respect."""

    model: Judged
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One class, or one bucket of lighting: a line for each model."""

    title: str
    detail: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Blocks under columns.

    Attributes:
        first: what the blocks are.
        columns: of the cells.
        blocks: the rows.
        note: what is to be known of them.
    """

    first: str
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    note: str


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


def tables(outcome: RecipeOutcome) -> tuple[Table, ...]:
    """All tables of the models' kind."""
    pairs = of_classifiers(outcome)
    if pairs:
        return by_class(pairs), by_lighting(pairs)
    return (by_size(of_detectors(outcome)),)


def confusions(outcome: RecipeOutcome) -> Iterator[Confusion]:
    """Of classifiers with few classes, what was taken for what."""
    for model, quality in of_classifiers(outcome):
        if len(quality.classes) <= MOST_CLASSES:
            yield _confusion(model, quality)


def shown_classes(quality: ClassifierQuality, most: int = MOST_CLASSES) -> tuple[int, ...]:
    """The classes that the page has, in their order: all, or those that are found least."""
    numbers = range(len(quality.classes))
    if len(quality.classes) <= most:
        return tuple(numbers)

    def found(number: int) -> float:
        recall = quality.classes[number].recall.value
        return 1.0 if recall is None else recall

    return tuple(sorted(sorted(numbers, key=found)[:most]))


def by_class(pairs: Sequence[Pair]) -> Table:
    """Each class against all others."""
    quality = pairs[-1][1]
    shown = shown_classes(quality)
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
    note = f"At a threshold of {quality.threshold:g}; bars from {_WHOLE}.{more}"
    return Table("class", columns, blocks, note)


def _class(found: ClassQuality) -> tuple[Cell, ...]:
    rates = (found.recall, found.precision, found.false_alarms)
    areas = (
        (Cell(f"{found.curve.roc_auc:.4f}"), Cell(f"{found.curve.average_precision:.4f}"))
        if found.curve
        else (Cell(words.NONE), Cell(words.NONE))
    )
    return *(_rate(rate) for rate in rates), *areas


def _rate(rate: Rate) -> Cell:
    return Cell(
        words.share(rate.value),
        (words.interval(rate.low, rate.high),) if rate.value is not None else (),
        bar=_WHOLE.bar(rate.low, rate.value, rate.high),
    )


def by_lighting(pairs: Sequence[Pair]) -> Table:
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
    note = f"By mean brightness of 0 to 255: {names[0]}, {borders}. Bars from {_WHOLE}."
    columns = ("accuracy", *(f"found of {label}" for label in shown))
    return Table("light", columns, blocks, note)


def _lighting(found: LightingQuality, labels: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(_rate(rate) for rate in (found.accuracy, *(found.recall[i] for i in labels)))


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


def by_size(pairs: Sequence[BoxedPair]) -> Table:
    """A detector's average precision, of all classes and of each, by the size of boxes."""
    quality = pairs[-1][1]
    blocks = [
        Block(
            "all classes",
            f"{words.count(quality.boxes)} boxes",
            tuple(Line(model, _boxes(found.overall)) for model, found in pairs),
        )
    ]
    blocks += [
        Block(name, "", tuple(Line(model, _boxes(found.classes[name])) for model, found in pairs))
        for name in quality.classes
        if len(quality.classes) > 1
    ]
    columns = "AP", "AP50", "AP75", "small", "medium", "large", "recall"
    note = (
        f"Counted as COCO does, on {words.count(quality.pictures)} pictures. AP: mean over "
        "overlaps of 0.5 to 0.95. Small: below 32 x 32 pixels; medium: below 96 x 96; large: the "
        "others. Recall: with at most 100 boxes a picture."
    )
    return Table("class", columns, tuple(blocks), note)


def _boxes(found: BoxQuality) -> tuple[Cell, ...]:
    values = found.ap, found.ap50, found.ap75, found.ap_small, found.ap_medium, found.ap_large
    return tuple(Cell(words.share(value)) for value in (*values, found.recall))
