"""Closer looks: which part of a frame the detector should see once more, larger.

The detector sees each frame whole, in a few hundred pixels, and who is far away is a few pixels
tall there. Where something moves and it has seen nobody, and where somebody small is followed whom
it has not seen this time, a square of the frame is shown to it again. At most one a frame: whose
turn was longest ago comes first, and those beside him who fit into the square are looked at, too.

Lengths are pixels of the frame, times seconds on the frame's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2

from edge_runtime.analysis.boxes import iou
from edge_runtime.analysis.glance import Grey
from edge_runtime.analysis.motion import FEWEST, beside, spots
from edge_runtime.analysis.places import Places
from edge_runtime.analysis.region import Region
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, Track, TrackState

SMALL = 0.37
"""By the picture's height: the look at the whole cannot be relied on for who is less tall."""

_SIDE = 1.8
"""A square's side, by how tall is who it is for."""
_WIDEST = 3.0
"""The same, where others are to be in it: each is found less often in a larger one."""
_LEAST_SIDE = 64
"""What is enlarged more than from this is only more blurred."""
_LEAST_TALL = 16
"""Nobody is told from anything else who is less tall."""
_FLATTEST = 2.5
"""Width by height of what moves: what is flatter is a shadow on the ground."""
_BORDER = 0.01
"""By the frame: what is so near to its border comes in or leaves, and is whole or gone soon.

Where looks at what is new were in vain lately, it is not looked at.
"""
_STEP = 16
"""Sides are multiples of it."""
_MARGIN = 0.2
"""How far one is to be from the square's border, by how tall one is."""
_SEEN = 0.6
"""A track was seen where a box has more than this (intersection over union) in common with it."""
_FOUND = 0.3
"""A closer look has found a track where a box has more than this in common with it."""
_FIRST_REST = 0.1
"""Seconds for which somebody is let be who was not found; doubled with each time."""
_LONGEST_REST, _LONGEST_FOR_NEWCOMERS = 1.6, 1.0
"""To so much, for a track and for all who are new."""
_LONGEST_WAIT = 1.0
"""What was never looked at does not come before somebody who has waited for longer."""

Size = tuple[int, int]
"""A frame's width and height."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """When somebody was looked at last, and for how long he is to be let be since."""

    at: float
    rest: float = 0.0

    def due(self, now: float) -> bool:
        """Whether it is to be looked at again."""
        return now - self.at >= self.rest

    def next(self, now: float, *, found: bool, longest: float) -> _Turn:
        """It was looked at, and was found, or not."""
        return _Turn(now, 0.0 if found else min(max(2 * self.rest, _FIRST_REST), longest))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Somebody, or something that moves, to be looked at.

    Attributes:
        box: where.
        tall: how tall it is thought to be.
        waits: seconds since its last turn.
        track: whose turn it is; None where it is nobody's.
        doubtful: whether it is forgotten, if it is not seen again at once.
    """

    box: Box
    tall: float
    waits: float
    track: int | None = None
    doubtful: bool = False


class CloserLooks:
    """Chooses the closer looks at one camera's frames."""

    def __init__(self, rate: float, begins: Callable[[str], float]) -> None:
        """Begin with nobody.

        Args:
            rate: the most closer looks a second, > 0.
            begins: the score from which a detection of a class is believed.
        """
        self._period = 1.0 / rate
        self._begins = begins
        self._due = float("-inf")
        self._turns: dict[int, _Turn] = {}
        self._newcomers = _Turn(float("-inf"))
        self._places = Places()
        self._candidates: list[_Candidate] = []

    def worth(self, moved: Grey, tracks: Iterable[Track], now: float) -> bool:
        """Whether something small moves that is none of `tracks` and was not looked at in vain.

        `moved` is a small picture, 0 where nothing moves.
        """
        unit = 1, 1
        enough = cv2.countNonZero(moved) >= FEWEST  # else there is no spot, whoever is known
        return (
            enough
            and self._newcomers.due(now)
            and any(
                self._places.waiting(box, now) is not None
                for box in spots(beside(moved, (track.box for track in tracks), unit), unit)
            )
        )

    def choose(
        self, moved: Grey, tracks: Sequence[Track], found: Detections, size: Size, now: float
    ) -> Region | None:
        """What to look at again of a frame of `size`; None where nothing needs it.

        Args:
            moved: as above.
            tracks: who is followed, with boxes where they are foretold to be.
            found: what was seen in the whole frame.
            size: the frame's width and height.
            now: the frame's timestamp.
        """
        self._turns = {t.id: self._turns.get(t.id) or _Turn(t.last_seen) for t in tracks}
        if now < self._due - 0.1 * self._period:  # frames come with jitter
            return None
        known = [(track, scaled(track.box, size)) for track in tracks]
        self._candidates = [
            each
            for each in (
                *self._unseen(known, found, now),
                *self._new(moved, known, found, size, now),
            )
            if each.tall < SMALL * size[1]
        ]
        if not self._candidates:
            return None
        self._due = max(self._due, now - self._period) + self._period
        self._candidates.sort(key=lambda each: (not each.doubtful, -each.waits))
        return _square(self._candidates, size)

    def looked(self, region: Region, near: Detections, moved: Grey, size: Size, now: float) -> None:
        """The chosen look at `region` has seen `near`, in pixels of the frame."""
        inside = [each for each in self._candidates if region.contains(each.box)]
        seen = near.boxes.tolist()
        for each in inside:
            if each.track is not None:
                found = any(iou(each.box, box) > _FOUND for box in seen)
                turn = self._turns[each.track]
                self._turns[each.track] = turn.next(now, found=found, longest=_LONGEST_REST)
        if self._candidates[0].track is None:
            self._newcomers = self._newcomers.next(
                now, found=bool(seen), longest=_LONGEST_FOR_NEWCOMERS
            )
        square = region.x, region.y, region.x + region.side, region.y + region.side
        self._places.looked(
            _shares(square, size),
            moved,
            [_shares(each.box, size) for each in inside],
            [_shares(tuple(box), size) for box in seen],
            now,
        )

    def _unseen(
        self, known: Iterable[tuple[Track, Box]], found: Detections, now: float
    ) -> Iterator[_Candidate]:
        """Who is followed, and was not seen, or not well, in the whole frame."""
        seen = found.boxes.tolist()
        for track, box in known:
            turn = self._turns[track.id]
            if turn.due(now) and all(iou(box, other) <= _SEEN for other in seen):
                doubtful = track.state is TrackState.TENTATIVE
                yield _Candidate(box, _tall(box), now - turn.at, track.id, doubtful)

    def _new(
        self,
        moved: Grey,
        known: Sequence[tuple[Track, Box]],
        found: Detections,
        size: Size,
        now: float,
    ) -> Iterator[_Candidate]:
        if self._newcomers.due(now):
            yield from self._unsure(known, found, size, now)
            yield from self._moving(moved, known, found, size, now)

    def _unsure(
        self, known: Iterable[tuple[Track, Box]], found: Detections, size: Size, now: float
    ) -> Iterator[_Candidate]:
        """What was seen, but not surely enough to be believed, and nobody is known there."""
        for index, box in enumerate(found.boxes.tolist()):
            unsure = found.scores[index] < self._begins(found.label(index))
            if unsure and all(iou(box, other) <= _SEEN for _, other in known):
                yield from self._something(tuple(box), _tall(box), size, now)

    def _moving(
        self,
        moved: Grey,
        known: Iterable[tuple[Track, Box]],
        found: Detections,
        size: Size,
        now: float,
    ) -> Iterator[_Candidate]:
        """What moves, and nobody was seen or is known there."""
        boxes = [*(box for _, box in known), *found.boxes.tolist()]
        for box in spots(beside(moved, boxes, size), size):
            tall = max(_tall(box), 1.2 * (box[2] - box[0]))
            if tall >= _LEAST_TALL and box[2] - box[0] <= _FLATTEST * _tall(box):
                yield from self._something(box, tall, size, now)

    def _something(self, box: Box, tall: float, size: Size, now: float) -> Iterator[_Candidate]:
        part = _shares(box, size)
        waits = self._places.waiting(part, now)
        cut = min(part) < _BORDER or max(part) > 1 - _BORDER
        if waits is not None and not (cut and self._newcomers.rest):
            yield _Candidate(box, tall, min(waits, _LONGEST_WAIT))


def must_have_seen(region: Region | None, size: Size) -> Callable[[Box], bool]:
    """Whether who is in a box, in 0..1, had to be seen in the whole frame or in `region`."""
    return lambda box: (
        box[3] - box[1] >= SMALL or (region is not None and region.contains(scaled(box, size)))
    )


def scaled(box: Box, size: Size) -> Box:
    """A box in 0..1 of a frame of `size`, in pixels."""
    width, height = size
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def _shares(box: Box, size: Size) -> Box:
    width, height = size
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def _square(candidates: Sequence[_Candidate], size: Size) -> Region:
    """The square for the first of `candidates`, with as many of the others as fit into it."""
    first, *others = candidates
    inside, most = _padded(first), min(size)
    least = min(max(_SIDE * first.tall, _longer(inside), _LEAST_SIDE), most)
    widest = min(max(_WIDEST * first.tall, least), most)
    for other in others:
        both = _union(inside, _padded(other))
        if _longer(both) <= widest and 2 * other.tall >= first.tall:
            inside = both
    side = min(-(-round(max(least, _longer(inside))) // _STEP) * _STEP, most)
    x, y = (
        min(max(round((low + high - side) / 2), 0), end - side)
        for low, high, end in zip(inside[:2], inside[2:], size, strict=True)
    )
    return Region(x, y, side)


def _padded(each: _Candidate) -> Box:
    margin = _MARGIN * each.tall
    x1, y1, x2, y2 = each.box
    return x1 - margin, y1 - margin, x2 + margin, y2 + margin


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _longer(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _tall(box: Box) -> float:
    return box[3] - box[1]
