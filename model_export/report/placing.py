"""Where the labels of points stand, so that they hide neither each other nor what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

Area = tuple[float, float, float, float]
"""Left, lower, right and upper edge."""

# To the right of its point first, as it is read; then around it.
_SIDES = (
    (1, 0),
    (1, 1),
    (1, -1),
    (-1, 0),
    (-1, 1),
    (-1, -1),
    (0, 1),
    (0, -1),
)
_RINGS = (1.0, 2.2, 3.6, 5.2)


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Area],
    bounds: Area,
    gap: float,
) -> list[Area]:
    """The area of each point's label, one after the other, each where it hides least.

    Args:
        points, sizes: a point and its label's width and height each.
        obstacles: what must not be hidden.
        bounds: what no label reaches out of, where it can be helped.
        gap: between a point and its label.
    """
    taken = list(obstacles)
    placed: list[Area] = []
    for point, size in zip(points, sizes, strict=True):
        # `min` takes the first of equals: the nearer and more usual place.
        best = min(
            (_beside(point, size, side, gap * ring) for ring in _RINGS for side in _SIDES),
            key=lambda area: _cost(area, taken, bounds),
        )
        placed.append(best)
        taken.append(best)
    return placed


def _beside(
    point: tuple[float, float], size: tuple[float, float], side: tuple[int, int], gap: float
) -> Area:
    (x, y), (width, height), (right, up) = point, size, side
    left = x + gap * right - (width if right < 0 else width / 2 if right == 0 else 0)
    lower = (
        y
        + gap * up * (1 if right == 0 else 0.7)
        - (height if up < 0 else height / 2 if up == 0 else 0)
    )
    return left, lower, left + width, lower + height


def _cost(area: Area, taken: Sequence[Area], bounds: Area) -> float:
    """How much of others it hides, and how much of it is out of bounds, which is worse."""
    size = (area[2] - area[0]) * (area[3] - area[1])
    return sum(_common(area, other) for other in taken) + 10 * (size - _common(area, bounds))


def _common(a: Area, b: Area) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)
