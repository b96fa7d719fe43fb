from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config.polygon import Point, outside, shape_fault

SQUARE: list[Point] = [(0, 0), (1, 0), (1, 1), (0, 1)]
COORDINATES = st.integers(0, 20).map(lambda number: number / 20)


def test_of_all_orders_of_a_square_s_corners_eight_go_around_it() -> None:
    around = [order for order in permutations(SQUARE) if shape_fault(order) is None]
    assert len(around) == 8


@pytest.mark.parametrize(
    "polygon",
    [
        [(0, 0), (1, 0), (0, 1)],
        [(0, 0), (1, 0), (1, 1), (0.5, 0.5), (0, 1)],
        [(0, 0), (0.5, 0), (1, 0), (1, 1)],
    ],
    ids=["triangle", "notched", "with a corner on an edge"],
)
def test_an_area_is_an_area_from_whichever_corner_and_either_way(polygon: list[Point]) -> None:
    for start in range(len(polygon)):
        turned = polygon[start:] + polygon[:start]
        assert shape_fault(turned) is None
        assert shape_fault(turned[::-1]) is None


@pytest.mark.parametrize(
    ("polygon", "fault"),
    [
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "crosses itself"),
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], "crosses itself"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], "crosses itself"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 0.2), (0.5, 1), (0, 1)], "crosses itself"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "encloses no area"),
        ([(0, 0), (1, 0), (1, 0), (1, 1)], "twice in a row"),
        ([(0, 0), (1, 0), (1, 1), (0, 0)], "twice in a row"),
    ],
)
def test_what_is_no_area_is_told(polygon: list[Point], fault: str) -> None:
    for start in range(len(polygon)):
        turned = polygon[start:] + polygon[:start]
        assert fault in str(shape_fault(turned))


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=3, unique=True))
def test_three_corners_are_an_area_unless_they_lie_on_one_line(corners: list[Point]) -> None:
    (ax, ay), (bx, by), (cx, cy) = corners
    doubled = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    assert (shape_fault(corners) is None) == (abs(doubled) > 1e-6)


def test_the_edge_of_the_picture_belongs_to_it() -> None:
    assert outside(SQUARE) is None
    assert outside([*SQUARE, (0.5, 1.001), (2, 2)]) == (0.5, 1.001)
    assert outside([(0, -0.001)]) == (0, -0.001)
