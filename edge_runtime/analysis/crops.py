"""Heads of followed people as pictures of their own, and which of them is looked at next.

A box of a person has the head at the middle of its upper edge, about half as wide as the box: that
holds for who stands as for a bust. Where the box holds a head alone, half of it is seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2

from edge_runtime.frame import Frame, Image
from edge_runtime.tracks import Box, Track

Square = tuple[int, int, int]
"""x1, y1 and the length of a side, in pixels."""

HEAD = 0.5
"""A head's square by the width of the person's box: on heads pasted onto a person in the drawn
lobby, a classifier of heads was right most often from 0.5 to 0.55 (tests/unit/service/
test_second_look.py)."""
LEAST_SIDE = 40
"""Pixels below which a head is not looked at: classifiers of heads see nothing there."""
_ABOVE = 0.1
"""A bust begins so far above the box, in the box's widths."""
_SAMPLE = 64
"""Pixels to which a head is scaled before its sharpness is measured, so that heads of different
sizes compare."""
_ENOUGH = 96
"""Pixels beyond which a larger head is not a better one: the classifier sees no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The upper part of a followed person at one moment.

    Attributes:
        track: whose.
        at: seconds on the frame's clock.
        bust: a square around head and shoulders, H x W x 3 uint8 BGR, as far as it is in the
            picture.
        place: the head in it.
        quality: how good a picture it is, above 0; to be compared with others of the same person.
    """

    track: int
    at: float
    bust: Image
    place: Square
    quality: float

    @property
    def image(self) -> Image:
        """The head alone, a view."""
        return cut(self.bust, self.place)


class HeadChooser:
    """Keeps the best head of each person since the last look, and says whose turn it is."""

    def __init__(self, rate: float) -> None:
        """Begin with nobody.

        Args:
            rate: the most heads a second, above 0.
        """
        self._pause = 1 / rate
        self._best: dict[int, Head] = {}
        self._looked: dict[int, float] = {}
        self._last = float("-inf")

    def offer(self, frame: Frame, tracks: Iterable[Track]) -> None:
        """The heads of `tracks` in `frame`; of who is not among them, nothing is kept.

        `tracks` are those that are asked about and were seen in this frame.
        """
        best: dict[int, Head] = {}
        for track in tracks:
            known, new = self._best.get(track.id), head_of(frame, track)
            if new and (known is None or new.quality > known.quality):
                best[track.id] = replace(new, bust=new.bust.copy())
            elif known:
                best[track.id] = known
        self._best = best

    def choose(self, now: float) -> Head | None:
        """The head that is to be looked at `now`, or None while nobody's turn has come.

        First whom nobody has looked at, then who waits longest.
        """
        if not self._best or now - self._last < self._pause:
            return None
        never = float("-inf")
        head = min(self._best.values(), key=lambda h: (self._looked.get(h.track, never), h.track))
        del self._best[head.track]
        self._last = now
        self._looked = {t: at for t, at in self._looked.items() if t in self._best}
        self._looked[head.track] = now
        return head


def head_of(frame: Frame, track: Track) -> Head | None:
    """The head of `track`, a view of `frame`; None where too little of it is to be seen."""
    bust, head = squares(track.box, (frame.width, frame.height))
    if head[2] < LEAST_SIDE:
        return None
    around = cut(frame.image, bust)
    top, left = max(bust[1], 0), max(bust[0], 0)
    place = head[0] - left, head[1] - top, head[2]
    image = cut(around, place)
    if min(image.shape[:2]) < LEAST_SIDE:  # it reaches out of the picture
        return None
    size = min(min(image.shape[:2]) / _ENOUGH, 1.0)
    quality = track.score * size * sharpness(image)
    return Head(track.id, frame.timestamp, around, place, quality)


def squares(box: Box, size: tuple[int, int]) -> tuple[Square, Square]:
    """The bust and the head of the person in `box`, in pixels of a picture of `size` (w, h).

    They may reach out of the picture.
    """
    width, height = size
    left, top = box[0] * width, box[1] * height
    across = (box[2] - box[0]) * width
    side = HEAD * across
    head = round(left + (across - side) / 2), round(top), round(side)
    bust = round(left), round(top - _ABOVE * across), round(across)
    return bust, head


def cut(image: Image, square: Square) -> Image:
    """The part of `image` in `square`, a view, as far as there is one."""
    x, y, side = square
    return image[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]


def sharpness(image: Image) -> float:
    """How much fine detail there is, 1 or more: the second derivative's root mean square."""
    small = cv2.resize(image, (_SAMPLE, _SAMPLE), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return 1.0 + cv2.norm(cv2.Laplacian(grey, cv2.CV_16S)) / _SAMPLE
