"""What detectors are worth for each class, by the size of objects, and in which pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model_export.bootstrap import Interval
from model_export.detection_evaluation import BoxQuality
from model_export.object_quality import HEIGHTS, ObjectQuality, PartQuality
from model_export.report import words
from model_export.report.steps import Cell
from model_export.report.tables import (
    MOST_CLASSES,
    WHOLE,
    Block,
    BoxedPair,
    Line,
    Table,
    areas,
    least_found,
    rate_cell,
)

_MOST_IN_PARTS = 6
"""Classes that are told by light and origin, which are many lines."""


def detector_tables(pairs: Sequence[BoxedPair]) -> tuple[Table, ...]:
    """All that there is something to say in."""
    tables = (
        _precision(pairs),
        _at_threshold(pairs),
        _by_size(pairs),
        _by_part(pairs, "By light", "light", lambda found: found.lighting),
        _by_part(pairs, "By origin", "origin", lambda found: found.origins),
    )
    return tuple(table for table in tables if table.blocks)


# As COCO counts


def _precision(pairs: Sequence[BoxedPair]) -> Table:
    quality = pairs[-1][1]
    whole = tuple(Line(model, _boxes(found.overall)) for model, found in pairs)
    blocks = [Block("all classes", f"{words.count(quality.boxes)} boxes", whole)]
    names = list(quality.classes)
    if len(names) > 1:
        blocks += [
            Block(
                name, "", tuple(Line(model, _boxes(found.classes[name])) for model, found in pairs)
            )
            for name in names[:MOST_CLASSES]
        ]
    left_out = len(names) - MOST_CLASSES
    more = f" {left_out} more classes are in report.json." if left_out > 0 else ""
    note = (
        f"Counted as COCO does, on {words.count(quality.pictures)} pictures. AP: mean over "
        "overlaps of 0.5 to 0.95. Small: below 32 x 32 pixels; medium: below 96 x 96; large: the "
        f"others. Recall: with at most 100 boxes a picture.{more}"
    )
    columns = "AP", "AP50", "AP75", "small", "medium", "large", "recall"
    return Table("Average precision", "class", columns, tuple(blocks), note)


def _boxes(found: BoxQuality) -> tuple[Cell, ...]:
    others = found.ap75, found.ap_small, found.ap_medium, found.ap_large, found.recall
    return (
        _average(found.ap, found.ap_interval),
        _average(found.ap50, found.ap50_interval),
        *(Cell(words.share(value)) for value in others),
    )


def _average(value: float | None, sure: Interval | None) -> Cell:
    if sure is None:
        return Cell(words.share(value))
    ends = words.interval(sure.low, sure.high)
    return Cell(words.share(value), (ends,), bar=WHOLE.bar(sure.low, value, sure.high))


# At the threshold


def _at_threshold(pairs: Sequence[BoxedPair]) -> Table:
    def tell(found: ObjectQuality) -> tuple[Cell, ...]:
        there = found.presence
        rates = found.recall, found.precision, there.recall, there.false_alarms, there.accuracy
        return *(rate_cell(rate) for rate in rates), areas(there.curve)[0]

    columns = (
        "objects found",
        "boxes right",
        "pictures: seen",
        "pictures: false alarms",
        "pictures: right",
        "pictures: ROC area",
    )
    note = (
        "A box is right, and its object found, where they overlap by 0.5. Of pictures it counts "
        f"whether one is seen in them or not. Bars from {WHOLE}."
    )
    return Table("At the threshold", "class", columns, tuple(_of_objects(pairs, tell)), note)


def _by_size(pairs: Sequence[BoxedPair]) -> Table:
    def tell(found: ObjectQuality) -> tuple[Cell, ...]:
        return tuple(rate_cell(found.by_height[name], counted=True) for name in HEIGHTS)

    note = "Objects found at the threshold, by how much of the picture's height they take."
    blocks = tuple(_of_objects(pairs, tell))
    return Table("By size of objects", "class", tuple(HEIGHTS), blocks, note)


def _of_objects(
    pairs: Sequence[BoxedPair], tell: Callable[[ObjectQuality], tuple[Cell, ...]]
) -> Iterator[Block]:
    quality = pairs[-1][1]
    for number in least_found([item.recall.value for item in quality.objects]):
        shown = quality.objects[number]
        lines = tuple(Line(model, tell(found.objects[number])) for model, found in pairs)
        detail = f"{words.count(shown.recall.of)} objects; from {shown.threshold:.3g} on"
        yield Block(shown.label, detail, lines)


# In parts of the pictures


def _by_part(
    pairs: Sequence[BoxedPair],
    title: str,
    first: str,
    parts: Callable[[ObjectQuality], Sequence[PartQuality]],
) -> Table:
    quality = pairs[-1][1]
    blocks = []
    for number in least_found([item.recall.value for item in quality.objects], _MOST_IN_PARTS):
        shown = quality.objects[number]
        for place, part in enumerate(parts(shown)):
            lines = tuple(
                Line(model, _part(parts(found.objects[number])[place])) for model, found in pairs
            )
            whose = f"{shown.label}, " if len(quality.objects) > 1 else ""
            blocks.append(
                Block(f"{whose}{part.name}", f"{words.count(part.pictures)} pictures", lines)
            )
    columns = "objects found", "boxes right", "pictures: false alarms"
    return Table(title, first, columns, tuple(blocks), f"Bars from {WHOLE}.")


def _part(found: PartQuality) -> tuple[Cell, ...]:
    return tuple(rate_cell(rate) for rate in (found.recall, found.precision, found.false_alarms))
