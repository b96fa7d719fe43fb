"""Makes people in a picture unrecognisable, for good.

Where somebody's head may be, the picture is replaced by two by two mean colours with a smooth
transition. What was thrown away is not in the picture any more, and no sharpening brings it back.
Mosaics of many cells and plain blurs can be matched to a known face by a trained network
(McPherson, Shokri and Shmatikov, 2016, https://arxiv.org/abs/1609.00408), which is why there are so
few cells here; of three by three, face detectors sometimes still make a face.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from edge_runtime.frame import Image

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels; x2 and y2 are the first that do not belong to it."""

PixelBox = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

_CELLS = 2
"""Along the longer side of a region."""
_REACH = 1.3
"""A head is looked for so far down from the top of a person's box, in the box's widths. A box may
hold a head alone, which is 1.2 to 1.4 times as high as it is wide."""
_LEAST_SHARE = 0.35
"""... and so far at least, in the box's heights: people bend."""
_MARGIN = 0.12
"""By so much of the box's shorter side more on each side: a detector's box is not exact."""


def head_region(box: PixelBox, size: tuple[int, int]) -> Region | None:
    """Where the head of the person in `box` may be, generously.

    Args:
        box: of the whole person, or of what is seen of it.
        size: the picture's width and height.

    Returns:
        The region within the picture; None where nothing of it is.
    """
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    margin = _MARGIN * min(width, height)
    # Who lies has the head at one of the ends: then it is the whole box.
    bottom = y1 + min(height, max(_REACH * width, _LEAST_SHARE * height))
    left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
    right, low = min(int(x2 + margin) + 1, size[0]), min(int(bottom + margin) + 1, size[1])
    return (left, top, right, low) if left < right and top < low else None


def blurred(image: Image, people: Iterable[PixelBox]) -> Image:
    """A copy of `image` in which the head of everybody in `people` is unrecognisable.

    Args:
        image: H x W x 3 uint8 BGR.
        people: the boxes of people in pixels; they may overlap, and reach out of the picture.
    """
    copy = image.copy()
    size = image.shape[1], image.shape[0]
    for box in people:
        region = head_region(box, size)
        if region is not None:
            _dissolve(copy, region)
    return copy


def _dissolve(image: Image, region: Region) -> None:
    x1, y1, x2, y2 = region
    part = image[y1:y2, x1:x2]
    width, height = x2 - x1, y2 - y1
    cell = max(width, height) / _CELLS
    cells = max(1, round(width / cell)), max(1, round(height / cell))
    means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    part[:] = np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR))
