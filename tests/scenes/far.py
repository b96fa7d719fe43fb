"""Far cameras: people 25 to 100 pixels tall, on a square, at a street corner, in a mall.

The ways are those of `walkers`, the people are cut out of the real clip while they walk, seen from
behind and from the side, and the ground is drawn, or the clip's own empty room. A real detector
looks at the pictures; the truth says who is where.

`far_score` measures on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.frame import Image
from edge_runtime.tracks import Box
from tests.scenes import outdoor, places
from tests.scenes.people import EMPTY, Layer, empty_room, frames_of, pasted, shade
from tests.scenes.walkers import Person, Place, bodies, people

SIZE = (768, 576)
"""Of the pictures, in pixels."""

FAR = {
    # From a roof, over a square.
    "square": Place(8.0, 0.34, 1.15, 6, far=0.33),
    # From a lamp post, with two posts in view.
    "corner": Place(
        5.0, 0.22, 1.15, 4, far=0.42,
        pillars=(((0.30, 0.0, 0.33, 0.72), 14.0), ((0.70, 0.0, 0.73, 0.66), 18.0)),
    ),
    # From a gallery.
    "mall": Place(6.0, 0.36, 1.1, 4, stops=0.5, far=0.3),
}  # fmt: skip

_BEHIND = ((74, 83), (239, 247), (516, 523), (757, 764), (938, 946), (1248, 1253))
_ASIDE = ((187, 189), (685, 690), (853, 858), (1187, 1190))
"""Frames of the clip, first and last, in which one after another walks: away, and to the right."""
_PACE = 9.0
"""Frames of a walk a second."""
_SOON = 0.2
"""Seconds over which it is asked where somebody goes."""
_TINTS = 0.55, 1.5
"""Clothes differ by so much in each colour."""
_NOISE = 2.0


class Ground(StrEnum):
    """What a far scene is drawn on."""

    DRAWN = "drawn"
    """The place itself, by code; on the square the wind moves the trees."""
    CLIP = "clip"
    """The real clip's room, with nobody in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who may walk: each by the pictures of a few steps.

    Attributes:
        room: the room that they were cut out of, empty.
        behind: seen from behind.
        aside: seen from the side, walking to the right.
    """

    room: Image

    behind: tuple[tuple[Layer, ...], ...]
    aside: tuple[tuple[Layer, ...], ...]

    @classmethod
    def of(cls, clip: Path) -> Cast:
        """The six of the real clip."""
        spans = (*_BEHIND, *_ASIDE)
        wanted = [n for first, last in spans for n in range(first, last + 1)]
        frames = frames_of(clip, (*EMPTY, *wanted))
        empty = empty_room(frames)
        cut = {n: _cut_out(frames[n], empty) for n in wanted}
        behind, aside = (
            tuple(tuple(cut[n] for n in range(first, last + 1)) for first, last in spans)
            for spans in (_BEHIND, _ASIDE)
        )
        return cls(empty, behind, aside)

    def figure(self, person: Person, now: float, drift: float) -> Layer:
        """`person` at `now`, who goes `drift` of the picture's width a second to the right."""
        looks = self.aside if abs(drift) > 0.01 else self.behind
        steps = looks[person.id % len(looks)]
        # There and back again: a few steps have no first one that follows their last.
        turn = int(now * _PACE + 3 * person.id) % max(2 * len(steps) - 2, 1)
        step = steps[turn if turn < len(steps) else 2 * len(steps) - 2 - turn]
        return np.asarray(step[:, ::-1]) if drift < 0 else step


@dataclass(frozen=True, slots=True)
class There:
    """Somebody in one picture; the box is of the figure, in 0..1, within the picture."""

    id: int
    box: Box
    visible: float


@dataclass(frozen=True, slots=True)
class FarScene:
    """What is to be drawn.

    Attributes:
        place: a name of `FAR`.
        seed: of all that is by chance.
        ground: what it is drawn on.
        crowd: how many people there are, by how many are usual; 0: nobody.
        fps: frames a second.
        seconds: how long it lasts.
    """

    place: str
    seed: int
    ground: Ground = Ground.DRAWN
    crowd: float = 1.0
    fps: float = 10.0
    seconds: float = 40.0

    def pictures(self, cast: Cast) -> Iterator[tuple[float, Image, tuple[There, ...]]]:
        """Its frames: seconds, the picture, and who is in it."""
        rng = np.random.default_rng((self.seed, *map(ord, self.place)))
        place = FAR[self.place]
        busy = replace(place, walkers=place.walkers * self.crowd)
        walkers = {p.id: p for p in people(busy, self.seconds, rng)} if self.crowd else {}
        tints = {number: rng.uniform(*_TINTS, 3).astype(np.float32) for number in walkers}
        noises = [rng.normal(0, _NOISE, (SIZE[1], SIZE[0], 3)).astype(np.int8) for _ in range(6)]
        ground = self._ground(cast)
        for number in range(round(self.seconds * self.fps)):
            now = number / self.fps
            canvas, there = ground(now), []
            for body in _bodies(place, walkers.values(), now):
                figure = cast.figure(walkers[body.id], now, body.drift)
                box = _stand(canvas, figure * (*tints[body.id], 1), body.box)
                if box:
                    there.append(There(body.id, box, body.visible))
            for pillar, _ in place.pillars:
                x1, y1, x2, y2 = (round(v * SIZE[n % 2]) for n, v in enumerate(pillar))
                cv2.rectangle(canvas, (x1, y1), (x2, y2), (70, 74, 72), cv2.FILLED)
            levels = canvas + noises[int(rng.integers(6))].astype(np.int16)
            yield now, np.clip(levels, 0, 255).astype(np.uint8), tuple(there)

    def _ground(self, cast: Cast) -> Callable[[float], Image]:
        """The empty place at a moment, for each time a picture of its own."""
        if self.ground is Ground.CLIP:
            still = cast.room
        elif self.place == "square":
            painter = outdoor.Square(self.seconds, self.seed, people=0.0, buses=False)
            return lambda now: np.asarray(cv2.resize(painter.paint(now), SIZE), np.uint8)
        else:
            draw, _ = places.PLACES[self.place]
            still = draw(np.random.default_rng((self.seed, 3)))
        still = np.asarray(cv2.resize(still, SIZE), np.uint8)
        return lambda now: still.copy()


@dataclass(frozen=True, slots=True)
class _Body:
    """Where somebody is, whole, and by how much of the width he goes to the right a second."""

    id: int
    box: Box
    visible: float
    drift: float


def _bodies(place: Place, walkers: Iterable[Person], now: float) -> list[_Body]:
    """Who is there at `now`, the nearest last."""
    here = [person for person in walkers if person.there(now)]
    seen, later = bodies(place, here, now), bodies(place, here, now + _SOON)
    ahead = dict(zip(later.ids, later.whole.tolist(), strict=True))
    found = []
    for number, box, visible in zip(
        seen.ids, seen.whole.tolist(), seen.visible.tolist(), strict=True
    ):
        drift = (ahead[number][0] - box[0]) / _SOON if number in ahead else 0.0
        found.append(_Body(number, tuple(box), visible, drift))
    return sorted(found, key=lambda body: body.box[3])


def _stand(canvas: Image, figure: Layer, box: Box) -> Box | None:
    """Paint `figure` as tall as `box`, in 0..1, at its middle; where it is to be seen."""
    x, foot = (box[0] + box[2]) / 2 * SIZE[0], box[3] * SIZE[1]
    tall = max(round((box[3] - box[1]) * SIZE[1]), 8)
    wide = max(round(figure.shape[1] * tall / figure.shape[0]), 4)
    small = np.asarray(cv2.resize(figure, (wide, tall), interpolation=cv2.INTER_AREA), np.float32)
    small[..., :3] = np.clip(small[..., :3], 0, 255)
    left, top = round(x - wide / 2), round(foot - tall)
    if left + wide > 0 and left < SIZE[0]:
        shade(canvas, (x, foot), wide, tall)
    return pasted(canvas, small, left, top)


def _cut_out(image: Image, empty: Image) -> Layer:
    """The person in `image`, which is `empty` but for him, without the shadow at his feet."""
    different = cv2.absdiff(image, empty).max(axis=2) > 26
    _, y, _, height = _largest(different)[1]
    share = (image + np.float32(1)) / (empty + np.float32(1))
    darker = (np.ptp(share, axis=2) < 0.16) & (share.mean(axis=2) > 0.35) & (share.mean(axis=2) < 1)
    darker[: round(y + 0.8 * height)] = False
    outline, (x, y, width, height) = _largest(different & ~darker)
    part = slice(y, y + height), slice(x, x + width)
    soft = np.asarray(cv2.GaussianBlur(outline, (0, 0), 1.0), np.float32)[part]
    return np.dstack([image[part].astype(np.float32), soft])


def _largest(mask: np.ndarray) -> tuple[np.ndarray, Sequence[int]]:
    """The largest spot of `mask`, filled, and its box (x, y, width, height)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    filled = np.zeros(mask.shape, np.float32)
    cv2.drawContours(filled, [largest], -1, 1.0, cv2.FILLED)
    return filled, cv2.boundingRect(largest)
