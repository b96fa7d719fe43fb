from __future__ import annotations

from itertools import pairwise

import numpy as np

from edge_runtime.analysis.closer import SMALL, CloserLooks, must_have_seen
from edge_runtime.analysis.glance import Grey
from edge_runtime.analysis.region import Region
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, Track, TrackState

SIZE = (768, 576)
NOBODY = Detections.none(("person",))


def moved(*boxes: Box) -> Grey:
    """What moves: boxes in 0..1."""
    picture = np.zeros((120, 160), np.uint8)
    for x1, y1, x2, y2 in boxes:
        picture[round(y1 * 120) : round(y2 * 120), round(x1 * 160) : round(x2 * 160)] = 255
    return picture


STILL = moved()


def track(
    number: int, x: float, y: float, tall: float = 0.1, state: TrackState = TrackState.CONFIRMED
) -> Track:
    box = (x - 0.15 * tall, y - tall, x + 0.15 * tall, y)
    return Track(number, "person", box, 0.8, state, 0.0, 0.0)


def seen(*tracks: Track, score: float = 0.8) -> Detections:
    """The detections of these."""
    boxes = np.array([t.box for t in tracks], np.float32) * np.array([*SIZE, *SIZE], np.float32)
    scores = np.full(len(tracks), score, np.float32)
    return Detections(boxes, scores, np.zeros(len(tracks), np.int32), ("person",))


def pixels(box: Box) -> Box:
    return box[0] * SIZE[0], box[1] * SIZE[1], box[2] * SIZE[0], box[3] * SIZE[1]


def chooser(rate: float = 10.0) -> CloserLooks:
    return CloserLooks(rate, lambda _: 0.5)


def test_nothing_is_looked_at_where_nothing_moves_and_nobody_is_followed() -> None:
    assert chooser().choose(STILL, [], NOBODY, SIZE, 1.0) is None


def test_whom_the_look_at_the_whole_sees_needs_no_closer_one() -> None:
    someone = track(1, 0.5, 0.5)
    assert chooser().choose(moved(someone.box), [someone], seen(someone), SIZE, 1.0) is None


def test_whom_the_look_at_the_whole_has_just_found_needs_no_closer_one() -> None:
    someone = track(1, 0.5, 0.5)
    assert chooser().choose(moved(someone.box), [], seen(someone), SIZE, 1.0) is None


def test_who_is_large_needs_no_closer_look() -> None:
    near = track(1, 0.5, 0.9, tall=SMALL + 0.1)
    assert chooser().choose(moved(near.box), [near], NOBODY, SIZE, 1.0) is None
    assert chooser().choose(moved(near.box), [], NOBODY, SIZE, 1.0) is None


def test_something_small_that_moves_is_looked_at_two_or_three_times_as_large() -> None:
    box = 0.5, 0.5, 0.53, 0.6
    region = chooser().choose(moved(box), [], NOBODY, SIZE, 1.0)
    assert region is not None
    assert region.contains(pixels(box))
    assert 1.7 < region.side / (0.1 * SIZE[1]) < 2.7


def test_an_unsure_detection_is_looked_at_and_a_sure_one_is_not() -> None:
    someone = track(1, 0.5, 0.5)
    region = chooser().choose(STILL, [], seen(someone, score=0.4), SIZE, 1.0)
    assert region is not None
    assert region.contains(pixels(someone.box))
    assert chooser().choose(STILL, [], seen(someone, score=0.6), SIZE, 1.0) is None


def test_who_is_lost_is_looked_for_where_he_is_foretold_to_be() -> None:
    lost = track(1, 0.3, 0.4, state=TrackState.LOST)
    region = chooser().choose(STILL, [lost], NOBODY, SIZE, 1.0)
    assert region is not None
    assert region.contains(pixels(lost.box))


def test_a_square_lies_in_the_frame_also_for_who_stands_at_its_edge() -> None:
    for x, y in ((0.01, 0.2), (0.99, 0.99), (0.01, 0.99)):
        region = chooser().choose(STILL, [track(1, x, y)], NOBODY, SIZE, 1.0)
        assert region is not None
        assert region.x >= 0
        assert region.y >= 0
        assert region.x + region.side <= SIZE[0]
        assert region.y + region.side <= SIZE[1]


def test_several_who_stand_apart_are_looked_at_in_turn() -> None:
    people = [track(n, 0.1 + 0.25 * n, 0.3 + 0.2 * (n % 2)) for n in range(4)]
    looks = chooser()
    turns: list[int] = []
    for step in range(12):
        now = 1.0 + step / 10
        region = looks.choose(STILL, people, NOBODY, SIZE, now)
        assert region is not None
        looks.looked(region, NOBODY, STILL, SIZE, now)
        turns += [t.id for t in people if region.contains(pixels(t.box))]
    assert sorted(turns) == sorted([0, 1, 2, 3] * 3)
    assert all(a != b for a, b in pairwise(turns))


def test_neighbours_are_looked_at_together() -> None:
    people = [track(1, 0.5, 0.5), track(2, 0.54, 0.51)]
    region = chooser().choose(STILL, people, NOBODY, SIZE, 1.0)
    assert region is not None
    assert all(region.contains(pixels(t.box)) for t in people)


def test_who_is_not_yet_believed_comes_first() -> None:
    looks = chooser()
    old = track(1, 0.2, 0.5)
    new = track(2, 0.8, 0.5, state=TrackState.TENTATIVE)
    region = looks.choose(STILL, [old, new], NOBODY, SIZE, 9.0)
    assert region is not None
    assert region.contains(pixels(new.box))


def test_no_more_looks_are_taken_than_asked_for() -> None:
    looks = chooser(rate=4.0)
    taken = [looks.choose(STILL, [track(1, 0.5, 0.5)], NOBODY, SIZE, n / 20) for n in range(100)]
    assert 18 <= sum(each is not None for each in taken) <= 21


def test_what_moves_in_vain_is_looked_at_ever_more_seldom() -> None:
    looks, leaves = chooser(), moved((0.5, 0.2, 0.55, 0.26))
    times = []
    for step in range(300):
        now = step / 10
        worth = looks.worth(leaves, [], now)
        region = looks.choose(leaves, [], NOBODY, SIZE, now)
        assert worth == (region is not None)
        if region:
            looks.looked(region, NOBODY, leaves, SIZE, now)
            times.append(now)
    gaps = np.diff(times)
    assert len(times) < 10
    assert np.all(np.diff(gaps) > -0.05)
    # What moves elsewhere is looked at all the same.
    assert looks.choose(moved((0.1, 0.7, 0.14, 0.8)), [], NOBODY, SIZE, 30.0) is not None


def test_something_small_that_moves_is_worth_a_look_unless_it_is_a_part_of_somebody_known() -> None:
    hand = moved((0.49, 0.45, 0.52, 0.48))
    assert chooser().worth(hand, [], 1.0)
    assert not chooser().worth(hand, [track(1, 0.5, 0.7, tall=0.4)], 1.0)
    assert not chooser().worth(STILL, [], 1.0)


def test_who_is_small_had_to_be_seen_in_the_region_only() -> None:
    asked = must_have_seen(Region(300, 200, 160), SIZE)
    assert asked(track(1, 0.5, 0.5).box)
    assert not asked(track(1, 0.1, 0.5).box)
    assert asked(track(1, 0.1, 0.9, tall=0.6).box)
    assert not must_have_seen(None, SIZE)(track(1, 0.5, 0.5).box)
