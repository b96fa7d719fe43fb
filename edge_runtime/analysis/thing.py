"""One still object while it is watched: whether it is there still, and what is a part of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_runtime.analysis.blobs import PixelBox, part_of
from edge_runtime.analysis.empty_scene import EmptyScene
from edge_runtime.analysis.outlines import Picture
from edge_runtime.analysis.planes import Bytes, Colours, Mask, grown
from edge_runtime.scene import Change

STILL_SECONDS = 2.0
"""For so long a pixel has to keep still before it is believed."""
_COVERED, _THERE = 0.3, 0.4
"""A thing is still there while so much of it is hidden by people, or so much is to be seen."""
_NEAR, GAP = 0.5, 4
"""Things so near to each other, by the size of the smaller one or in pixels, may be one."""
_MORE = 1.5
"""What comes into view near a thing is a part of it, if it is not so many times larger."""
_TOGETHER, _IN_PIECES = 1.5, 10.0
"""What changes beside a thing within so many seconds of it is its shadow; what comes as it does, or
goes, within so many seconds is more of it, also where it is larger."""
_UNLIKE = 12.0, 36.0
"""A pixel of a thing that is still there looks different by half of what it differs by from the
ground, but by these levels at least and at most."""
_SUNLIT = 0.4, 2.5
"""By how much it may become darker or brighter when a shadow, or the sun, falls on it."""
AROUND = 3
"""Pixels around a thing that are its own, too: its blurred border."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look at the scene."""

    now: float
    picture: Picture
    people: Mask
    changed: Mask


@dataclass(eq=False)
class Thing:
    """A still object while it is watched.

    Attributes:
        id: 0: it is not told yet.
        change: whether it came or went.
        mask: which pixels are its own, H x W.
        since: when it began to keep still.
        last: when it was there last.
        sure: as in `StillObject`.
        looks: what is to be seen at its box.
        ground: what is remembered of the empty scene there.
        hidden: whether nothing of it was to be seen at the latest look.
    """

    id: int
    change: Change
    mask: Mask
    since: float
    last: float
    sure: float
    looks: Colours
    ground: Colours
    hidden: bool = False

    def __post_init__(self) -> None:
        self.around = grown(self.mask, AROUND)
        self.area = int(np.count_nonzero(self.mask))
        x, y, wide, high = cv2.boundingRect(self.mask.view(np.uint8))
        self.box: PixelBox = x, y, x + wide, y + high

    def add(self, part: Thing, picture: Picture, scene: EmptyScene) -> None:
        """`part` of it was hidden so far."""
        self.mask |= part.mask
        self.__post_init__()
        self.looks = picture.colours[part_of(self.box)].astype(np.float32)
        self.ground = scene.picture.colours[part_of(self.box)].copy()

    def look(self, look: Look, scene: EmptyScene) -> None:
        """Whether it is there, as far as can be seen."""
        where = part_of(self.box)
        own = self.mask[where]
        shown = look.changed[where] & own
        same = shown & self._is_alike(look.picture.colours[where], scene.picture.colours[where])
        if np.count_nonzero(same) < _THERE * self.area:
            same = shown & self._is_lit(look.picture.colours[where], scene.picture.colours[where])
        # What is something else hides it as long as it moves; then it has taken its place.
        rests = scene.still[where] >= STILL_SECONDS
        hidden = (look.people[where] & own) | (shown & ~same & ~rests)
        seen = np.count_nonzero(same) >= _THERE * self.area
        self.hidden = not seen
        if seen or np.count_nonzero(hidden) >= _COVERED * self.area:
            self.last = look.now

    def _is_lit(self, colours: Bytes, ground: Colours) -> Mask:
        """Which pixels look as they did, but for a light that falls on the thing alone.

        Where the same light on the ground would explain them as well, it has gone.
        """
        own = self.mask[part_of(self.box)]
        lit, bare = (
            each * np.clip(np.median((colours[own] + 2.0) / (each[own] + 2.0)), *_SUNLIT)
            for each in (self.looks, ground)
        )
        apart, from_ground = (np.abs(colours - each).max(axis=2) for each in (lit, bare))
        unlike = np.clip(0.5 * np.abs(lit - bare).max(axis=2), *_UNLIKE)
        return np.asarray((apart <= unlike) & (apart < from_ground), np.bool_)

    def _is_alike(self, colours: Bytes, ground: Colours) -> Mask:
        """Which pixels look as they did, in the light of now, and not as the ground does."""
        lit = self.looks * np.float32((ground.mean() + 2) / (self.ground.mean() + 2))
        apart = np.abs(colours - lit).max(axis=2)
        unlike = np.clip(0.5 * np.abs(lit - ground).max(axis=2), *_UNLIKE)
        return np.asarray(apart <= unlike, np.bool_)


def is_part(new: Thing, thing: Thing) -> bool:
    """Whether `new` is more of `thing`: it was hidden, is as bright as the floor, or its shadow."""
    apart = abs(new.since - thing.since)
    small = new.area <= _MORE * thing.area
    if small and new.change is thing.change:
        return _are_near(new, thing)
    touches = _apart(new, thing) <= GAP
    if new.change is thing.change:
        return touches and apart <= _IN_PIECES
    return touches and small and apart <= _TOGETHER


def _are_near(one: Thing, other: Thing) -> bool:
    """Whether they are no further apart than `_NEAR` of the size of the smaller one."""
    size = min(max(t.box[2] - t.box[0], t.box[3] - t.box[1]) for t in (one, other))
    return _apart(one, other) <= max(_NEAR * size, GAP)


def _apart(one: Thing, other: Thing) -> int:
    """Pixels between their boxes."""
    return max(
        max(one.box[0], other.box[0]) - min(one.box[2], other.box[2]),
        max(one.box[1], other.box[1]) - min(one.box[3], other.box[3]),
    )
