"""Still objects: what keeps still and was not there before, and what is missing.

Two pictures of the scene are kept, one that changes within a second and one that remembers the
empty scene (after Porikli, Ivanov and Haga, "Robust Abandoned Object Detection Using Dual
Foregrounds", 2008): what agrees with the first and not with the second has changed and keeps still.
Whether something came or went is told by its outline, as usual in the literature (e.g. Tian et al.,
"Robust detection of abandoned and removed objects in complex surveillance videos", 2011): who came
has its edges in the picture of now, what went had them in the picture of before, and a shadow or a
patch of light has weak ones, or leaves what it falls on as it was.

Whoever is tracked is left out: behind a person nothing is learned, and nothing is decided.
Who is no longer found by the detector but still stands there is taken for the same person.

The work is done a few times a second, on a small grey picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.outlines import Judgement, Picture, judge
from edge_runtime.frame import Frame, Image
from edge_runtime.scene import Change, StillObject
from edge_runtime.tracks import Box, Track, TrackState

Mask = NDArray[np.bool_]

_WIDTH = 240
"""How wide the picture is made: a bag of 25 pixels in 768 has 8 left."""
_INTERVAL = 0.25
"""Seconds between two looks."""
_MOVED = 10
"""By how many grey levels a pixel differs that has not kept still."""
_BLUR = (3, 3)
_STILL_SECONDS = 2.0
"""For so long a pixel has to keep still before it is believed."""
_LEARN_SECONDS = 1.0
_FOLLOW_SECONDS, _FORGET_SECONDS = 5.0, 30.0
"""Time constants with which the memory follows the daylight, and what has changed and is no
object."""
_LONGEST_STEP = 2.0
"""After a gap in the frames nobody knows what kept still meanwhile."""
_NEW_LIGHT = 0.4
"""From this part of the picture on, a change is one of the light or of the camera."""
_GONE_SECONDS = 1.5
_MARGIN = 0.08
"""By how much of its size a tracked box is enlarged before nothing is decided in it."""
_COVERED = 0.3
"""A thing of which so much is hidden by people is left as it was."""
_PERSON_SIZED = 0.35
"""A blob of this part of the box of somebody lost there is that person."""
_GHOST_SECONDS = 300.0
_LOOKS = 3
"""At so many looks in a row the same has to be said of a blob."""


@dataclass(frozen=True, slots=True)
class StillSettings:
    """What is looked for.

    Attributes:
        level: by how many grey levels an object differs from what is behind it, 1..255.
        smallest: the part of the picture that it covers at least, above 0.
        largest: the part of the picture that it covers at most, up to 1.
        memory: seconds after which what has changed belongs to the scene.
    """

    level: int = 18
    smallest: float = 0.001
    largest: float = 0.08
    memory: float = 1800.0

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 255:
            raise ValueError(f"level is in 1..255, not {self.level}")
        if not 0 < self.smallest < self.largest <= 1:
            raise ValueError("smallest and largest are fractions, the smaller one first")


@dataclass(slots=True, eq=False)
class _Thing:
    """A still object while it is watched; `box` is (x1, y1, x2, y2) in small pixels."""

    id: int
    change: Change
    box: tuple[int, int, int, int]
    area: int
    since: float
    last: float
    sure: float

    def see(self, box: tuple[int, int, int, int], area: int, now: float, *, hidden: bool) -> None:
        """A blob of it is to be seen at `now`; `hidden`: people may stand before the rest."""
        if self.last == now:
            self.box, self.area = _union(self.box, box), self.area + area
        elif hidden:
            self.box, self.area = _union(self.box, box), max(self.area, area)
        else:
            self.box, self.area = box, area
        self.last = now


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What was said of a blob that is not believed yet, and at how many looks in a row."""

    box: tuple[int, int, int, int]
    change: Change
    looks: int


@dataclass(slots=True, eq=False)
class _Memory:
    """What is known of each pixel."""

    background: Picture
    """The empty scene, float32."""
    known: Mask
    """Where the empty scene has been seen."""
    recent: NDArray[np.int16]
    """The picture of the last second."""
    still: NDArray[np.float32]
    """Seconds since it moved."""

    @classmethod
    def of(cls, picture: Picture) -> _Memory:
        grey = picture.grey
        return cls(
            Picture(grey.astype(np.float32), picture.colours.astype(np.float32)),
            np.zeros(grey.shape, np.bool_),
            grey.astype(np.int16),
            np.zeros(grey.shape, np.float32),
        )


class StillObjects:
    """Watches one camera."""

    def __init__(self, settings: StillSettings | None = None) -> None:
        self._settings = settings or StillSettings()
        self._memory: _Memory | None = None
        self._things: list[_Thing] = []
        self._doubts: list[_Doubt] = []
        self._seen: dict[int, Box] = {}
        self._ghosts: dict[int, tuple[Box, float]] = {}
        self._next_id = 1
        self._looked = float("-inf")
        self._told: tuple[StillObject, ...] = ()

    def step(self, frame: Frame, tracks: Iterable[Track]) -> tuple[StillObject, ...]:
        """What is there by now; frames come in the order of their timestamps."""
        now = frame.timestamp
        if now - self._looked < _INTERVAL - 1e-3:
            return self._told
        elapsed, self._looked = min(now - self._looked, _LONGEST_STEP), now
        picture = _shrink(frame.image)
        grey = picture.grey
        if self._memory is None or self._memory.known.shape != grey.shape:
            self._memory, self._things = _Memory.of(picture), []
        people = self._people(tuple(tracks), grey.shape, now)
        _keep_recent(self._memory, picture, people, elapsed)
        self._look(self._memory, picture, people, now, elapsed)
        height, width = grey.shape
        self._told = tuple(
            StillObject(
                t.id,
                t.change,
                (t.box[0] / width, t.box[1] / height, t.box[2] / width, t.box[3] / height),
                t.since,
                t.sure,
            )
            for t in self._things
        )
        return self._told

    def _look(
        self, memory: _Memory, picture: Picture, people: Mask, now: float, elapsed: float
    ) -> None:
        """One look, `elapsed` seconds after the last: compare, decide, learn."""
        difference = picture.grey - memory.background.grey
        free = memory.known & ~people
        sample = difference[::3, ::3][free[::3, ::3]]
        light = float(np.median(sample)) if sample.size else 0.0
        away = np.abs(difference - light) > self._settings.level
        changed = away & free
        if np.count_nonzero(changed) > _NEW_LIGHT * np.count_nonzero(free):
            self._new_light(memory, picture, free, light)
            return
        kept = self._decide(memory, picture, changed, people, now)
        quiet = ~people & ~kept & (memory.still >= _LEARN_SECONDS)
        _learn(memory, picture, away, quiet, elapsed)

    def _decide(
        self, memory: _Memory, picture: Picture, changed: Mask, people: Mask, now: float
    ) -> Mask:
        """Bring the things up to date; return the pixels that must not be learned."""
        kept = np.zeros(changed.shape, np.bool_)
        still = (changed & (memory.still >= _STILL_SECONDS)).astype(np.uint8)
        closed = cv2.morphologyEx(still, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
        least, most = (part * changed.size for part in _limits(self._settings))
        doubts: list[_Doubt] = []
        for number, (x, y, width, height, area) in enumerate(stats.tolist()):
            if number == 0 or not least <= area <= most:
                continue
            box = x, y, x + width, y + height
            thing = next((t for t in self._things if _same(t.box, box)), None)
            if thing is not None:
                x1, y1, x2, y2 = thing.box
                thing.see(box, area, now, hidden=bool(people[y1:y2, x1:x2].any()))
            elif self._is_person(box, changed.shape):
                kept[y : y + height, x : x + width] = True
            else:
                blob = labels[y : y + height, x : x + width] == number
                judgement = judge(picture, memory.background, box, blob)
                if judgement is None:
                    continue
                looks = self._looks(box, judgement.change) + 1
                if looks < _LOOKS:
                    doubts.append(_Doubt(box, judgement.change, looks))
                else:
                    self._begin(judgement, box, area, memory, now)
        self._doubts = doubts
        self._end(changed, people, now)
        for thing in self._things:
            x1, y1, x2, y2 = thing.box
            kept[max(y1 - 2, 0) : y2 + 2, max(x1 - 2, 0) : x2 + 2] = True
        return kept

    def _looks(self, box: tuple[int, int, int, int], change: Change) -> int:
        """At how many looks up to the last one the same was said of what is at `box`."""
        return max(
            (d.looks for d in self._doubts if d.change is change and _same(d.box, box)), default=0
        )

    def _begin(
        self,
        judgement: Judgement,
        box: tuple[int, int, int, int],
        area: int,
        memory: _Memory,
        now: float,
    ) -> None:
        x1, y1, x2, y2 = box
        since = now - min(float(np.median(memory.still[y1:y2, x1:x2])), 5.0)
        thing = _Thing(self._next_id, judgement.change, box, area, since, now, judgement.sure)
        self._things.append(thing)
        self._next_id += 1

    def _end(self, changed: Mask, people: Mask, now: float) -> None:
        """Forget the things that are there no more, or for so long that they belong there."""
        left: list[_Thing] = []
        for thing in self._things:
            if any(_same(thing.box, other.box) for other in left):
                continue  # two parts of it were found before the whole
            x1, y1, x2, y2 = thing.box
            hidden = people[y1:y2, x1:x2]
            there = np.count_nonzero(changed[y1:y2, x1:x2])
            if np.mean(hidden) >= _COVERED or there >= 0.4 * thing.area:
                thing.last = now
            if now - thing.since > self._settings.memory:
                assert self._memory is not None
                self._memory.known[y1:y2, x1:x2] = False
            elif now - thing.last <= _GONE_SECONDS:
                left.append(thing)
        self._things = left

    def _new_light(self, memory: _Memory, picture: Picture, free: Mask, light: float) -> None:
        """So much has changed that it is the light, or the camera: learn the scene anew.

        Things stay what they are: behind them the memory only becomes as much brighter.
        """
        settled = memory.still >= _LEARN_SECONDS
        if np.mean(settled[free]) < 0.8:
            return
        kept = np.zeros(free.shape, np.bool_)
        for thing in self._things:
            x1, y1, x2, y2 = thing.box
            kept[y1:y2, x1:x2] = True
        fresh = free & ~kept
        for known, seen in _pairs(memory.background, picture):
            known[kept] += light
            known[fresh] = seen[fresh]

    def _people(self, tracks: tuple[Track, ...], shape: tuple[int, ...], now: float) -> Mask:
        """Where somebody is; and remember where somebody was lost."""
        mask = np.zeros(shape, np.bool_)
        for track in tracks:
            mask[_pixels(_enlarged(track.box), shape)] = True
        seen = {t.id: t.box for t in tracks if t.state is TrackState.CONFIRMED}
        for track_id, box in self._seen.items():
            if track_id not in seen and not _at_edge(box):
                self._ghosts[track_id] = box, now
        self._ghosts = {
            ghost: (box, at)
            for ghost, (box, at) in self._ghosts.items()
            if ghost not in seen and now - at <= _GHOST_SECONDS
        }
        self._seen = seen
        return mask

    def _is_person(self, box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
        """Whether at `box` somebody still stands whose track broke off there."""
        height, width = shape
        x1, y1, x2, y2 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        for a1, b1, a2, b2 in (ghost for ghost, _ in self._ghosts.values()):
            common = max(min(x2, a2) - max(x1, a1), 0) * max(min(y2, b2) - max(y1, b1), 0)
            if common >= _PERSON_SIZED * (a2 - a1) * (b2 - b1):
                return True
        return False


def _limits(settings: StillSettings) -> tuple[float, float]:
    return settings.smallest, settings.largest


def _shrink(image: Image) -> Picture:
    """`image` small and a little blurred."""
    height = max(1, round(image.shape[0] * _WIDTH / image.shape[1]))
    small = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    calm = cv2.blur(small, _BLUR)
    return Picture(cv2.cvtColor(calm, cv2.COLOR_BGR2GRAY), calm)


def _pairs(a: Picture, b: Picture) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
    return (a.grey, b.grey), (a.colours, b.colours)


def _keep_recent(memory: _Memory, picture: Picture, people: Mask, elapsed: float) -> None:
    """Count for each pixel how long it has kept still; behind people the count stands."""
    levels = picture.grey.astype(np.int16)
    step = levels - memory.recent
    moved = np.abs(step) > _MOVED
    memory.still += np.float32(elapsed) * ~(moved | people)
    memory.still[moved] = 0
    memory.recent += np.clip(step, -1, 1)
    memory.recent[moved] = levels[moved]


def _learn(memory: _Memory, picture: Picture, away: Mask, quiet: Mask, elapsed: float) -> None:
    """Let the memory follow the daylight where it is `quiet`, and learn what is new there."""
    new = quiet & ~memory.known
    follow, forget = (1 - exp(-elapsed / each) for each in (_FOLLOW_SECONDS, _FORGET_SECONDS))
    for share, where in ((follow, ~away), (forget, away), (1.0, new)):
        mask = (quiet & where).view(np.uint8)
        for known, seen in _pairs(memory.background, picture):
            cv2.accumulateWeighted(seen, known, share, mask=mask)
    memory.known |= new


def _same(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Whether half of the smaller one of two boxes lies in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return 2 * width * height >= smaller


def _union(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _enlarged(box: Box) -> Box:
    x1, y1, x2, y2 = box
    across, down = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    return x1 - across, y1 - down, x2 + across, y2 + down


def _pixels(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of an array of `shape` (h, w) that `box` covers, cut off at its edges."""
    height, width = shape
    x1, y1, x2, y2 = box
    rows = slice(max(int(y1 * height), 0), max(int(np.ceil(y2 * height)), 0))
    return rows, slice(max(int(x1 * width), 0), max(int(np.ceil(x2 * width)), 0))


def _at_edge(box: Box) -> bool:
    """Whether who was there may have left the picture."""
    x1, y1, x2, y2 = box
    return x1 < 0.02 or x2 > 0.98 or y1 < 0.005 or y2 > 0.98
