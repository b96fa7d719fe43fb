"""Whether a thing was only moved: what came at one place is what went at another, beside it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_runtime.analysis.blobs import PixelBox
from edge_runtime.analysis.planes import Colours, Mask, Plane, grown

_MARGIN = 2
"""Pixels around it that are compared, too: without its outline any plain place is like it."""
_LIKE = 20.0
"""Up to so many levels (root of the mean square) two places look the same."""
_BETTER = 0.6
"""And up to so much of what the place itself has changed by, or the other place has."""
_WITHIN = 0.4
"""So much of a place has to lie within the picture."""
_NOISE = 6.0
"""By fewer levels nothing has changed."""


def is_displaced(shows: Colours, other: Colours, box: PixelBox, mask: Mask, reach: int) -> bool:
    """Whether what is at `mask` (of `box`) in one picture is near by in the other, but only there.

    Args:
        shows: the picture in which the thing is to be seen.
        other: the one of the same scene in which it is missing there.
        box: where it is.
        mask: which pixels of the box are its own.
        reach: by how many pixels it may have been moved.
    """
    height, width = shows.shape[:2]
    x1, y1, x2, y2 = box
    left, top = max(x1 - _MARGIN, 0), max(y1 - _MARGIN, 0)
    right, bottom = min(x2 + _MARGIN, width), min(y2 + _MARGIN, height)
    own = np.zeros((bottom - top, right - left), np.bool_)
    own[y1 - top : y2 - top, x1 - left : x2 - left] = mask
    weights = grown(own, _MARGIN).astype(np.float32)
    around = left - reach, top - reach, right + reach, bottom + reach
    thing = np.asarray(shows[top:bottom, left:right], np.float32)
    unlike = _unlike(other, around, thing, weights)
    most = min(_LIKE * _LIKE, _BETTER * _BETTER * float(unlike[reach, reach]))
    if unlike.min() > most:
        return False
    # Where the picture that shows it has the same as well, nothing has changed.
    there = _BETTER * _BETTER * _unlike(shows, around, thing, weights)
    unlike[there < unlike + _NOISE * _NOISE] = np.inf
    return bool(unlike.min() <= most)


def _unlike(searched: Colours, around: PixelBox, thing: Colours, weights: Plane) -> Plane:
    """The mean square of what `thing` differs by from each place `around` in `searched`.

    Of a place that reaches out of the picture, only that part counts which is within; infinite
    where that is too little.
    """
    there, levels = _cut(searched, around)
    weighed = weights[..., None] * thing
    own, seen, ground, both = (
        np.asarray(cv2.matchTemplate(where, what, cv2.TM_CCORR), np.float32)
        for where, what in (
            (there, (weighed * thing).sum(axis=2)),
            (there, weights),
            ((levels * levels).sum(axis=2), weights),
            (levels, weighed),
        )
    )
    unlike: Plane = np.maximum(own + ground - 2 * both, 0) / (3 * np.maximum(seen, 1))
    unlike[seen < _WITHIN * weights.sum()] = np.inf
    return unlike


def _cut(picture: Colours, box: PixelBox) -> tuple[Plane, Colours]:
    """That part of `picture`, 0 beyond its edges; and where it is not beyond them, 1 else 0."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box
    levels = np.zeros((y2 - y1, x2 - x1, 3), np.float32)
    there = np.zeros(levels.shape[:2], np.float32)
    rows, columns = slice(max(y1, 0), min(y2, height)), slice(max(x1, 0), min(x2, width))
    inner = slice(rows.start - y1, rows.stop - y1), slice(columns.start - x1, columns.stop - x1)
    levels[inner] = picture[rows, columns]
    there[inner] = 1
    return there, levels
