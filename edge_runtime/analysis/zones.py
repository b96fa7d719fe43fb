"""Zones: the parts of the picture that a rule is about."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.tracks import Box

Point = tuple[float, float]
"""x, y as fractions of the picture's width and height, 0..1."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A named polygon in 0..1 of the picture; its edge belongs to it."""

    name: str
    polygon: tuple[Point, ...]
    _contour: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.polygon) < 3:
            raise ValueError(f"zone {self.name!r} has {len(self.polygon)} points; 3 are needed")
        object.__setattr__(self, "_contour", np.array(self.polygon, np.float32))

    def contains(self, point: Point) -> bool:
        """Whether `point` is inside or on the edge."""
        return cv2.pointPolygonTest(self._contour, point, measureDist=False) >= 0

    def share(self, box: Box) -> float:
        """The part of `box` that lies in the zone, 0..1.

        The polygon is cut at each side of the box in turn (Sutherland and Hodgman, 1974); what is
        left encloses the common area.
        """
        x1, y1, x2, y2 = box
        whole = (x2 - x1) * (y2 - y1)
        if whole <= 0:
            return 0.0
        rest = list(self.polygon)
        for axis, limit, sign in ((0, x1, 1), (0, x2, -1), (1, y1, 1), (1, y2, -1)):
            rest = _cut(rest, axis, limit, sign)
        return min(_area(rest) / whole, 1.0)


def _cut(polygon: list[Point], axis: int, limit: float, sign: int) -> list[Point]:
    """What of `polygon` lies beyond `limit` on `axis`: above it (`sign` 1) or below it (-1)."""
    kept: list[Point] = []
    for index, point in enumerate(polygon):
        before = polygon[index - 1]
        inside, was_inside = (sign * (p[axis] - limit) >= 0 for p in (point, before))
        if inside != was_inside:
            part = (limit - before[axis]) / (point[axis] - before[axis])
            x, y = (a + part * (b - a) for a, b in zip(before, point, strict=True))
            kept.append((x, y))
        if inside:
            kept.append(point)
    return kept


def _area(polygon: list[Point]) -> float:
    """The area that `polygon` encloses; 0 for fewer than three points."""
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2
