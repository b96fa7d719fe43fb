"""A detector's average precision in many draws of its pictures, by COCO's rules.

Precision at a recall is the best of any threshold that reaches it; average precision is the mean
over 101 recalls. Source: https://cocodataset.org/#detection-eval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.bootstrap import Counts
from model_export.curves import RECALLS, first_reaching
from model_export.detection_scoring import OVERLAPS, Floats, Matches

DRAWS = 200
"""Enough for the ends of an interval to be good to about a tenth of its width."""

_MOST_NUMBERS = 4_000_000
"""How many numbers are computed with at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxPrecision:
    """One class in D draws.

    Attributes:
        average: D x 10, the average precision at each overlap; NaN where a draw has no object.
        at_half: D x 101, the precision at each recall, at an overlap of 0.5.
    """

    average: Floats
    at_half: Floats


def box_precision(matches: Matches, drawn: Counts) -> BoxPrecision:
    """Count each of D draws of N pictures."""
    order = np.argsort(-matches.scores, kind="stable")
    rows = max(1, _MOST_NUMBERS // max(1, len(order)))
    parts = [
        _block(matches, order, drawn[start : start + rows]) for start in range(0, len(drawn), rows)
    ]
    return BoxPrecision(
        np.concatenate([part.average for part in parts]),
        np.concatenate([part.at_half for part in parts]),
    )


def _block(matches: Matches, order: NDArray[np.int64], drawn: Counts) -> BoxPrecision:
    objects = drawn @ matches.objects()
    counts = drawn[:, matches.pictures[order]]
    average = np.empty((len(drawn), len(OVERLAPS)))
    at_half = np.empty((len(drawn), len(RECALLS)))
    for number in range(len(OVERLAPS)):
        counted = ~matches.ignored[number, order]
        # Precision can only be best where one more object is found.
        hits = np.flatnonzero(matches.hit[number, order] & counted)
        all_boxes = np.cumsum(counts * counted, axis=1)[:, hits]
        precision = _precision(np.cumsum(counts[:, hits], axis=1), all_boxes, objects)
        average[:, number] = precision.mean(axis=1)
        if number == 0:
            at_half = precision
    return BoxPrecision(average, at_half)


def _precision(found: Floats, boxes: Floats, objects: Floats) -> Floats:
    """D x 101: at each recall.

    Args:
        found, boxes: D x H, how many objects are found and boxes counted down to each hit.
        objects: D, how many there are.
    """
    best = np.zeros((len(found), found.shape[1] + 1))
    np.divide(found, boxes, out=best[:, :-1], where=boxes > 0)
    best[:, :-1] = np.maximum.accumulate(best[:, -2::-1], axis=1)[:, ::-1]
    recall = found / np.where(objects > 0, objects, 1)[:, np.newaxis]
    # What no threshold reaches has a precision of 0: the last column.
    precision = np.take_along_axis(best, first_reaching(recall, RECALLS), axis=1)
    precision[objects == 0] = np.nan
    return precision
