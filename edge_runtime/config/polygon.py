"""Whether a list of points is an area of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]
"""x, y as fractions of the picture's width and height, 0..1."""

Edge = tuple[Point, Point]

_ON_A_LINE = 1e-6
"""Twice the area of a triangle, as a fraction of the picture, that counts as none."""


def outside(polygon: Sequence[Point]) -> Point | None:
    """The first point that does not lie in the picture."""
    return next((p for p in polygon if not (0 <= p[0] <= 1 and 0 <= p[1] <= 1)), None)


def shape_fault(polygon: Sequence[Point]) -> str | None:
    """What keeps `polygon` (3 points or more) from being an area, as the end of a sentence."""
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    for a, b in edges:
        if a == b:
            return f"has the point {_text(a)} twice in a row; each corner is asked for once"
    if all(abs(_turn(polygon[0], polygon[1], point)) < _ON_A_LINE for point in polygon):
        return "encloses no area; corners that do not lie on one line are asked for"
    for one, other in combinations(edges, 2):
        if _cross(one, other):
            return (
                f"crosses itself: the edge from {_text(one[0])} to {_text(one[1])} meets that "
                f"from {_text(other[0])} to {_text(other[1])}; the corners are asked for in the "
                "order in which they follow each other around it"
            )
    return None


def _text(point: Point) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where the way a, b, c turns one way, below where it turns the other, 0 straight."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on(a: Point, b: Point, c: Point) -> bool:
    """Whether c, which lies on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _cross(one: Edge, other: Edge) -> bool:
    """Whether two edges meet elsewhere than at the corner at which one follows the other."""
    (a, b), (c, d) = one, other
    if b == c or d == a:
        before, corner, after = (a, b, d) if b == c else (c, d, b)
        return _turn(before, corner, after) == 0 and (
            _on(before, corner, after) or _on(corner, after, before)
        )
    abc, abd, cda, cdb = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if abc * abd < 0 and cda * cdb < 0:
        return True
    return (
        (abc == 0 and _on(a, b, c))
        or (abd == 0 and _on(a, b, d))
        or (cda == 0 and _on(c, d, a))
        or (cdb == 0 and _on(c, d, b))
    )
