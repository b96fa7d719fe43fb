"""Worlds of walkers, as a detector would see them: boxes only, no pixels, with the truth.

People come, walk, stop, go in pairs and leave on a ground that a camera looks down on. Who is
nearer hides who is behind. The detector is imitated with its faults: it misses the same person for
several frames, is less sure of who is small or half hidden, frames only the part that it sees,
draws two boxes on one body, and sees people in plants. All is drawn from one seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Detections
from edge_runtime.tracks import Box

SIZE = (768, 432)
"""The picture's width and height in pixels."""
LABELS = ("person",)
LEAST_SEEN = 0.25
"""Who is visible to less than this share counts neither as seen nor as missed."""

_ASPECT = SIZE[0] / SIZE[1]
_GRID = (6, 12)
"""Points across and down a body at which it is asked what hides it."""
_NMS = 0.6
_LEAST_SCORE = 0.15
_QUALITY_SECONDS = 0.6
"""For so long a detector's mood about one person lasts."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera hangs and who passes.

    Attributes:
        height: of the camera above the ground, m.
        tilt: by which it looks down, radians.
        focal: focal length in heights of the picture.
        walkers: how many are there at a time, on average.
        stops: the chance that somebody stops at a point of the way, 0..1.
        pairs: the chance that somebody walks beside another, 0..1.
        pillars: boxes that hide what is behind them, with their distance in m.
        below: the chance that somebody comes or goes over the lower edge, 0..1.
        far: where the way's farthest points lie, 0 (top) to 1 (bottom) of the picture.
    """

    height: float
    tilt: float
    focal: float
    walkers: float
    stops: float = 0.3
    pairs: float = 0.15
    pillars: tuple[tuple[Box, float], ...] = ()
    below: float = 0.15
    far: float = 0.35

    def project(self, x: Floats, z: Floats, tall: Floats, wide: Floats) -> tuple[Floats, Floats]:
        """Boxes (N x 4, not clipped, 0..1) and distances (N, m) of bodies at x, z (m)."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)

        def down(up: Floats) -> tuple[Floats, Floats]:
            depth = np.maximum(z * cos + (self.height - up) * sin, 0.3)
            return 0.5 + self.focal * ((self.height - up) * cos - z * sin) / depth, depth

        foot, near = down(np.zeros_like(z))
        head, _ = down(tall)
        middle = 0.5 + self.focal * x / near / _ASPECT
        half = self.focal * wide / near / _ASPECT / 2
        return np.stack([middle - half, head, middle + half, foot], axis=-1), near

    def ground(self, across: float, down: float) -> tuple[float, float]:
        """The point of the ground (x, z in m) that is seen at (across, down), 0..1."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        v = (down - 0.5) / self.focal
        z = self.height * (cos - v * sin) / (v * cos + sin)
        depth = z * cos + self.height * sin
        return (across - 0.5) * _ASPECT / self.focal * depth, z


PLACES = {
    # High over a square: many, small, seldom hidden for long.
    "plaza": Place(6.0, 0.42, 1.3, 8, far=0.3),
    # Along a corridor at the height of a door: large and small at once, much hidden.
    "mall": Place(2.8, 0.30, 1.0, 5, stops=0.45, far=0.42),
    # A street corner with two posts.
    "corner": Place(
        3.5, 0.33, 1.1, 4, far=0.38,
        pillars=(((0.30, 0.0, 0.36, 0.75), 8.0), ((0.68, 0.0, 0.72, 0.68), 10.0)),
    ),
    # Near and few, standing long: a lobby.
    "lobby": Place(2.4, 0.28, 0.9, 2.5, stops=0.8, far=0.55),
    # So near that a body fills the picture, and rises over its lower edge.
    "atm": Place(2.1, 0.42, 0.8, 3.0, stops=0.9, pairs=0.3, below=0.7, far=0.85),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's way: at `times` (s, rising) he is at the points `x`, `z` (m)."""

    id: int
    times: Floats
    x: Floats
    z: Floats
    tall: float
    wide: float

    def there(self, now: float) -> bool:
        return bool(self.times[0] <= now <= self.times[-1])


@dataclass(frozen=True, slots=True)
class Seen:
    """One person's true box in one frame: whole, but for what is outside the picture; 0..1.

    `visible` is the share of the body that nothing hides, 0..1.
    """

    id: int
    box: Box
    visible: float


@dataclass(frozen=True, slots=True)
class Look:
    """One frame: what is there, and what the detector says."""

    now: float
    truth: tuple[Seen, ...]
    detections: Detections


@dataclass(frozen=True, slots=True)
class World:
    """What is to be drawn.

    Attributes:
        place: a name of `PLACES`.
        seed: of all that is by chance.
        fps: frames a second; single ones are dropped.
        seconds: how long it lasts.
        crowd: by how much more people there are than is usual.
        pauses: how many times a minute no frame comes for 0.5 to 2 s.
        noise: by how much worse than usual the detector is.
    """

    place: str
    seed: int
    fps: float = 10.0
    seconds: float = 60.0
    crowd: float = 1.0
    pauses: float = 2.0
    noise: float = 1.0

    def looks(self) -> Iterator[Look]:
        """All its frames."""
        rng = np.random.default_rng((self.seed, *map(ord, self.place)))
        place = PLACES[self.place]
        place = replace(place, walkers=place.walkers * self.crowd)
        walking = people(place, self.seconds, rng)
        detector = _Detector(self.noise, rng)
        before = 0.0
        for now in _times(self, rng):
            here = [person for person in walking if person.there(now)]
            there = bodies(place, here, now)
            yield Look(now, there.truth(), detector.look(there, now, now - before))
            before = now


def worlds(seeds: Sequence[int], seconds: float = 60.0) -> list[World]:
    """For each seed one world of each place, at rates from 5 to 25 frames a second."""
    made = []
    for number, seed in enumerate(seeds):
        for at, place in enumerate(PLACES):
            fps = (5.0, 8.0, 10.0, 15.0, 25.0)[(number + at) % 5]
            crowd = (0.8, 1.2, 1.8)[(number + 2 * at) % 3]
            noise = (0.8, 1.1, 1.4, 1.8)[(number + at // 2) % 4]
            made.append(World(place, seed, fps, seconds, crowd, noise=noise))
    return made


def _times(world: World, rng: np.random.Generator) -> list[float]:
    """When frames come: on a grid, late by a little, some dropped, with pauses."""
    grid = np.arange(0, world.seconds, 1 / world.fps)
    times = grid + rng.uniform(0, 0.1 / world.fps, len(grid))
    kept = rng.random(len(grid)) > 0.02
    for _ in range(rng.poisson(world.pauses * world.seconds / 60)):
        start = rng.uniform(0, world.seconds)
        kept &= (times < start) | (times > start + rng.uniform(0.5, 2.0))
    return [float(now) for now in times[kept]]


# The people


def people(place: Place, seconds: float, rng: np.random.Generator) -> list[Person]:
    """Who comes within `seconds`, one after another or in pairs."""
    coming: list[Person] = []
    stay = 14.0 + 10.0 * place.stops
    now = -stay
    while now < seconds:
        now += rng.exponential(stay / place.walkers)
        first = _person(place, len(coming) + 1, now, rng)
        coming.append(first)
        if rng.random() < place.pairs:
            coming.append(_beside(first, len(coming) + 1, rng))
            now += rng.exponential(stay / place.walkers)
    return coming


def _person(place: Place, number: int, start: float, rng: np.random.Generator) -> Person:
    speed = float(np.clip(rng.normal(1.3, 0.25), 0.6, 2.0))
    if rng.random() < 0.06:
        speed = rng.uniform(2.5, 4.0)
    points = [_door(place, rng)]
    points += [_inside(place, rng) for _ in range(rng.integers(0, 3))]
    points.append(_door(place, rng))
    times, x, z = [start], [points[0][0]], [points[0][1]]
    for (x0, z0), (x1, z1) in itertools.pairwise(points):
        times.append(times[-1] + max(float(np.hypot(x1 - x0, z1 - z0)) / speed, 0.2))
        x.append(x1)
        z.append(z1)
        if (x1, z1) != points[-1] and rng.random() < place.stops:
            times.append(times[-1] + rng.uniform(2, 12))
            x.append(x1 + rng.normal(0, 0.1))
            z.append(z1 + rng.normal(0, 0.1))
    return Person(
        number, np.array(times), np.array(x), np.array(z),
        float(rng.normal(1.72, 0.09)), float(rng.uniform(0.5, 0.75)),
    )  # fmt: skip


def _beside(other: Person, number: int, rng: np.random.Generator) -> Person:
    """Somebody who walks along with `other`."""
    aside, after = rng.choice((-1, 1)) * rng.uniform(0.5, 0.9), rng.normal(0, 0.3)
    return Person(
        number, other.times + rng.uniform(-0.2, 0.2), other.x + aside, other.z + after,
        float(rng.normal(1.72, 0.09)), other.wide,
    )  # fmt: skip


def _door(place: Place, rng: np.random.Generator) -> tuple[float, float]:
    """Where one comes and goes: beyond a side or the lower edge, or at a door far away."""
    kind = rng.random()
    if kind < place.below:
        return place.ground(rng.uniform(0.1, 0.9), 1.6)
    if kind < 0.85:
        return place.ground(float(rng.choice((-0.12, 1.12))), rng.uniform(place.far, 0.95))
    return place.ground(rng.uniform(0.1, 0.9), place.far)


def _inside(place: Place, rng: np.random.Generator) -> tuple[float, float]:
    return place.ground(rng.uniform(0.08, 0.92), rng.uniform(place.far, 0.98))


# What there is to see


@dataclass(frozen=True, slots=True)
class Bodies:
    """All who are in the picture in one frame; arrays of one length."""

    ids: tuple[int, ...]
    whole: Floats
    boxes: Floats
    """Clipped to the picture."""
    visible: Floats
    parts: Floats
    """The box around what is visible of each."""
    inside: Floats
    """The share of each body that is in the picture."""

    def truth(self) -> tuple[Seen, ...]:
        rows = zip(self.ids, self.boxes.tolist(), self.visible.tolist(), strict=True)
        return tuple(Seen(number, tuple(box), visible) for number, box, visible in rows)


def bodies(place: Place, people: Sequence[Person], now: float) -> Bodies:
    """Where those `people` are at `now`, and what is to be seen of them."""
    x = np.array([np.interp(now, p.times, p.x) for p in people]).reshape(-1)
    z = np.array([np.interp(now, p.times, p.z) for p in people]).reshape(-1)
    tall = np.array([p.tall for p in people]).reshape(-1)
    # Arms and legs swing, two steps a second.
    wide = np.array([p.wide * (1 + 0.12 * np.sin(6.0 * now + p.id)) for p in people]).reshape(-1)
    whole, depth = place.project(x, z, tall, wide)
    boxes = np.clip(whole, 0, 1)
    inside = _area(boxes) / np.maximum(_area(whole), 1e-9)
    kept = (inside > 0.25) & (boxes[:, 3] - boxes[:, 1] > 0.04)
    whole, boxes, depth, inside = whole[kept], boxes[kept], depth[kept], inside[kept]
    hiding = [(np.array(box), away) for box, away in place.pillars]
    # A body is narrower than the box around it.
    slim = boxes * 1.0
    slim[:, [0, 2]] += (boxes[:, [2, 0]] - boxes[:, [0, 2]]) * 0.12
    hiding += [(slim[n], depth[n]) for n in range(len(boxes))]
    visible, parts = np.ones(len(boxes)), boxes.copy()
    for n in range(len(boxes)):
        nearer = [box for m, (box, away) in enumerate(hiding)
                  if away < depth[n] and m != n + len(place.pillars)]  # fmt: skip
        if nearer:
            visible[n], parts[n] = _unhidden(boxes[n], nearer)
    ids = tuple(p.id for p, keep in zip(people, kept, strict=True) if keep)
    return Bodies(ids, whole, boxes, visible * np.minimum(1.0, inside * 1.2), parts, inside)


def _unhidden(box: Floats, hiding: Sequence[Floats]) -> tuple[float, Floats]:
    """The share of `box` that none of `hiding` covers, and the box around that share."""
    across, down = _GRID
    xs = box[0] + (np.arange(across) + 0.5) / across * (box[2] - box[0])
    ys = box[1] + (np.arange(down) + 0.5) / down * (box[3] - box[1])
    free = np.ones((down, across), bool)
    for other in hiding:
        rows = (ys > other[1]) & (ys < other[3])
        columns = (xs > other[0]) & (xs < other[2])
        free &= ~(rows[:, None] & columns)
    if not free.any():
        return 0.0, box
    step_x, step_y = (box[2] - box[0]) / across / 2, (box[3] - box[1]) / down / 2
    seen_x, seen_y = xs[free.any(axis=0)], ys[free.any(axis=1)]
    part = np.array(
        [seen_x[0] - step_x, seen_y[0] - step_y, seen_x[-1] + step_x, seen_y[-1] + step_y]
    )
    return float(free.mean()), part


# The detector


class _Detector:
    """A detector with moods: what it says of somebody depends on what it said a moment ago."""

    def __init__(self, noise: float, rng: np.random.Generator) -> None:
        self._noise = noise
        self._rng = rng
        self._moods: dict[int, Floats] = {}
        self._ghosts = [
            (-1 - n, rng.uniform((0.05, 0.2), (0.9, 0.6)), rng.uniform(0.1, 0.3))
            for n in range(rng.integers(1, 4))
        ]

    def look(self, bodies: Bodies, now: float, elapsed: float) -> Detections:
        found: list[tuple[float, Floats]] = []
        for number, box, part, visible, inside in zip(
            bodies.ids,
            bodies.boxes,
            bodies.parts,
            bodies.visible.tolist(),
            bodies.inside.tolist(),
            strict=True,
        ):
            # Of a body that is cut off it is hard to say where it ends.
            doubles = 2.1 if inside > 0.7 else 0.8
            found += self._of_person(box, part, visible, self._mood(number, elapsed), doubles)
        for number, corner, tall in self._ghosts:
            mood = self._mood(number, elapsed)
            if mood[0] > 2.0 / self._noise**0.5:
                box = np.array([*corner, corner[0] + 0.25 * tall, corner[1] + tall])
                found.append((_sigmoid(-0.6 + 0.8 * mood[1]), self._shaken(box, 0.03, mood)))
        for _ in range(self._rng.poisson(0.1 * self._noise * min(elapsed, 0.2))):
            tall = self._rng.uniform(0.08, 0.4)
            x, y = self._rng.uniform(0, 0.9), self._rng.uniform(0, 0.95 - tall)
            score = _sigmoid(self._rng.normal(-0.6, 0.6))
            found.append((score, np.array([x, y, x + 0.25 * tall, y + tall])))
        return _detections(found)

    def _of_person(
        self, box: Floats, part: Floats, visible: float, mood: Floats, doubles: float
    ) -> list[tuple[float, Floats]]:
        tall = float(box[3] - box[1])
        sure = 1.6 + 3.4 * (min(visible, 0.9) - 0.9) + 0.7 * np.log2(min(tall, 0.4) / 0.3)
        score = _sigmoid(sure + self._noise * (0.9 * mood[0] + 0.35 * self._rng.normal()))
        if visible < 0.12:
            return []
        seen = part if visible < 0.75 and mood[1] > -0.3 else box
        shake = self._noise * (0.018 + 0.03 * (1 - visible))
        found = [(score, self._shaken(seen, shake, mood))]
        if mood[2] > doubles:  # a second box on the same body: its upper half, or too large a one
            upper = np.array([box[0], box[1], box[2], box[1] + 0.55 * tall])
            wide = np.array(
                [box[0] - 0.1 * tall, box[1] - 0.05 * tall, box[2] + 0.15 * tall, box[3]]
            )
            other = upper if mood[3] > 0 else wide
            found.append((score * 0.8, self._shaken(other, shake, mood)))
        return found

    def _mood(self, number: int, elapsed: float) -> Floats:
        """Eight numbers about one person, each normally distributed, that change slowly."""
        known = self._moods.get(number)
        fresh = self._rng.normal(size=8)
        keep = 0.0 if known is None else float(np.exp(-elapsed / _QUALITY_SECONDS))
        mood = fresh if known is None else keep * known + np.sqrt(1 - keep**2) * fresh
        self._moods[number] = mood
        return mood

    def _shaken(self, box: Floats, shake: float, mood: Floats) -> Floats:
        tall = float(box[3] - box[1])
        move = 0.6 * mood[4:8] + 0.8 * self._rng.normal(size=4)
        return np.clip(box + shake * tall * move * np.array([0.6, 1, 0.6, 1]), 0, 1)


def _detections(found: list[tuple[float, Floats]]) -> Detections:
    """As a model gives them: the surest first, what overlaps a surer one left out."""
    kept: list[tuple[float, Floats]] = []
    for score, box in sorted(found, key=lambda each: -each[0]):
        if score < _LEAST_SCORE or box[2] <= box[0] or box[3] <= box[1]:
            continue
        if all(_iou(box, other) <= _NMS for _, other in kept):
            kept.append((score, box))
    boxes = np.array([box for _, box in kept]).reshape(-1, 4) * [*SIZE, *SIZE]
    scores = np.array([score for score, _ in kept], np.float32)
    return Detections(boxes.astype(np.float32), scores, np.zeros(len(kept), np.int32), LABELS)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def _area(boxes: Floats) -> Floats:
    return np.maximum(boxes[..., 2] - boxes[..., 0], 0) * np.maximum(
        boxes[..., 3] - boxes[..., 1], 0
    )


def _iou(a: Floats, b: Floats) -> float:
    common = _area(np.array([*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:])]))
    return float(common / max(_area(a) + _area(b) - common, 1e-12))
