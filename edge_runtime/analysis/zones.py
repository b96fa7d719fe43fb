"""Zones: the parts of the picture that a rule is about."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

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
