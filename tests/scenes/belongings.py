"""What people leave and take, at many places and under much that is no thing.

A kind of scene is a course of events (a bag is left in a crowd, fetched again, taken away …) or a
disturbance (sunlight, leaves, a codec …) under which something is left or taken. Each is told
twice: with what has to be told, and the same with that taken out. Both rules watch all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_runtime.scoring.events import Event
from edge_runtime.tracks import Box
from tests.scenes import disturbances
from tests.scenes.people import Layer, Mark, Prop, Room, Walker
from tests.scenes.stories import Story
from tests.scenes.things import KINDS, bag_layer
from tests.scenes.truth import Scene

Rng = np.random.Generator

SECONDS = 8.0
"""After which the two rules tell."""
LASTS = 52.0
_RULES: tuple[dict[str, Any], ...] = (
    {"kind": "object-left", "seconds": SECONDS},
    {"kind": "object-removed", "seconds": SECONDS},
)
_COLOURS = (
    (24, 24, 25), (38, 34, 58), (92, 88, 84), (96, 58, 32), (40, 44, 150), (60, 92, 58),
    (214, 216, 218), (112, 150, 186), (140, 136, 130),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """How something is left or taken.

    Attributes:
        way: ``left``, ``removed``, ``fetched`` (left, and taken later by the same person), or
            ``either``: left or removed.
        size: the least and the most height of the thing, in heights of its owner there.
        pale: whether it is nearly as bright as the floor.
        pace: how fast its owner walks away, in widths of the picture a second.
        crowd: how many pass by, besides.
        blocked: whether somebody stands before it for some seconds.
        beside: whether somebody else stands beside it all the time.
    """

    way: str = "left"
    size: tuple[float, float] = (0.22, 0.4)
    pale: bool = False
    pace: float = 0.2
    crowd: int = 1
    blocked: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scene: a course under what else happens, at `places`."""

    course: Course
    lens: Callable[[Rng], Scene] | None = None
    more: Callable[[Rng, Room], tuple[tuple[Walker, ...], tuple[Prop, ...]]] | None = None
    places: tuple[str, ...] = ("square", "corner", "mall", "lobby", "clip")


def tell(kind: Kind, rng: Rng, room: Room, *, speaks: bool) -> Story:
    """The story of that kind in `room`; `speaks`: with what has to be told."""
    course = kind.course
    way = course.way if course.way != "either" else str(rng.choice(("left", "left", "removed")))
    owner, spot = _owner(rng, room, course)
    thing = _thing(rng, room, spot, course)
    arrives, goes = owner.marks[1].at, owner.marks[2].at
    put, away = arrives + 1.0, _away(owner, spot, room)
    where = (_box(thing, spot, room),)
    walkers: list[Walker] = [owner]
    events: tuple[Event, ...] = ()
    if way == "removed":
        props = (_stands(thing, spot, -1.0, goes - 0.8 if speaks else LASTS + 1),)
        if speaks:
            events = (Event("object-removed", away, LASTS + 9, where, due=away + SECONDS),)
    elif not speaks:
        # Taken along; or nobody had anything.
        props = _carried(owner, thing, spot, put, goes - 0.8) if rng.random() < 0.6 else ()
    elif way == "fetched":
        back = replace(owner, marks=_again(owner, away + SECONDS + 6.0))
        taken = back.marks[2].at - 0.8
        props = _carried(owner, thing, spot, put, taken)[:2]
        walkers.append(back)
        events = (Event("object-left", away, taken, where, due=away + SECONDS),)
    else:
        props = _carried(owner, thing, spot, put, LASTS + 1)[:2]
        events = (Event("object-left", away, LASTS + 9, where, due=away + SECONDS),)
    walkers += _others(rng, room, course, spot, put)
    if kind.more:
        people, others = kind.more(rng, room)
        walkers += people
        props += others
    lens = {"lens": kind.lens(rng)} if kind.lens else {}
    return Story(_RULES[0], LASTS, tuple(walkers), events, props=props, more=_RULES[1:], **lens)


# Who is there


def _owner(rng: Rng, room: Room, course: Course) -> tuple[Walker, Mark]:
    """Who comes, stands and goes; and where the thing is."""
    x, y = rng.uniform(0.3, 0.7), rng.uniform(0.55, 0.9)
    way, side = int(rng.choice((-1, 1))), int(rng.choice((-1, 1)))
    spot = Mark(0.0, x + side * rng.uniform(0.3, 0.55) * _wide(room, y), y - 0.005)
    pace = 0.24 * (0.4 + 0.6 * room.scale)
    away = course.pace * (0.4 + 0.6 * room.scale)
    begin = rng.uniform(3, 6)
    ends = (-0.15, 1.15)[::way]
    out = ends[1] if rng.random() < 0.6 else ends[0]
    there = begin + abs(x - ends[0]) / pace
    gone = there + rng.uniform(3, 6)
    marks = (
        Mark(begin, ends[0], y + rng.uniform(-0.1, 0.1)),
        Mark(there, x, y),
        Mark(gone, x, y),
        Mark(gone + abs(out - x) / away, out, y + rng.uniform(-0.1, 0.1)),
    )
    return Walker(marks, int(rng.integers(4)), sways=True), spot


def _others(rng: Rng, room: Room, course: Course, spot: Mark, put: float) -> list[Walker]:
    """Who passes, who stands before the thing, and who stands beside it."""
    people = []
    for _ in range(course.crowd):
        pace = rng.uniform(0.12, 0.3) * (0.4 + 0.6 * room.scale)
        begin, ends = rng.uniform(-4, LASTS - 8), (-0.15, 1.15)[:: int(rng.choice((-1, 1)))]
        y = rng.uniform(0.45, 0.97)
        marks = Mark(begin, ends[0], y), Mark(begin + 1.3 / pace, ends[1], y)
        people.append(Walker(marks, int(rng.integers(4))))
    if course.blocked:
        people.append(_visitor(rng, room, (spot.x, min(spot.y + 0.06, 0.98)), put + 4, 5.0))
    if course.beside:
        x = spot.x + float(rng.choice((-1, 1))) * rng.uniform(0.6, 0.9) * _wide(room, spot.y)
        people.append(_visitor(rng, room, (x, spot.y - 0.02), put - 12, 60.0))
    return people


def _visitor(rng: Rng, room: Room, place: tuple[float, float], at: float, stay: float) -> Walker:
    """Somebody who is at `place` (x, y) from `at` for `stay` seconds."""
    x, y = place
    end, pace = float(rng.choice((-0.15, 1.15))), 0.24 * (0.4 + 0.6 * room.scale)
    walk = abs(x - end) / pace
    marks = (
        Mark(at - walk, end, y), Mark(at, x, y), Mark(at + stay, x, y),
        Mark(at + stay + walk, end, y),
    )  # fmt: skip
    return Walker(marks, int(rng.integers(4)), sways=True)


def _again(owner: Walker, at: float) -> tuple[Mark, ...]:
    """The owner's way back: the same as the first time, a little shorter there."""
    first = owner.marks
    walk = first[1].at - first[0].at
    return (
        replace(first[0], at=at - walk), replace(first[1], at=at), replace(first[2], at=at + 2.5),
        replace(first[3], at=at + 2.5 + walk),
    )  # fmt: skip


def _away(owner: Walker, spot: Mark, room: Room, reach: float = 1.0) -> float:
    """When the owner has gone further than `reach` of the own height from the thing, for good."""
    times = np.arange(owner.marks[0].at, owner.marks[-1].at, 0.05).tolist()
    near = [
        now for now in times
        if (at := owner.at(now))
        and abs(at[0].x - spot.x) - 0.18 * _wide(room, at[0].y) <= reach * _wide(room, at[0].y)
    ]  # fmt: skip
    return near[-1]


def _wide(room: Room, y: float) -> float:
    """A person's height there, in widths of the picture."""
    height, width = room.picture.shape[:2]
    return room.tall(y) * height / width


# What is there


def _thing(rng: Rng, room: Room, spot: Mark, course: Course) -> Layer:
    """The thing, as large and as bright as it has to be there."""
    height, width = room.picture.shape[:2]
    high = round(rng.uniform(*course.size) * room.tall(spot.y) * height)
    wide = round(high * rng.uniform(0.75, 1.3))
    size = max(wide, 13), min(max(high, 13), 90)
    colour = _COLOURS[int(rng.integers(len(_COLOURS)))]
    if course.pale:
        x, y = round(spot.x * width), round(spot.y * height)
        around = room.picture[max(y - high, 0) : y, max(x - wide // 2, 0) : x + wide // 2]
        floor = around.reshape(-1, 3).mean(axis=0)
        share = float(rng.choice((rng.uniform(0.7, 0.8), rng.uniform(1.2, 1.35))))
        tone = np.clip(floor * share * rng.uniform(0.96, 1.04, 3), 0, 250)
        colour = int(tone[0]), int(tone[1]), int(tone[2])
    return bag_layer(list(KINDS)[int(rng.integers(len(KINDS)))], size, colour)


def _box(thing: Layer, spot: Mark, room: Room) -> Box:
    """Where it stands; its layer is twice as wide, for the shadow."""
    height, width = room.picture.shape[:2]
    high, half = thing.shape[0] / height, thing.shape[1] / width / 4
    return spot.x - half, spot.y - high, spot.x + half, spot.y


def _stands(thing: Layer, spot: Mark, begin: float, end: float) -> Prop:
    return Prop(thing, (replace(spot, at=begin), replace(spot, at=end)))


def _carried(owner: Walker, thing: Layer, spot: Mark, put: float, taken: float) -> tuple[Prop, ...]:
    """The thing on its owner's way: in the hand until `put`, standing, and from `taken` on."""
    aside = spot.x - owner.marks[1].x
    lifted = [replace(m, x=m.x + aside, y=m.y + 0.002) for m in owner.marks]
    before = Prop(thing, (*lifted[:2], replace(lifted[1], at=put)))
    after = Prop(thing, (replace(lifted[2], at=taken), *lifted[2:]))
    return before, _stands(thing, spot, put, taken), after


def _sitter(rng: Rng, room: Room) -> tuple[tuple[Walker, ...], tuple[Prop, ...]]:
    """Somebody sits still for most of a minute, whom the detector loses for seconds."""
    x, y = (
        float(rng.choice((rng.uniform(0.08, 0.2), rng.uniform(0.8, 0.92)))),
        rng.uniform(0.5, 0.7),
    )
    who = _visitor(rng, room, (x, y), 6.0, 70.0)
    marks = who.marks[0], who.marks[1], *(replace(m, stoop=0.65) for m in _seated(who.marks))
    begins = np.sort(rng.uniform(9, 44, 3)).tolist()
    unseen = tuple((begin, begin + rng.uniform(2, 14)) for begin in begins)
    return (replace(who, marks=marks, unseen=unseen),), ()


def _stander(rng: Rng, room: Room) -> tuple[tuple[Walker, ...], tuple[Prop, ...]]:
    """Somebody waits, whom the detector loses for seconds."""
    x, y = (
        float(rng.choice((rng.uniform(0.08, 0.2), rng.uniform(0.8, 0.92)))),
        rng.uniform(0.5, 0.8),
    )
    who = _visitor(rng, room, (x, y), rng.uniform(6, 10), 30.0)
    begins = np.sort(rng.uniform(12, 40, 2)).tolist()
    unseen = tuple((begin, begin + rng.uniform(3, 12)) for begin in begins)
    return (replace(who, unseen=unseen),), ()


def _seated(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    return replace(marks[1], at=marks[1].at + 1.0), marks[2]


def _car(rng: Rng, room: Room) -> tuple[tuple[Walker, ...], tuple[Prop, ...]]:
    """A car drives into the picture, stops for a quarter of a minute, and goes on."""
    y = rng.uniform(0.44, 0.52)
    high = round(0.85 * room.tall(y) * room.picture.shape[0])
    wide = round(2.5 * high)
    layer = np.zeros((high, wide, 4), np.float32)
    colour = [*rng.uniform(20, 210, 3).tolist(), 1.0]
    _fill(layer, (0, high // 2), (wide, high * 9 // 10), colour)
    _fill(layer, (wide // 5, 0), (wide * 4 // 5, high // 2), colour)
    _fill(layer, (wide // 4, high // 9), (wide * 3 // 4, high // 2), [60, 52, 44, 1.0])
    for x in (wide // 5, wide * 4 // 5):
        _fill(layer, (x - high // 6, high * 3 // 4), (x + high // 6, high), [20, 20, 20, 1])
    x, at = rng.uniform(0.3, 0.7), rng.uniform(10, 16)
    ends = (-0.3, 1.3)[:: int(rng.choice((-1, 1)))]
    stop = at + rng.uniform(14, 22)
    marks = Mark(at - 4, ends[0], y), Mark(at, x, y), Mark(stop, x, y), Mark(stop + 4, ends[1], y)
    return (), (Prop(layer, marks),)


def _chair(rng: Rng, room: Room) -> tuple[tuple[Walker, ...], tuple[Prop, ...]]:
    """A chair or a trolley that somebody moves by a part of its own width."""
    height, width = room.picture.shape[:2]
    x, y = (
        float(rng.choice((rng.uniform(0.05, 0.12), rng.uniform(0.88, 0.95)))),
        rng.uniform(0.55, 0.8),
    )
    high = max(round(0.5 * room.tall(y) * height), 14)
    wide = round(high * 0.8)
    layer = np.zeros((high, wide, 4), np.float32)
    colour = [*rng.uniform(20, 120, 3).tolist(), 1.0]
    _fill(layer, (0, 0), (wide // 7, high), colour)
    _fill(layer, (0, high // 2), (wide, high * 3 // 5), colour)
    _fill(layer, (wide * 6 // 7, high // 2), (wide, high), colour)
    who = _visitor(rng, room, (x, y - 0.01), rng.uniform(9, 14), 3.0)
    at, shift = who.marks[1].at + 1.0, float(rng.choice((-1, 1))) * rng.uniform(0.2, 0.6)
    there = x + shift * wide / width
    marks = Mark(-1, x, y), Mark(at, x, y), Mark(at + 1, there, y), Mark(LASTS + 1, there, y)
    return (who,), (Prop(layer, marks),)


def _fill(
    layer: Layer, corner: tuple[int, int], other: tuple[int, int], colour: list[float]
) -> None:
    """A filled rectangle; `colour` is blue, green, red and how opaque."""
    layer[corner[1] : other[1], corner[0] : other[0]] = colour


_EITHER = Course("either")
_OUTDOORS = "square", "corner"
_INDOORS = "mall", "lobby", "clip"
SCENES: dict[str, Kind] = {
    "left": Kind(Course()),
    "left, slowly": Kind(Course(pace=0.07)),
    "left, small": Kind(Course(size=(0.1, 0.16))),
    "left, large": Kind(Course(size=(0.42, 0.55))),
    "left, pale": Kind(Course(pale=True)),
    "left, crowd": Kind(Course(crowd=8, blocked=True)),
    "left, bystander": Kind(Course(beside=True)),
    "left, fetched": Kind(Course("fetched")),
    "removed": Kind(Course("removed")),
    "removed, crowd": Kind(Course("removed", crowd=8)),
    "removed, pale": Kind(Course("removed", pale=True)),
    "sun": Kind(_EITHER, lambda rng: disturbances.window(rng, wanders=False), places=_INDOORS),
    "wandering sun": Kind(
        _EITHER, lambda rng: disturbances.window(rng, wanders=True), places=_INDOORS
    ),
    "low sun": Kind(_EITHER, disturbances.shade),
    "clouds": Kind(_EITHER, disturbances.clouds, places=_OUTDOORS),
    "leaves": Kind(_EITHER, disturbances.leaves, places=_OUTDOORS),
    "exposure": Kind(_EITHER, disturbances.exposure),
    "shake": Kind(_EITHER, disturbances.shake),
    "codec": Kind(_EITHER, disturbances.compression),
    "screen": Kind(_EITHER, disturbances.screen),
    "door": Kind(_EITHER, disturbances.door),
    "car": Kind(_EITHER, more=_car, places=_OUTDOORS),
    "chair": Kind(_EITHER, more=_chair),
    "sitter": Kind(_EITHER, more=_sitter),
    "stander": Kind(_EITHER, more=_stander),
}
"""By what one sees there."""
