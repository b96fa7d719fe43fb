"""One story a rule, told twice: with what the rule is for, and the same with that taken out.

A story says who walks where and when, what stands there, and what has to be told of it. The room's
zone `machine` and its line `door` are the same in all of them. Times and ways differ with the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from edge_runtime.analysis.zones import Zone
from edge_runtime.scoring.events import Event
from edge_runtime.tracks import Box
from tests.scenes import daily, lens, things
from tests.scenes.people import Mark, Prop, Walker, tall_at
from tests.scenes.truth import Scene, Span, chained

MACHINE = ((0.36, 0.62), (0.64, 0.62), (0.68, 0.96), (0.32, 0.96))
"""The zone on the floor before the machine."""
DOOR = ((0.5, 0.99), (0.5, 0.5))
"""The line: who walks to the right comes in."""
DAY = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 11, 25, 23, 0, tzinfo=UTC).timestamp()

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag that stands in `box` from `start` to `end`; something hides the part `hidden` of it."""

    start: float
    end: float
    box: Box
    hidden: float = 0.0
    colour: tuple[int, int, int] = things.BROWN


@dataclass(frozen=True, slots=True)
class Story:
    """What happens.

    Attributes:
        rule: the table of its rule.
        seconds: how long it lasts.
        walkers: who is there.
        events: what has to be told.
        bags: what stands there.
        covered: the walkers whose faces are hidden.
        wall: Unix seconds of its first frame.
        lens: what happens to the picture as a whole.
        props: what else stands there, or moves.
        more: the tables of further rules.
    """

    rule: Mapping[str, Any]
    seconds: float
    walkers: tuple[Walker, ...] = ()
    events: tuple[Event, ...] = ()
    bags: tuple[Bag, ...] = ()
    covered: frozenset[int] = frozenset()
    wall: float = DAY
    lens: Scene = field(default=lambda frames: (frames, ()))
    props: tuple[Prop, ...] = ()
    more: tuple[Mapping[str, Any], ...] = ()


Teller = Callable[[Rng, bool], Story]
"""Tells a story by chance; True: with what has to be told."""


# How people walk


def passes(
    start: float, *, y: float = 0.8, way: int = 1, pace: float = 0.22, look: int = 0
) -> Walker:
    """Walks through the picture at `y`, to the right (1) or to the left (-1)."""
    ends = (-0.15, 1.15)[::way]
    return Walker((Mark(start, ends[0], y), Mark(start + 1.3 / pace, ends[1], y)), look)


def visits(
    start: float, stay: float, *, x: float = 0.5, y: float = 0.8, way: int = 1, look: int = 0
) -> Walker:
    """Comes, stands at (`x`, `y`) for `stay` seconds, and goes on."""
    ends = (-0.15, 1.15)[::way]
    there = start + abs(x - ends[0]) / 0.22
    gone = there + stay
    left = gone + abs(ends[1] - x) / 0.22
    marks = Mark(start, ends[0], y), Mark(there, x, y), Mark(gone, x, y), Mark(left, ends[1], y)
    return Walker(marks, look)


def within(walker: Walker, polygon: Sequence[tuple[float, float]] = MACHINE) -> tuple[float, float]:
    """When the walker's feet are first and last in a zone."""
    zone = Zone("zone", tuple(polygon))
    times = np.arange(walker.marks[0].at, walker.marks[-1].at, 0.05).tolist()
    inside = [t for t in times if (at := walker.at(t)) and zone.contains((at[0].x, at[0].y))]
    return (inside[0], inside[-1]) if inside else (np.inf, -np.inf)


def crosses(walker: Walker) -> float:
    """When the walker comes over the door's line."""
    times = np.arange(walker.marks[0].at, walker.marks[-1].at, 0.05).tolist()
    sides = [(t, at[0].x >= DOOR[0][0]) for t in times if (at := walker.at(t))]
    return next(
        t for (t, side), (_, before) in zip(sides[1:], sides, strict=False) if side != before
    )


def _event(kind: str, start: float, end: float, after: float = 0.0) -> tuple[Event, ...]:
    return (Event(kind, start, max(end, start + after + 0.1), due=start + after),)


def _someone(rng: Rng) -> dict[str, Any]:
    return {
        "way": int(rng.choice((-1, 1))),
        "look": int(rng.integers(4)),
        "y": rng.uniform(0.76, 0.86),
    }


def _rule(kind: str, **keys: Any) -> dict[str, Any]:
    return {"kind": kind, **keys}


# The stories


def presence(rng: Rng, speaks: bool) -> Story:
    """Somebody stands in the zone; or beside it."""
    who = visits(rng.uniform(2, 5), rng.uniform(4, 8), x=0.5, **_someone(rng))
    if not speaks:
        who = _elsewhere(who)
    start, end = within(who)
    events = _event("presence", start, end, 1.0) if speaks else ()
    return Story(_rule("presence", zone="machine"), 26, (who,), events)


def intrusion(rng: Rng, speaks: bool) -> Story:
    """Somebody is there at night; or at noon."""
    who = visits(rng.uniform(2, 5), rng.uniform(3, 6), **_someone(rng))
    start, end = within(who)
    closed = {"from": "08:00", "to": "18:00", "outside": True}
    events = _event("intrusion", start, end, 1.0) if speaks else ()
    rule = _rule("intrusion", zone="machine", schedule=closed)
    return Story(rule, 26, (who,), events, wall=NIGHT if speaks else DAY)


def loitering(rng: Rng, speaks: bool) -> Story:
    """Somebody stays for long; or two for a short time each, one after the other."""
    first = visits(2, 21 if speaks else rng.uniform(6, 8), **_someone(rng))
    others = () if speaks else (visits(first.marks[-1].at + 0.5, 7, **_someone(rng)),)
    start, end = within(first)
    events = _event("loitering", start, end, 15.0) if speaks else ()
    return Story(_rule("loitering", zone="machine", seconds=15.0), 40, (first, *others), events)


def crowd(rng: Rng, speaks: bool) -> Story:
    """Three stand there at the same time; or two."""
    places = ((0.42, 0.72), (0.52, 0.82), (0.6, 0.9))
    looks = rng.permutation(4)
    people = tuple(
        visits(2 + 1.5 * n + rng.uniform(0, 1), 14, x=x, y=y, look=int(looks[n]))
        for n, (x, y) in enumerate(places[: 3 if speaks else 2])
    )
    start, end = _together(people)
    events = _event("crowd", start, end, 3.0) if speaks else ()
    return Story(_rule("crowd", zone="machine", count=3, seconds=3.0), 32, people, events)


def queue(rng: Rng, speaks: bool) -> Story:
    """Three wait; or three walk through, one after the other."""
    looks = rng.permutation(4)
    if speaks:
        people = tuple(
            visits(2 + 1.2 * n, 17, x=x, y=y, look=int(looks[n]))
            for n, (x, y) in enumerate(((0.6, 0.9), (0.52, 0.81), (0.44, 0.72)))
        )
    else:
        people = tuple(
            passes(2 + rng.uniform(2, 3) * n, y=0.7 + 0.08 * n, look=int(looks[n]), pace=0.15)
            for n in range(3)
        )
    start, end = _together(people)
    events = _event("queue", start, end, 6.0) if speaks else ()
    return Story(_rule("queue", zone="machine", count=3, seconds=6.0), 34, people, events)


def second_person(rng: Rng, speaks: bool) -> Story:
    """Another joins the one at the machine; or passes behind, outside of the zone."""
    first = visits(2, 18, x=0.44, y=0.84, look=0)
    look = int(rng.integers(1, 4))
    start = rng.uniform(7, 9)
    if speaks:
        second = visits(
            start, rng.uniform(5, 8), x=0.6, y=rng.uniform(0.76, 0.86), way=-1, look=look
        )
    else:
        second = passes(start, y=0.57, way=-1, look=look)
    begin, end = _together((first, second)) if speaks else (0.0, 0.0)
    events = _event("second-person", begin, end, 2.0) if speaks else ()
    return Story(_rule("second-person", zone="machine"), 32, (first, second), events)


def line_crossing(rng: Rng, speaks: bool) -> Story:
    """Somebody comes in; or comes up to the line and turns back."""
    someone = _someone(rng) | {"way": 1}
    who = passes(rng.uniform(2, 5), **someone)
    if not speaks:
        at = who.marks[0].at
        y, reach = who.marks[0].y, rng.uniform(0.38, 0.44)
        marks = (
            Mark(at, -0.15, y),
            Mark(at + 3, reach, y),
            Mark(at + 6, reach, y),
            Mark(at + 9, -0.15, y),
        )
        who = replace(who, marks=marks)
    events = _event("line-crossing", crosses(who), crosses(who)) if speaks else ()
    return Story(_rule("line-crossing", line="door", direction="in"), 18, (who,), events)


def wrong_way(rng: Rng, speaks: bool) -> Story:
    """Somebody goes out through the entrance; or comes in."""
    who = passes(rng.uniform(2, 5), **(_someone(rng) | {"way": -1 if speaks else 1}))
    events = _event("wrong-way", crosses(who), crosses(who)) if speaks else ()
    return Story(_rule("wrong-way", line="door", permitted="in"), 16, (who,), events)


def tailgating(rng: Rng, speaks: bool) -> Story:
    """A second one follows closely; or well after."""
    looks = rng.permutation(4)
    first = passes(rng.uniform(2, 4), look=int(looks[0]), y=0.84)
    later = rng.uniform(1.4, 2.4) if speaks else rng.uniform(5, 7)
    second = passes(first.marks[0].at + later, look=int(looks[1]), y=rng.uniform(0.74, 0.84))
    at = crosses(second)
    events = _event("tailgating", at, at) if speaks else ()
    return Story(_rule("tailgating", line="door"), 22, (first, second), events)


def covered_face(rng: Rng, speaks: bool) -> Story:
    """Who stands at the machine shows no face; or does."""
    who = visits(2, rng.uniform(11, 14), **_someone(rng))
    start, end = within(who)
    events = _event("covered-face", start, end, 5.0) if speaks else ()
    covered = frozenset({0}) if speaks else frozenset()
    return Story(_rule("covered-face", zone="machine"), 30, (who,), events, covered=covered)


def object_left(rng: Rng, speaks: bool) -> Story:
    """Somebody goes without the bag that he put down; or takes it along, or has none.

    Later another passes, or stands still near the bag; the light may change, and sunlight or a
    shadow may fall on the floor and stay. Some bags are half hidden.
    """
    who = visits(4, rng.uniform(5, 8), x=0.5, **_someone(rng))
    placed = who.marks[1].at + 1.0
    hidden = float(rng.choice((0.0, 0.0, 0.5)))
    colour = (things.BROWN, things.BLACK, things.GREY)[int(rng.integers(3))]
    taken = 46.0 if speaks else who.marks[2].at - 1.0
    bag = Bag(placed, taken, _bag_box(rng, who.marks[1].y), hidden, colour)
    left = _gone_far(who, bag.box)
    way, start = int(rng.choice((-1, 1))), rng.uniform(24, 27)
    other = rng.choice((0, 1))
    others = (
        passes(start, y=0.66, look=3, way=way) if other else visits(start, 9, x=0.35, y=0.7, look=3)
    )  # fmt: skip
    seed = int(rng.integers(99))
    lenses: tuple[Scene, ...] = (
        chained(),
        daily.light(20.0, 60.0, 0.8),
        daily.patch(17.0, 60.0, 1.5, seed),
        daily.patch(17.0, 60.0, 0.6, seed),
    )
    weather = lenses[int(rng.integers(4))]
    bags = (bag,) if speaks or rng.random() < 0.5 else ()
    events = _event("object-left", left, 46.0, 8.0) if speaks else ()
    rule = _rule("object-left", seconds=8.0)
    return Story(rule, 42, (who, others), events, bags, lens=weather)


def object_removed(rng: Rng, speaks: bool) -> Story:
    """Somebody goes with the bag that stood there; or leaves it where it is."""
    who = visits(8, rng.uniform(4, 6), x=0.5, **_someone(rng))
    taken = who.marks[2].at - 1.0 if speaks else 99.0
    bag = Bag(-1.0, taken, _bag_box(rng, who.marks[1].y))
    events = _event("object-removed", _gone_far(who, bag.box), 46.0, 8.0) if speaks else ()
    return Story(_rule("object-removed", seconds=8.0), 40, (who,), events, (bag,))


def person_down(rng: Rng, speaks: bool) -> Story:
    """Somebody falls and does not get up; or crouches for a moment."""
    someone = _someone(rng)
    who = visits(2, 22, x=rng.uniform(0.4, 0.6), **someone)
    at = who.marks[1].at + rng.uniform(2, 4)
    if speaks:
        marks = *who.marks[:2], replace(who.marks[2], at=34.0)
        who = replace(who, marks=marks, falls=at)
    else:
        x, y = who.marks[1].x, who.marks[1].y
        stoops = (
            Mark(at, x, y),
            Mark(at + 0.8, x, y, 0.5),
            Mark(at + 2.8, x, y, 0.5),
            Mark(at + 3.6, x, y),
        )
        who = replace(who, marks=(*who.marks[:2], *stoops, *who.marks[2:]))
    events = _event("person-down", at, 34.0, 4.0) if speaks else ()
    return Story(_rule("person-down"), 32, (who,), events)


def camera_health(rng: Rng, speaks: bool) -> Story:
    """Something is done to the camera; or it is a day like any other."""
    who = visits(rng.uniform(1, 20), 6, **_someone(rng))
    start = rng.uniform(14, 16)
    span = Span(start, start + 1.0, start + 9)
    seed = int(rng.integers(1000))
    tampering: tuple[Scene, ...] = (
        lens.cover(span),
        lens.cover(span, hand=True),
        lens.spray(replace(span, full=start + 3), seed),
        lens.defocus(span),
        lens.turn(span),
        lens.freeze(start, start + 9),
        lens.glare(span),
        lens.dusk(span),
        lens.interference(span, seed),
    )
    days: tuple[Scene, ...] = (
        daily.light(start, start + 5),
        daily.headlights(start, start + 8, seed),
        daily.close_person(span, seed),
        chained(),
    )
    chosen = tampering if speaks else days
    change = chosen[seed % len(chosen)]
    events = change(())[1]
    return Story(_rule("presence", zone="machine", seconds=900.0), 32, (who,), events, lens=change)


STORIES: dict[str, Teller] = {
    "presence": presence,
    "intrusion": intrusion,
    "loitering": loitering,
    "crowd": crowd,
    "queue": queue,
    "second-person": second_person,
    "line-crossing": line_crossing,
    "wrong-way": wrong_way,
    "tailgating": tailgating,
    "covered-face": covered_face,
    "object-left": object_left,
    "object-removed": object_removed,
    "person-down": person_down,
    "camera-health": camera_health,
}
"""By the kind of rule that it is about."""


def _elsewhere(walker: Walker) -> Walker:
    """The same way, but with feet that are never in the zone."""
    return replace(walker, marks=tuple(replace(mark, y=0.57) for mark in walker.marks))


def _together(people: Sequence[Walker]) -> tuple[float, float]:
    """From when to when all of them are in the zone."""
    spans = [within(each) for each in people]
    return max(start for start, _ in spans), min(end for _, end in spans)


def _gone_far(walker: Walker, thing: Box, reach: float = 1.0) -> float:
    """When somebody has gone further from `thing` than `reach` of the own height, for good."""
    times = np.arange(walker.marks[0].at, walker.marks[-1].at, 0.05).tolist()
    near = [t for t in times if (at := walker.at(t)) and _apart(at[0], thing) <= reach]
    return near[-1]


def _apart(mark: Mark, thing: Box) -> float:
    """How far the feet are from `thing` across the picture, in the own heights."""
    tall = tall_at(mark.y) * 9 / 16
    half = 0.18 * tall
    return max(thing[0] - mark.x - half, mark.x - half - thing[2], 0.0) / tall


def _bag_box(rng: Rng, y: float) -> Box:
    """On the floor beside who stands at (0.5, `y`): 0.4% to 1.5% of the picture."""
    wide = rng.uniform(0.05, 0.09)
    high = wide * rng.uniform(1.4, 1.9)
    x = 0.5 + float(rng.choice((-1, 1))) * rng.uniform(0.1, 0.14)
    return x - wide / 2, y - high, x + wide / 2, y
