"""Pieces of a picture that have changed: where they are, and which shape they have."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_runtime.analysis.planes import Mask

PixelBox = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels."""

_CLOSE = np.ones((5, 5), np.uint8)
"""Pieces that are as near to each other as this are one."""
_OPEN = np.ones((3, 3), np.uint8)
"""What is thinner than this, as the border of a shadow that creeps on is, joins no pieces."""
_AROUND = 6
"""Pixels around what has changed that closing and opening reach to, at most."""
_MOST = 12
"""So many are looked at, the largest first."""
_HALF, _LONG = 2.5, 3.0
"""What is compact is at least twice `_HALF` pixels thick, and at most about `_LONG` times as
long as thick."""


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """One piece: `mask` says which pixels of `box` are its own."""

    box: PixelBox
    area: int
    mask: Mask

    @property
    def where(self) -> tuple[slice, slice]:
        """Its box as a part of an array."""
        return part_of(self.box)

    def spread(self, shape: tuple[int, ...]) -> Mask:
        """Its pixels in a picture of `shape`."""
        mask = np.zeros(shape, np.bool_)
        mask[self.where] = self.mask
        return mask

    def is_compact(self) -> bool:
        """Whether it is no strip, as the border of a shadow that creeps on is."""
        framed = np.pad(self.mask, 1).view(np.uint8)
        half = float(cv2.distanceTransform(framed, cv2.DIST_L2, 3).max())
        return half >= _HALF and self.area <= 4 * half * half * _LONG


def blobs(changed: Mask, least: float, most: float) -> list[Blob]:
    """The pieces of `changed` that have from `least` to `most` pixels."""
    x, y, wide, high = cv2.boundingRect(changed.view(np.uint8))
    if wide * high < least:
        return []
    left, top = max(x - _AROUND, 0), max(y - _AROUND, 0)
    part = changed[top : y + high + _AROUND, left : x + wide + _AROUND]
    closed = cv2.morphologyEx(part.view(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _OPEN)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    areas = stats[1:, cv2.CC_STAT_AREA]
    fit = np.flatnonzero((areas >= least) & (areas <= most)) + 1
    largest = fit[np.argsort(-areas[fit - 1], kind="stable")][:_MOST]
    found = []
    for number in largest.tolist():
        x, y, wide, high, area = stats[number].tolist()
        mask = labels[y : y + high, x : x + wide] == number
        box = left + x, top + y, left + x + wide, top + y + high
        found.append(Blob(box, area, mask))
    return found


def part_of(box: PixelBox) -> tuple[slice, slice]:
    """`box` as a part of an array."""
    return slice(box[1], box[3]), slice(box[0], box[2])


def overlap(a: PixelBox, b: PixelBox) -> bool:
    """Whether half of the smaller one of two boxes lies in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return 2 * width * height >= smaller
