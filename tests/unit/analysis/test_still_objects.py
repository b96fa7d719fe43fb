"""What stays behind and what is missing, on a floor that is drawn; light is no thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.still_objects import StillObjects, StillSettings
from edge_runtime.capture.lobby import room
from edge_runtime.frame import Frame, Image
from edge_runtime.scene import Change, StillObject
from edge_runtime.tracks import Box, Track, TrackState
from tests.scenes.things import BLACK, BROWN, GREY, draw_bag

SIZE = (480, 270)
BOX: Box = (0.30, 0.66, 0.37, 0.80)
FPS = 5.0
FLOOR: Image = room(*SIZE).astype(np.uint8)


def frames(seconds: float, picture: Callable[[float], Image]) -> Iterator[Frame]:
    """`picture` of each moment with a camera's noise."""
    rng = np.random.default_rng(3)
    for number in range(round(seconds * FPS)):
        now = number / FPS
        levels = picture(now) + rng.normal(0, 2.5, FLOOR.shape)
        yield Frame(np.clip(levels, 0, 255).astype(np.uint8), now, now, number)


def found(
    seconds: float,
    picture: Callable[[float], Image],
    tracks: Callable[[float], tuple[Track, ...]] = lambda _: (),
) -> tuple[StillObject, ...]:
    """What is there in the end."""
    things = StillObjects()
    told: tuple[StillObject, ...] = ()
    for frame in frames(seconds, picture):
        told = things.step(frame, tracks(frame.timestamp))
    return told


def body(x: float, left: float = 0.4, right: float = 0.9) -> Track:
    """Somebody who stands at `x`."""
    box = x - 0.03, left, x + 0.03, right
    return Track(1, "person", box, 0.8, TrackState.CONFIRMED, 0.0, 0.0)


def beside_at_five(now: float) -> tuple[Track, ...]:
    """Somebody is beside `BOX` when things appear there."""
    return (body(0.26),) if 4 <= now < 6 else ()


def from_five(then: Image, before: Image = FLOOR) -> Callable[[float], Image]:
    """`before` for five seconds, and then `then`."""
    return lambda now: before if now < 5 else then


@pytest.mark.parametrize("colour", [BROWN, BLACK, GREY], ids=["brown", "black", "grey"])
@pytest.mark.parametrize("box", [BOX, (0.60, 0.70, 0.65, 0.77)], ids=["1%", "0.35%"])
def test_a_bag_that_is_put_down_has_appeared(colour: tuple[int, int, int], box: Box) -> None:
    (thing,) = found(12, from_five(draw_bag(FLOOR, box, colour)))
    assert thing.change is Change.APPEARED
    assert thing.since == pytest.approx(5.0, abs=0.8)
    assert abs(thing.box[0] - box[0]) < 0.03
    assert abs(thing.box[3] - box[3]) < 0.05


def test_a_bag_that_is_taken_away_has_vanished() -> None:
    (thing,) = found(12, from_five(FLOOR, draw_bag(FLOOR, BOX)))
    assert thing.change is Change.VANISHED


@pytest.mark.parametrize("colour", [BROWN, BLACK, GREY], ids=["brown", "black", "grey"])
def test_a_bag_that_is_half_hidden_is_seen(colour: tuple[int, int, int]) -> None:
    seen = draw_bag(FLOOR, BOX, colour)
    seen[:, round(0.335 * SIZE[0]) :] = FLOOR[:, round(0.335 * SIZE[0]) :]
    told = found(12, from_five(seen), beside_at_five)
    assert [t.change for t in told] == [Change.APPEARED]


@pytest.mark.parametrize("softness", [1.0, 2.0, 6.0])
@pytest.mark.parametrize("gain", [0.45, 0.55, 0.75, 1.4, 1.8])
def test_a_shadow_or_a_patch_of_sunlight_that_stays_is_no_thing(
    gain: float, softness: float
) -> None:
    mask = np.zeros(FLOOR.shape[:2], np.float32)
    corners = np.array([(0.2, 0.7), (0.4, 0.7), (0.46, 0.85), (0.24, 0.85)]) * SIZE
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1.0, cv2.LINE_AA)
    soft = cv2.GaussianBlur(mask, (0, 0), softness)[..., None]
    lit = np.clip(FLOOR * (1 + (gain - 1) * soft), 0, 255).astype(np.uint8)
    assert found(14, from_five(lit)) == ()


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_a_change_of_the_light_leaves_no_things_and_keeps_those_that_are_there(gain: float) -> None:
    bag = draw_bag(FLOOR, BOX)

    def picture(now: float) -> Image:
        scene = FLOOR if now < 4 else bag
        return np.clip(scene * (gain if now >= 9 else 1.0), 0, 255).astype(np.uint8)

    (thing,) = found(18, picture)
    assert thing.change is Change.APPEARED


@pytest.mark.parametrize("gain", [0.55, 1.7])
def test_a_bag_on_which_the_sun_or_a_shadow_falls_is_the_same(gain: float) -> None:
    bag = draw_bag(FLOOR, BOX)
    lit = bag.copy()
    own = (bag != FLOOR).any(axis=2)
    lit[own] = np.clip(bag[own] * gain, 0, 255)
    things = StillObjects()
    told = [
        things.step(frame, ())
        for frame in frames(20, lambda now: FLOOR if now < 5 else bag if now < 12 else lit)
    ]
    assert {thing.id for each in told for thing in each} == {1}
    assert told[-1]


def standing(x: int = 200) -> Image:
    """Somebody in the picture, who does not move."""
    picture = FLOOR.copy()
    picture[100:250, x : x + 50] = (40, 60, 90)
    picture[100:140, x + 15 : x + 35] = (120, 140, 190)
    return picture


SOMEBODY = Track(1, "person", (200 / 480, 100 / 270, 250 / 480, 250 / 270), 0.8,
                 TrackState.CONFIRMED, 0.0, 0.0)  # fmt: skip


def test_whoever_is_tracked_is_no_thing_however_still() -> None:
    assert found(12, from_five(standing()), lambda _: (SOMEBODY,)) == ()


def test_whom_the_detector_loses_is_no_thing_either() -> None:
    def tracks(now: float) -> tuple[Track, ...]:
        return (SOMEBODY,) if 5 <= now < 8 else ()

    assert found(30, from_five(standing()), tracks) == ()


def test_a_bag_beside_somebody_lost_has_company_until_the_place_is_empty() -> None:
    bag = draw_bag(FLOOR, BOX)
    with_owner = draw_bag(standing(195), BOX)
    owner = Track(1, "person", (195 / 480, 100 / 270, 245 / 480, 250 / 270), 0.8,
                  TrackState.CONFIRMED, 0.0, 0.0)  # fmt: skip
    things, company = StillObjects(), {}

    def picture(now: float) -> Image:
        return FLOOR if now < 5 else with_owner if now < 14 else bag

    for frame in frames(20, picture):
        tracks = (owner,) if 5 <= frame.timestamp < 10 else ()
        for thing in things.step(frame, tracks):
            company[round(frame.timestamp)] = thing.company
    assert company[12]
    assert not company[19]


def test_what_is_moved_by_a_part_of_its_size_has_neither_come_nor_gone() -> None:
    moved = BOX[0] + 0.08, BOX[1], BOX[2] + 0.08, BOX[3]
    assert found(14, from_five(draw_bag(FLOOR, moved), draw_bag(FLOOR, BOX)), beside_at_five) == ()


@pytest.mark.parametrize("visited", [True, False], ids=["visited", "alone"])
def test_a_plain_thing_on_plain_ground_is_told_from_a_light_by_who_was_there(visited: bool) -> None:
    plain = np.full_like(FLOOR, 150)
    thing = plain.copy()
    thing[180:215, 150:180] = 105
    tracks = beside_at_five if visited else lambda _: ()
    assert bool(found(12, from_five(thing, plain), tracks)) == visited


def test_a_bag_of_which_people_hide_a_part_by_turns_is_one_thing() -> None:
    things = StillObjects()
    bag = draw_bag(FLOOR, BOX)
    ids = set()
    for frame in frames(20, from_five(bag)):
        # Somebody walks by: the right half of the bag is behind the box, then the left half.
        x = 0.6 - 0.05 * (frame.timestamp - 10)
        passer = Track(1, "person", (x - 0.03, 0.4, x + 0.03, 0.85), 0.8,
                       TrackState.CONFIRMED, 0.0, 0.0)  # fmt: skip
        there = (passer,) if frame.timestamp > 10 else ()
        ids |= {thing.id for thing in things.step(frame, there)}
    assert ids == {1}


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="smallest and largest"):
        StillSettings(smallest=0.5)
    with pytest.raises(ValueError, match=r"1\.\.255"):
        StillSettings(level=0)
