"""Who passes through undetected, told by what moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edge_runtime.analysis.passers import Passers
from edge_runtime.tracks import Track, TrackState

SHAPE = (180, 320)
Place = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels."""


def passing(
    places: Callable[[int], Iterable[Place]], tracks: tuple[Track, ...] = (), looks: int = 20
) -> tuple[Track, ...]:
    """Who is there in the end, when at each look `places` have changed and move."""
    passers = Passers(SHAPE, 16 / 9)
    told: tuple[Track, ...] = ()
    for look in range(looks):
        changed, still = np.zeros(SHAPE, np.bool_), np.full(SHAPE, 60.0, np.float32)
        for x1, y1, x2, y2 in places(look):
            changed[y1:y2, x1:x2] = True
            still[y1:y2, x1:x2] = 0.0
        told = passers.step(changed, still, tracks, look / 4)
    return told


def test_who_walks_through_is_followed_from_the_height_of_twenty_pixels() -> None:
    (walker,) = passing(lambda look: [(40 + 8 * look, 90, 46 + 8 * look, 110)])
    assert walker.id < 0
    assert walker.state is TrackState.CONFIRMED
    assert abs(walker.foot[0] * 320 - (43 + 8 * 19)) < 2


def test_who_has_walked_and_stands_there_is_followed_for_a_second() -> None:
    def stops(look: int) -> Iterable[Place]:
        x = 40 + 8 * min(look, 12)
        return [(x, 90, x + 6, 110)]

    assert len(passing(stops, looks=17)) == 1


def test_what_changes_in_its_place_is_nobody() -> None:
    assert passing(lambda look: [(100, 60, 112 + look % 3, 100)]) == ()


def test_what_is_wider_than_high_is_a_car() -> None:
    assert passing(lambda look: [(20 + 8 * look, 90, 60 + 8 * look, 108)]) == ()


def test_two_who_walk_by_each_other_are_two() -> None:
    told = passing(
        lambda look: [
            (40 + 8 * look, 60, 48 + 8 * look, 84),
            (250 - 8 * look, 110, 260 - 8 * look, 140),
        ]
    )
    assert len(told) == 2


def test_the_shadow_and_the_bag_of_somebody_detected_are_nobody() -> None:
    box = 0.2, 0.4, 0.9, 0.7
    detected = Track(1, "person", box, 0.8, TrackState.CONFIRMED, 0.0, 0.0)
    assert passing(lambda look: [(70 + 8 * look, 90, 76 + 8 * look, 110)], (detected,)) == ()


def test_what_is_much_smaller_than_those_who_are_detected_is_a_dog() -> None:
    detected = Track(1, "person", (0.02, 0.2, 0.08, 0.62), 0.8, TrackState.CONFIRMED, 0.0, 0.0)
    assert passing(lambda look: [(120 + 8 * look, 92, 126 + 8 * look, 110)], (detected,)) == ()
