"""Where people are in a small picture, where they may put something down, and where they were lost.

A detector misses people who sit or stand still for long. Whoever was lost within the picture is
thought to be there still, until the place looks empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.blobs import Blob, PixelBox, part_of
from edge_runtime.analysis.planes import Mask
from edge_runtime.tracks import Box, Track, TrackState

_MARGIN = 0.08
"""By how much of its size a tracked box is enlarged: a body may reach out of it."""
_BESIDE = 0.6
"""So far from a person, in the person's heights, one puts things down, and a shadow falls."""
_SHADOW, _FEET, _FLAT = 0.12, 0.3, 0.17
"""What lies so near to somebody's feet, not higher up than this, and is itself no higher, in the
person's heights, may be the shadow."""
_LEFT_SECONDS = 2.0
"""For so long after somebody was beside a place a thing there may be that person's."""
_LATE = 1.0
"""Who came so long after a thing kept still, at most, may have put it down."""
_PERSON_SIZED = 0.35
"""What covers this part of the box of somebody lost is that person."""
_INSIDE, _WAIST = 0.7, 0.6
"""So is what lies within the box by so much, and reaches higher than so far from its top."""
_EMPTY, _FREE = 0.9, 0.5
"""When so much of a place looks empty, of which so much at least is to be seen, nobody is there."""
_GHOST_SECONDS = 300.0
_BROKE_OFF, _ON = 1.5, 3.0
"""Who is seen first at most so many seconds before somebody else was lost, and within so many
heights, may be that one."""


class Bystanders:
    """Follows people in pictures of `shape` (H, W), which are `aspect` times as wide as high."""

    def __init__(self, shape: tuple[int, int], aspect: float) -> None:
        self._shape = shape
        self._aspect = aspect
        self._seen: dict[int, Box] = {}
        self._lost: dict[int, tuple[Box, float]] = {}
        self._visited: NDArray[np.float64] = np.full(shape, -np.inf)
        self._arrived: NDArray[np.float64] = np.full(shape, np.inf)
        self._here: tuple[Box, ...] = ()
        self._now = 0.0

    def where(self, tracks: Iterable[Track]) -> Mask:
        """Where `tracks` are, H x W."""
        people = np.zeros(self._shape, np.bool_)
        for track in tracks:
            people[self._pixels(_enlarged(track.box))] = True
        return people

    def step(self, tracks: tuple[Track, ...], now: float) -> None:
        """These are there at `now`."""
        self._now = now
        here = [t for t in tracks if t.state is TrackState.CONFIRMED]
        seen = {t.id: t.box for t in here}
        new = [t for t in here if t.id not in self._seen and t.id not in self._lost]
        for track_id, box in self._seen.items():
            if track_id not in seen and not _at_edge(box):
                self._lost[track_id] = box, now
        self._lost = {
            track: (box, at)
            for track, (box, at) in self._lost.items()
            if track not in seen
            and now - at <= _GHOST_SECONDS
            and not (track < 0 and any(self._went_on(box, at, t) for t in new))
        }
        self._seen = seen
        self._here = *(t.box for t in tracks), *self._places()
        for box in self._here:
            where = self._pixels(self._reach(box))
            came = now - self._visited[where] > _LEFT_SECONDS
            self._arrived[where][came] = now
            self._visited[where] = now

    def forget_those_gone(self, free: Mask, away: Mask) -> None:
        """Who was lost is gone when of the place all that is `free` to be seen is not `away`."""
        for track, (box, _) in list(self._lost.items()):
            where = self._pixels(box)
            seen = np.count_nonzero(free[where])
            empty = np.count_nonzero(free[where] & ~away[where])
            if seen > _FREE * free[where].size and empty > _EMPTY * seen:
                del self._lost[track]

    def lost(self) -> Mask:
        """Where somebody was lost and may be still."""
        mask = np.zeros(self._shape, np.bool_)
        for box in self._places():
            mask[self._pixels(_enlarged(box))] = True
        return mask

    def is_beside(self, box: PixelBox) -> bool:
        """Whether somebody is beside `box`: what has changed may be that person's shadow."""
        return bool((self._visited[part_of(box)] == self._now).any())

    def casts(self, box: PixelBox) -> bool:
        """Whether `box` lies right at the feet of somebody: it may be that person's shadow."""
        height, width = self._shape
        x1, x2, y = box[0] / width, box[2] / width, (box[1] + box[3]) / 2 / height
        high = (box[3] - box[1]) / height
        for a1, b1, a2, b2 in self._here:
            near = _SHADOW * (b2 - b1)
            across = x1 <= a2 + near / self._aspect and a1 - near / self._aspect <= x2
            flat = high <= _FLAT * (b2 - b1)
            if across and flat and b2 - _FEET * (b2 - b1) <= y <= b2 + near:
                return True
        return False

    def was_beside(self, blob: Blob, since: float) -> bool:
        """Whether somebody may have put down what keeps still `since` then.

        Who came later has not.
        """
        arrived, visited = self._arrived[blob.where], self._visited[blob.where]
        there = (arrived <= since + _LATE) & (since - visited <= _LEFT_SECONDS)
        return bool(there.any())

    def stays_beside(self, mask: Mask) -> bool:
        """Whether somebody was lost beside `mask`, and has not gone."""
        return any(mask[self._pixels(self._reach(box))].any() for box in self._places())

    def is_one(self, box: PixelBox) -> bool:
        """Whether at `box` somebody still stands, or sits, who was lost there.

        A thing at the feet of somebody lost is none, unless it is as large as a person.
        """
        height, width = self._shape
        x1, y1, x2, y2 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        for a1, b1, a2, b2 in self._places():
            common = max(min(x2, a2) - max(x1, a1), 0) * max(min(y2, b2) - max(y1, b1), 0)
            within = common >= _INSIDE * (x2 - x1) * (y2 - y1)
            if within and y1 < b1 + _WAIST * (b2 - b1):
                return True
            if common >= _PERSON_SIZED * (a2 - a1) * (b2 - b1):
                return True
        return False

    def _went_on(self, box: Box, at: float, track: Track) -> bool:
        """Whether `track` is who passed undetected, was lost in `box` at `at`, and walks on."""
        tall = box[3] - box[1]
        across = abs(track.box[0] + track.box[2] - box[0] - box[2]) / 2 * self._aspect
        down = abs(track.box[3] - box[3])
        return track.first_seen >= at - _BROKE_OFF and max(across, down) <= _ON * tall

    def _places(self) -> Iterator[Box]:
        return (box for box, _ in self._lost.values())

    def _reach(self, box: Box) -> Box:
        """Where somebody may put something down."""
        x1, y1, x2, y2 = box
        reach = _BESIDE * (y2 - y1)
        return x1 - reach / self._aspect, y1, x2 + reach / self._aspect, y2 + reach / 3

    def _pixels(self, box: Box) -> tuple[slice, slice]:
        """The part of an array that `box` covers, cut off at its edges."""
        height, width = self._shape
        x1, y1, x2, y2 = box
        rows = slice(max(int(y1 * height), 0), max(int(np.ceil(y2 * height)), 0))
        return rows, slice(max(int(x1 * width), 0), max(int(np.ceil(x2 * width)), 0))


def _enlarged(box: Box) -> Box:
    x1, y1, x2, y2 = box
    across, down = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    return x1 - across, y1 - down, x2 + across, y2 + down


def _at_edge(box: Box) -> bool:
    """Whether who was there may have left the picture."""
    x1, y1, x2, y2 = box
    return x1 < 0.02 or x2 > 0.98 or y1 < 0.005 or y2 > 0.98
