"""How good a detector is at one class of objects: at a threshold, by picture, size and lighting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model_export.bootstrap import Counts, Rate, intervals, share
from model_export.box_precision import BoxPrecision, box_precision
from model_export.curves import RECALLS, Band, Curve, curve
from model_export.datasets.coco import BoxedPictures
from model_export.detection_scoring import Floats, Integers, Matches
from model_export.scoring import LIGHTING, lighting_of

Part = NDArray[np.bool_]
"""N, which pictures are meant."""

SIZES = {"small": 0.0, "medium": 32.0**2, "large": 96.0**2}
"""COCO's sizes, and the area in pixels from which an object is of each."""

HEIGHTS = {"below 10%": 0.0, "10 to 25%": 0.1, "25 to 50%": 0.25, "above 50%": 0.5}
"""Sizes for cameras, and the share of the picture's height from which an object is of each."""

_MOST_POINTS = 200
_MOST_MISTAKES = 20


@dataclass(frozen=True, slots=True)
class BoxPoint:
    """What comes of one threshold, at an overlap of 0.5.

    Attributes:
        threshold: a box counts from this score on.
        recall: the share of the objects that are found.
        precision: the share of the boxes that meet an object.
    """

    threshold: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether there is one in a picture or not: its best box reaches the threshold or does not.

    Attributes:
        accuracy: of all pictures, how many are said right.
        recall: of the pictures with one, in how many one is seen.
        false_alarms: of the pictures without any, in how many one is seen.
        curve: for all thresholds, with intervals; None where all pictures or none have one.
    """

    accuracy: Rate
    recall: Rate
    false_alarms: Rate
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class PartQuality:
    """One class in a part of the pictures, at the threshold.

    Attributes:
        name: of the part: a bucket of `LIGHTING`, or where the pictures come from.
        pictures: how many.
        precision, recall, false_alarms: as in `ObjectQuality` and `Presence`.
    """

    name: str
    pictures: int
    precision: Rate
    recall: Rate
    false_alarms: Rate


@dataclass(frozen=True, slots=True)
class ObjectQuality:
    """The objects of one class.

    Attributes:
        label: its name.
        threshold: the score from which a box counts.
        precision: of the boxes, how many meet an object by an overlap of 0.5.
        recall: of the objects, how many are met.
        presence: the same by pictures.
        by_size, by_height: recall of the objects of each of `SIZES` and `HEIGHTS`.
        points: precision over recall for all thresholds, at most 200, the highest first.
        precision_recall: the best precision of a threshold that reaches each recall, with a band.
        lighting: by brightness; buckets without pictures are left out.
        origins: by where the pictures come from, as their data say; empty: they do not.
    """

    label: str
    threshold: float
    precision: Rate
    recall: Rate
    presence: Presence
    by_size: dict[str, Rate]
    by_height: dict[str, Rate]
    points: tuple[BoxPoint, ...]
    precision_recall: Band | None
    lighting: tuple[PartQuality, ...]
    origins: tuple[PartQuality, ...]


class Fault(StrEnum):
    """What a detector did wrong."""

    FALSE_ALARM = "false alarm"
    """It sees one where there is none."""
    MISSED = "missed"
    """It does not see one."""


@dataclass(frozen=True, slots=True)
class BoxMistake:
    """A picture that the detector got wrong.

    Attributes:
        picture: its file.
        fault: how.
        label: of which class.
        box: where, (x1, y1, x2, y2) in pixels.
        score: of a false alarm; None: missed.
    """

    picture: str
    fault: Fault
    label: str
    box: tuple[float, float, float, float]
    score: float | None


# At the threshold


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What comes of a threshold, for each of N pictures.

    Attributes:
        matches: of the class.
        threshold: the score from which a box counts.
        boxes: how many there are that count, and
        right: how many of these meet an object.
        objects: how many there are; as many as `right` are found.
        seen: whether there is any box.
    """

    matches: Matches
    threshold: float
    boxes: Integers
    right: Integers
    objects: Integers
    seen: Part

    @classmethod
    def of(cls, matches: Matches, threshold: float) -> Counted:
        """Count the boxes from the threshold on."""
        pictures = len(matches.with_any)
        said = (matches.scores >= threshold) & ~matches.ignored[0]
        return cls(
            matches,
            threshold,
            boxes=np.bincount(matches.pictures[said], minlength=pictures),
            right=np.bincount(matches.pictures[said & matches.hit[0]], minlength=pictures),
            objects=matches.objects(),
            seen=matches.best_scores() >= threshold,
        )


def object_quality(
    name: str,
    counted: Counted,
    precision: BoxPrecision,
    *,
    data: BoxedPictures,
    brightness: NDArray[np.float32],
    drawn: Counts,
) -> ObjectQuality:
    """Count the objects of the class `name`.

    Args:
        counted: at the threshold.
        precision: in draws, for the band.
        data: the pictures.
        brightness: of each the mean, 0..255.
        drawn: D x N, for the rates.
    """
    matches = counted.matches
    heights = np.array([picture.height for picture in data.pictures], np.float64)
    sides = matches.object_boxes[:, 2:] - matches.object_boxes[:, :2]
    tall = sides[:, 1] / heights[matches.object_pictures]
    origins = np.array([picture.origin for picture in data.pictures])
    named = sorted({origin for origin in origins.tolist() if origin})
    buckets = lighting_of(brightness)
    return ObjectQuality(
        label=name,
        threshold=counted.threshold,
        precision=share(counted.right, counted.boxes, drawn),
        recall=share(counted.right, counted.objects, drawn),
        presence=presence(counted, drawn),
        by_size=_by_size(counted, sides.prod(axis=1), SIZES, drawn),
        by_height=_by_size(counted, tall, HEIGHTS, drawn),
        points=_points(matches),
        precision_recall=_band(matches, precision),
        lighting=_parts(
            counted, {bucket: buckets == n for n, bucket in enumerate(LIGHTING)}, drawn
        ),
        origins=_parts(counted, {origin: origins == origin for origin in named}, drawn),
    )


def presence(counted: Counted, drawn: Counts) -> Presence:
    """Count pictures."""
    truth, seen = counted.matches.with_any, counted.seen
    return Presence(
        accuracy=share(seen == truth, np.ones_like(truth), drawn),
        recall=share(seen & truth, truth, drawn),
        false_alarms=share(seen & ~truth, ~truth, drawn),
        curve=curve(counted.matches.best_scores(), truth, drawn),
    )


def _by_size(
    counted: Counted, sizes: Floats, limits: Mapping[str, float], drawn: Counts
) -> dict[str, Rate]:
    """Recall of the objects in each range of sizes."""
    matches, pictures = counted.matches, len(counted.seen)
    bucket_of = np.searchsorted(list(limits.values()), sizes, side="right") - 1
    found = matches.object_scores >= counted.threshold
    rates = {}
    for number, name in enumerate(limits):
        inside = bucket_of == number
        hits, among = (
            np.bincount(matches.object_pictures[each], minlength=pictures)
            for each in (inside & found, inside)
        )
        rates[name] = share(hits, among, drawn)
    return rates


def _parts(counted: Counted, parts: Mapping[str, Part], drawn: Counts) -> tuple[PartQuality, ...]:
    empty = ~counted.matches.with_any
    return tuple(
        PartQuality(
            name=name,
            pictures=int(inside.sum()),
            precision=share(counted.right * inside, counted.boxes * inside, drawn),
            recall=share(counted.right * inside, counted.objects * inside, drawn),
            false_alarms=share(counted.seen & empty & inside, empty & inside, drawn),
        )
        for name, inside in parts.items()
        if inside.any()
    )


# For all thresholds


def _points(matches: Matches) -> tuple[BoxPoint, ...]:
    objects = len(matches.object_scores)
    order = np.argsort(-matches.scores, kind="stable")
    order = order[~matches.ignored[0, order]]
    if not objects or not len(order):
        return ()
    scores, right = matches.scores[order], np.cumsum(matches.hit[0, order])
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    keep = last[np.unique(np.linspace(0, len(last) - 1, _MOST_POINTS).round().astype(int))]
    return tuple(
        BoxPoint(float(scores[at]), float(right[at] / objects), float(right[at] / (at + 1)))
        for at in keep
    )


def _band(matches: Matches, precision: BoxPrecision) -> Band | None:
    drawn = precision.at_half[~np.isnan(precision.at_half).any(axis=1)]
    if not len(drawn) or not len(matches.object_scores):
        return None
    value = box_precision(matches, np.ones((1, len(matches.with_any)))).at_half[0]
    low, high = intervals(drawn)
    return Band(tuple(map(float, RECALLS)), tuple(map(float, value)), low, high)


# Mistakes


def mistakes(name: str, counted: Counted, data: BoxedPictures) -> list[tuple[float, BoxMistake]]:
    """The worst of each picture, with how bad it is, 0..1."""
    matches = counted.matches
    found: list[tuple[float, BoxMistake]] = []
    seen: set[int] = set()
    for at in np.argsort(-matches.scores, kind="stable"):
        picture = int(matches.pictures[at])
        if matches.scores[at] < counted.threshold:
            break
        if not matches.with_any[picture] and picture not in seen:
            seen.add(picture)
            box, score = _corners(matches.boxes[at]), float(matches.scores[at])
            path = str(data.pictures[picture].path)
            found.append((score, BoxMistake(path, Fault.FALSE_ALARM, name, box, score)))
    return found + _missed(name, counted, data)


def _missed(name: str, counted: Counted, data: BoxedPictures) -> list[tuple[float, BoxMistake]]:
    matches = counted.matches
    sides = matches.object_boxes[:, 2:] - matches.object_boxes[:, :2]
    missed = np.flatnonzero(matches.object_scores < counted.threshold)
    worst: dict[int, tuple[float, BoxMistake]] = {}
    for at in missed:
        picture = data.pictures[int(matches.object_pictures[at])]
        part = float(sides[at].prod() / (picture.width * picture.height))
        if part > worst.get(picture.id, (0.0,))[0]:
            box = _corners(matches.object_boxes[at])
            worst[picture.id] = (
                part,
                BoxMistake(str(picture.path), Fault.MISSED, name, box, None),
            )
    return list(worst.values())


def _corners(box: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, x2, y2


def worst(found: list[tuple[float, BoxMistake]]) -> tuple[BoxMistake, ...]:
    """Half of each kind, and more of one where the other has fewer."""
    kinds = [
        [
            mistake
            for _, mistake in sorted(found, key=lambda item: -item[0])
            if mistake.fault is fault
        ]
        for fault in Fault
    ]
    alarms, missed = kinds
    half = _MOST_MISTAKES // 2
    shown = min(len(alarms), max(half, _MOST_MISTAKES - len(missed)))
    return tuple(alarms[:shown] + missed[: _MOST_MISTAKES - shown])
