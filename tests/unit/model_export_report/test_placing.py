from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_export.report.placing import Area, place

BOUNDS = (0.0, 0.0, 400.0, 300.0)


def overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_a_label_stands_to_the_right_of_its_point() -> None:
    (area,) = place([(100, 100)], [(40, 10)], [(95, 95, 105, 105)], BOUNDS, 7)
    assert area == (107, 95, 147, 105)


def test_at_the_right_border_it_stands_to_the_left() -> None:
    (area,) = place([(390, 100)], [(40, 10)], [], BOUNDS, 7)
    assert area[2] == 383


def test_labels_of_one_place_do_not_hide_each_other() -> None:
    areas = place([(200, 150)] * 6, [(60, 10)] * 6, [(193, 143, 207, 157)], BOUNDS, 7)
    assert not any(overlap(a, b) for n, a in enumerate(areas) for b in areas[:n])
    assert not any(overlap(area, (193, 143, 207, 157)) for area in areas)


@given(st.lists(st.tuples(st.floats(20, 380), st.floats(20, 280)), max_size=8))
def test_no_label_reaches_out_of_bounds(points: list[tuple[float, float]]) -> None:
    areas = place(points, [(60, 10)] * len(points), [], BOUNDS, 7)
    assert len(areas) == len(points)
    for left, lower, right, upper in areas:
        assert left >= 0 and lower >= 0 and right <= 400 and upper <= 300
