"""Far cameras: people 25 to 100 pixels tall, on a square, at a street corner, in a mall.

The ways are those of `walkers`, the people are cut out of the real clip while they walk, seen from
behind and from the side, and the ground is drawn, or the clip's own empty room. A real detector
looks at the pictures; the truth says who is where.

python -m tests.scenes.far                     # the seeds of docs/closer-look.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.frame import Image
from edge_runtime.tracks import Box
from tests.scenes import outdoor, places
from tests.scenes.people import Layer, empty_room, frames_of, pasted, shade
from tests.scenes.walkers import LEAST_SEEN, Person, Place, bodies, people

SIZE = (768, 576)
"""Of the pictures, in pixels."""

FAR = {
    # From a roof, over a square.
    "square": Place(8.0, 0.34, 1.15, 6, far=0.33),
    # From a lamp post, with two posts in view.
    "corner": Place(
        5.0, 0.22, 1.15, 2, far=0.42,
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


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who may walk: each by the pictures of a few steps.

    Attributes:
        behind: seen from behind.
        aside: seen from the side, walking to the right.
    """

    behind: tuple[tuple[Layer, ...], ...]
    aside: tuple[tuple[Layer, ...], ...]

    @classmethod
    def of(cls, clip: Path) -> Cast:
        """The six of the real clip."""
        spans = (*_BEHIND, *_ASIDE)
        wanted = [n for first, last in spans for n in range(first, last + 1)]
        empty, frames = empty_room(clip), frames_of(clip, wanted)
        cut = {n: _cut_out(image, empty) for n, image in frames.items()}
        behind, aside = (
            tuple(tuple(cut[n] for n in range(first, last + 1)) for first, last in spans)
            for spans in (_BEHIND, _ASIDE)
        )
        return cls(behind, aside)

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
        ground: "drawn", or "clip": the real clip's room.
        crowd: how many people there are, by how many are usual; 0: nobody.
        fps: frames a second.
        seconds: how long it lasts.
    """

    place: str
    seed: int
    ground: str = "drawn"
    crowd: float = 1.0
    fps: float = 10.0
    seconds: float = 40.0

    def pictures(self, cast: Cast, clip: Path) -> Iterator[tuple[float, Image, tuple[There, ...]]]:
        """Its frames: seconds, the picture, and who is in it."""
        rng = np.random.default_rng((self.seed, *map(ord, self.place), 77))
        place = FAR[self.place]
        walking = (
            people(replace(place, walkers=place.walkers * self.crowd), self.seconds, rng)
            if self.crowd
            else []
        )
        tints = rng.uniform(0.55, 1.5, (len(walking) + 1, 3)).astype(np.float32)
        ground = _ground(self, clip)
        noises = [rng.normal(0, 2.0, (SIZE[1], SIZE[0], 3)).astype(np.int8) for _ in range(6)]
        for number in range(round(self.seconds * self.fps)):
            now = number / self.fps
            canvas = ground(now)
            there = _paint(canvas, place, walking, cast, tints, now)
            levels = canvas.astype(np.int16) + noises[int(rng.integers(6))]
            yield now, np.clip(levels, 0, 255).astype(np.uint8), there


def _ground(scene: FarScene, clip: Path):
    if scene.ground == "clip":
        still = cv2.resize(empty_room(clip), SIZE)
        return lambda now: still.copy()
    if scene.place == "square":
        painter = outdoor.Square(scene.seconds, scene.seed, people=0.0, buses=False)
        return lambda now: cv2.resize(painter.paint(now), SIZE)
    draw, _ = places.PLACES[scene.place]
    still = cv2.resize(draw(np.random.default_rng((scene.seed, 3))), SIZE)
    return lambda now: still.copy()


def _paint(
    canvas: Image,
    place: Place,
    walking: Sequence[Person],
    cast: Cast,
    tints: np.ndarray,
    now: float,
) -> tuple[There, ...]:
    here = [person for person in walking if person.there(now)]
    seen, later = bodies(place, here, now), bodies(place, here, now + 0.2)
    ahead = dict(zip(later.ids, later.boxes.tolist(), strict=True))
    by_id = {person.id: person for person in here}
    rows = zip(seen.ids, seen.whole.tolist(), seen.visible.tolist(), strict=True)
    there = []
    for number, (x1, y1, x2, y2), visible in sorted(rows, key=lambda row: row[1][3]):
        middle = (x1 + x2) / 2
        then = ahead.get(number)
        drift = ((then[0] + then[2]) / 2 - middle) / 0.2 if then else 0.0
        figure = cast.figure(by_id[number], now, drift)
        tall = max(round((y2 - y1) * SIZE[1]), 8)
        wide = max(round(figure.shape[1] * tall / figure.shape[0]), 4)
        small = np.asarray(cv2.resize(figure, (wide, tall), interpolation=cv2.INTER_AREA))
        small = np.dstack([np.clip(small[..., :3] * tints[number % len(tints)], 0, 255), small[..., 3]])
        left, top = round(middle * SIZE[0] - wide / 2), round(y2 * SIZE[1] - tall)
        if 0 < left + wide and left < SIZE[0]:
            shade(canvas, (middle * SIZE[0], y2 * SIZE[1]), wide, tall)
        box = pasted(canvas, small, left, top)
        if box:
            there.append(There(number, box, visible))
    for pillar, _ in place.pillars:
        a, b, c, d = (round(v * SIZE[n % 2]) for n, v in enumerate(pillar))
        cv2.rectangle(canvas, (a, b), (c, d), (70, 74, 72), cv2.FILLED)
    return tuple(there)


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
