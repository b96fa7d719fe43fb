from __future__ import annotations

import pytest

from edge_runtime.analysis.zones import Zone

L_SHAPE = Zone("l", ((0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)))


@pytest.mark.parametrize("point", [(0.2, 0.2), (0.9, 0.4), (0.4, 0.9), (0, 0), (1, 0.5), (0.5, 1)])
def test_inside_and_on_the_edge_belong_to_the_zone(point: tuple[float, float]) -> None:
    assert L_SHAPE.contains(point)


@pytest.mark.parametrize("point", [(0.6, 0.6), (0.9, 0.51), (0.51, 0.99), (1.01, 0.2)])
def test_outside_does_not(point: tuple[float, float]) -> None:
    assert not L_SHAPE.contains(point)


def test_a_person_at_the_lower_border_is_in_a_zone_that_reaches_it() -> None:
    assert Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1))).contains((0.37, 1.0))


def test_two_points_are_no_zone() -> None:
    with pytest.raises(ValueError, match="3 are needed"):
        Zone("line", ((0, 0), (1, 1)))
