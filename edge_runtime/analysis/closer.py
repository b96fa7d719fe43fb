"""Closer looks: which part of a frame the detector should see once more, larger.

The detector sees each frame whole, in a few hundred pixels, and there who is far away is a few
pixels tall. Where something moves that it has seen nobody in, or where somebody small was who has
to be followed, a square of the frame is shown to it again. At most one a frame: whose turn is
longest ago comes first, and neighbours who fit into the square are looked at with him.

Lengths are pixels of the frame, times seconds on the frame's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import exp, inf

import numpy as np

from edge_runtime.analysis.boxes import area, common, covered, iou
from edge_runtime.analysis.glance import Grey
from edge_runtime.analysis.motion import spots
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.tracks import Box, Track, TrackState

SMALL = 0.37
"""Who is less tall than this share of the picture, the look at the whole cannot be relied on for."""

_SIDE = 2.0
"""A square's side, by how tall is who it is for: of few pixels more, he is found less often."""
_WIDEST = 3.0
"""The same, where neighbours are to be in it."""
_LEAST_SIDE = 64
"""Pixels: what is larger in the detector's eyes is only more blurred."""
_STEP = 16
"""Sides are multiples of it."""
_MARGIN = 0.2
"""How far from the square's border one is to be, by how tall one is."""
_CUT = 0.02
"""What comes so near to the square's border, by its side, is cut off by it."""
_SAME = 0.3
"""A detection that has so much (intersection over union) in common with a track is its."""
_INSIDE = 0.75
"""A box of which so much lies in another is a part of that, or the other a group of such."""
_AROUND = 0.3, 0.15
"""What moves so near to a box, across and down, by how tall it is, belongs to it."""
_FIRST_REST, _LONGEST_REST = 0.25, 4.0
"""Seconds for which motion is let be in which a look has found nobody; doubled with each."""
_PLACES = 16
"""In so many columns (and as high rows) the frame is divided to remember that."""
_NEWCOMER = 1.0
"""So long ago the last look counts to have been where none was."""
_TOO_MANY = 2.0
"""Frames that were dropped lately: no more closer looks."""
_LATELY = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
"""Seconds without closer looks after frames were dropped; doubled with each time."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame of (`width`, `height`): its upper left corner and its sides."""

    x: int
    y: int
    width: int
    height: int

    @property
    def box(self) -> Box:
        """As a box, in pixels."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    def cut(self, image: Image) -> Image:
        """That part of `image`: a view, no copy."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    def contains(self, box: Box, margin: float = 0.0) -> bool:
        """Whether `box`, in pixels of the frame, lies in it with so much around."""
        x1, y1, x2, y2 = self.box
        return (
            box[0] - x1 >= margin
            and box[1] - y1 >= margin
            and x2 - box[2] >= margin
            and y2 - box[3] >= margin
        )


@dataclass(slots=True, eq=False)
class _Candidate:
    """Something that may be worth a look: where, how tall, whose turn it is and since when."""

    box: Box
    tall: float
    waits: float
    track: int | None = None
    urgent: bool = False


@dataclass(slots=True)
class _Place:
    """A part of the picture in which something moves: when it was looked at, in vain for what."""

    looked: float = -inf
    rest: float = 0.0


class CloserLooks:
    """Chooses closer looks at one camera's frames."""

    def __init__(self, rate: float, begins: Callable[[str], float]) -> None:
        """Begin.

        Args:
            rate: the most closer looks a second, > 0.
            begins: the score from which a detection of a class begins a track.
        """
        self._period = 1.0 / rate
        self._begins = begins
        self._due = -inf
        self._load = _Load()
        self._turns: dict[int, float] = {}
        self._places: dict[tuple[int, int], _Place] = {}
        self._candidates: list[_Candidate] = []

    def arrived(self, frame: Frame) -> None:
        """To be called with every frame, also with those that the detector does not see."""
        self._load.add(frame)

    def choose(
        self, frame: Frame, moved: Grey, tracks: Sequence[Track], found: Detections
    ) -> Region | None:
        """The part of `frame` to look at again; None where it would not pay, or costs too much.

        Args:
            frame: the frame.
            moved: not 0 where something moves; a small picture of any width.
            tracks: who is followed, with boxes where they are foretold to be now.
            found: what was seen in the whole frame.
        """
        now = frame.timestamp
        self._turns = {t.id: self._turns.get(t.id, t.last_seen) for t in tracks}
        if self._load.paused or now < self._due - 0.1 * self._period:
            return None
        size = frame.width, frame.height
        self._candidates = [
            *self._unseen(tracks, found, size, now),
            *self._unsure(tracks, found, size, now),
            *self._moving(moved, tracks, found, size, now),
        ]
        if not self._candidates:
            return None
        self._due = max(self._due, now - self._period) + self._period
        order = sorted(self._candidates, key=lambda each: (not each.urgent, -each.waits))
        return _around(order, size)

    @property
    def paused(self) -> bool:
        """Whether no closer looks are taken, since frames were dropped."""
        return self._load.paused

    def took(self, region: Region, near: Detections, now: float) -> None:
        """The look at `region` has seen `near`, in pixels of the frame."""
        boxes: list[Box] = [tuple(box) for box in near.boxes.tolist()]
        for each in self._candidates:
            if not region.contains(each.box):
                continue
            if each.track is not None:
                self._turns[each.track] = now
                continue
            place = self._places.setdefault(self._place(each.box), _Place())
            place.looked = now
            if any(common(each.box, box) for box in boxes):
                place.rest = 0.0
            else:
                place.rest = min(max(2 * place.rest, _FIRST_REST), _LONGEST_REST)

    def _unseen(
        self, tracks: Sequence[Track], found: Detections, size: tuple[int, int], now: float
    ) -> Iterator[_Candidate]:
        """Small ones who are followed, and whom the look at the whole has not seen."""
        seen = found.boxes.tolist()
        for track in tracks:
            box = _pixels(track.box, size)
            tall = _tall(box)
            if tall >= SMALL * size[1] or any(iou(box, tuple(other)) > _SAME for other in seen):
                continue
            tentative = track.state is TrackState.TENTATIVE
            yield _Candidate(box, tall, now - self._turns[track.id], track.id, tentative)

    def _unsure(
        self, tracks: Sequence[Track], found: Detections, size: tuple[int, int], now: float
    ) -> Iterator[_Candidate]:
        """Small ones whom the look at the whole is not sure of, and nobody follows."""
        known = [_pixels(track.box, size) for track in tracks]
        for index, row in enumerate(found.boxes.tolist()):
            box: Box = tuple(row)
            if (
                found.scores[index] < self._begins(found.label(index))
                and _tall(box) < SMALL * size[1]
                and all(iou(box, other) <= _SAME for other in known)
            ):
                yield from self._new(box, _tall(box), now)

    def _moving(
        self,
        moved: Grey,
        tracks: Sequence[Track],
        found: Detections,
        size: tuple[int, int],
        now: float,
    ) -> Iterator[_Candidate]:
        """What moves and is nobody who was seen or is followed."""
        known = [*(_pixels(t.box, size) for t in tracks), *map(tuple, found.boxes.tolist())]
        for box in spots(_without(moved, known, size), size):
            tall = max(_tall(box), 1.2 * (box[2] - box[0]))
            if tall < SMALL * size[1]:
                yield from self._new(box, tall, now)

    def _new(self, box: Box, tall: float, now: float) -> Iterator[_Candidate]:
        place = self._places.get(self._place(box), _Place())
        if now - place.looked >= place.rest:
            yield _Candidate(box, tall, min(now - place.looked, _NEWCOMER))

    def _place(self, box: Box) -> tuple[int, int]:
        return int((box[0] + box[2]) / 2 // 48), int((box[1] + box[3]) / 2 // 48)


class _Load:
    """Whether frames are dropped, so that what is not needed has to be given up."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._before = 0.0
        self._dropped = 0.0
        self._resume = -inf
        self._pause = _FIRST_PAUSE
        self.paused = False

    def add(self, frame: Frame) -> None:
        now = frame.timestamp
        if self._number is not None:
            self._dropped *= exp((self._before - now) / _LATELY)
            self._dropped += max(frame.number - self._number - 1, 0)
        self._number, self._before = frame.number, now
        if now - self._resume > _LONGEST_PAUSE:
            self._pause = _FIRST_PAUSE
        if self._dropped > _TOO_MANY and now >= self._resume:
            self._resume, self._dropped = now + self._pause, 0.0
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self.paused = now < self._resume


def missed(region: Region | None, size: tuple[int, int]) -> Callable[[Box], bool]:
    """Whether a look at the whole and one at `region` must have seen who is in a box, in 0..1."""

    def asked(box: Box) -> bool:
        if box[3] - box[1] >= SMALL:
            return True
        return region is not None and region.contains(_pixels(box, size))

    return asked


def merged(
    whole: Detections, near: Detections, region: Region, size: tuple[int, int]
) -> tuple[Detections, Detections]:
    """What was seen in the whole frame and in `region` of it, each object once.

    Args:
        whole: seen in the whole frame.
        near: seen in `region`, in pixels of it.
        region: where.
        size: the frame's width and height.
    """
    near = placed(near, region, size)
    if not len(near):
        return whole, near
    kept_whole = np.ones(len(whole), bool)
    kept_near = np.ones(len(near), bool)
    for n, row in enumerate(whole.boxes.tolist()):
        box: Box = tuple(row)
        for m, other_row in enumerate(near.boxes.tolist()):
            other: Box = tuple(other_row)
            if whole.class_ids[n] != near.class_ids[m] or covered(box, other) < 0.5:
                continue
            # What lies wholly in the region was seen better there: a group in parts, a part whole.
            if region.contains(box) or iou(box, other) > 0.5:
                kept_whole[n] = False
            elif covered(box, other) > _INSIDE and area(other) < area(box):
                kept_near[m] = False
    a, b = whole.where(kept_whole), near.where(kept_near)
    scores = np.concatenate([a.scores, b.scores])
    order = np.argsort(-scores, kind="stable")
    return Detections(
        np.concatenate([a.boxes, b.boxes])[order],
        scores[order],
        np.concatenate([a.class_ids, b.class_ids])[order],
        whole.labels,
    ), near


def placed(near: Detections, region: Region, size: tuple[int, int]) -> Detections:
    """What was seen in `region`, in pixels of the frame, without what the border has cut off."""
    width, height = size
    margin = max(_CUT * region.height, 1.0)
    offset = np.array([region.x, region.y] * 2, np.float32)
    boxes = near.boxes + offset
    x1, y1, x2, y2 = region.box
    whole = (
        ((boxes[:, 0] > x1 + margin) | (x1 == 0))
        & ((boxes[:, 1] > y1 + margin) | (y1 == 0))
        & ((boxes[:, 2] < x2 - margin) | (x2 == width))
        & ((boxes[:, 3] < y2 - margin) | (y2 == height))
    )
    return Detections(boxes, near.scores, near.class_ids, near.labels).where(whole)


def _without(moved: Grey, known: Iterable[Box], size: tuple[int, int]) -> Grey:
    """`moved`, with 0 where somebody is known to be."""
    rest = moved.copy()
    across, down = moved.shape[1] / size[0], moved.shape[0] / size[1]
    for x1, y1, x2, y2 in known:
        aside, above = (share * (y2 - y1) for share in _AROUND)
        left, top = max(int((x1 - aside) * across), 0), max(int((y1 - above) * down), 0)
        right, bottom = int((x2 + aside) * across) + 1, int((y2 + above) * down) + 1
        rest[top : max(bottom, 0), left : max(right, 0)] = 0
    return rest


def _around(order: Sequence[_Candidate], size: tuple[int, int]) -> Region:
    """The square for the first of `order`, with as many of the others as fit into it."""
    first, *others = order
    most = min(*size)
    least = min(max(_SIDE * first.tall, _longer(_padded(first)), _LEAST_SIDE), most)
    widest = min(max(_WIDEST * first.tall, least), most)
    inside = _padded(first)
    for other in others:
        both = _union(inside, _padded(other))
        if _longer(both) <= widest and other.tall * 2 >= first.tall:
            inside = both
    side = min(-(-int(max(least, _longer(inside))) // _STEP) * _STEP, most)
    x = round((inside[0] + inside[2] - side) / 2)
    y = round((inside[1] + inside[3] - side) / 2)
    return Region(
        min(max(x, 0), size[0] - side), min(max(y, 0), size[1] - side), side, side
    )


def _padded(each: _Candidate) -> Box:
    pad = _MARGIN * each.tall
    x1, y1, x2, y2 = each.box
    return x1 - pad, y1 - pad, x2 + pad, y2 + pad


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _longer(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _tall(box: Box) -> float:
    return box[3] - box[1]


def _pixels(box: Box, size: tuple[int, int]) -> Box:
    width, height = size
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height
