"""Lines on the floor that are crossed in one direction or in the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import hypot

from edge_runtime.analysis.zones import Point


class Way(StrEnum):
    """In which direction a line is crossed."""

    IN = "in"
    """From its left to its right, as seen by who looks from its first point to its second."""
    OUT = "out"
    """From its right to its left."""

    @property
    def other(self) -> Way:
        """The opposite direction."""
        return Way.OUT if self is Way.IN else Way.IN


@dataclass(frozen=True, slots=True)
class Line:
    """A named line between two points in 0..1 of the picture."""

    name: str
    start: Point
    end: Point

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"line {self.name!r} has one point twice; two are needed")

    def side(self, point: Point) -> float:
        """How far `point` is from the line through both points: above 0 on its right, in 0..1.

        The y axis of a picture points down, so that right is where it is for who looks at it.
        """
        (x1, y1), (x2, y2), (x, y) = self.start, self.end, point
        across = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        return across / hypot(x2 - x1, y2 - y1)

    def crossed(self, before: Point, after: Point) -> Way | None:
        """The direction in which the straight way from `before` to `after` crosses the line."""
        left, right = self.side(before), self.side(after)
        if (left < 0) == (right < 0):
            return None
        part = left / (left - right)
        (x1, y1), (x2, y2) = self.start, self.end
        x, y = (a + part * (b - a) for a, b in zip(before, after, strict=True))
        along = (x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)
        if not 0 <= along <= (x2 - x1) ** 2 + (y2 - y1) ** 2:
            return None
        return Way.IN if left < 0 else Way.OUT
