"""Whether a thing was only moved: what came at one place is what went at another, beside it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_runtime.analysis.blobs import PixelBox
from edge_runtime.analysis.planes import Colours, Mask, grown

_MARGIN = 2
"""Pixels around it that are compared, too: without its outline any plain place is like it."""
_LIKE = 20.0
"""Up to so many levels (root of the mean square) two places look the same."""
_BETTER = 0.6
"""And up to so much of what the place itself has changed by, or the other place has."""
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
    across, down = max(left - reach, 0), max(top - reach, 0)
    around = slice(down, bottom + reach), slice(across, right + reach)
    thing = np.asarray(shows[top:bottom, left:right], np.float32)
    unlike = _unlike(np.asarray(other[around], np.float32), thing, weights)
    most = min(_LIKE * _LIKE, _BETTER * _BETTER * float(unlike[top - down, left - across]))
    if unlike.min() > most:
        return False
    # Where the picture that shows it has the same as well, nothing has changed.
    there = _BETTER * _BETTER * _unlike(np.asarray(shows[around], np.float32), thing, weights)
    unlike[there < unlike + _NOISE * _NOISE] = np.inf
    return bool(unlike.min() <= most)


def _unlike(searched: Colours, thing: Colours, weights: Colours) -> Colours:
    """The mean square of what `thing` differs by from each part of `searched`."""
    squares = cv2.matchTemplate(
        searched, thing, cv2.TM_SQDIFF, mask=np.repeat(weights[..., None], 3, axis=2)
    )
    return np.asarray(np.maximum(squares, 0) / (3 * weights.sum()), np.float32)
