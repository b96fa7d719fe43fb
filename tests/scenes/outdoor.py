"""Out of doors: a square drawn by code, and the weather over it.

The square has houses, slabs, parked things, trees whose leaves the wind moves, people near and far
(30 to 150 pixels tall) and their shadows, and a bus now and then. The same seed draws the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from tests.scenes.lens import as_picture
from tests.scenes.truth import Frames, Made, Scene

_Plane = NDArray[np.float32]
_Rng = np.random.Generator
SIZE = (640, 360)
_FAR, _NEAR = 30.0, 150.0
"""How many pixels somebody is tall at the horizon and at the lower edge."""


@dataclass(frozen=True, slots=True)
class _Passer:
    """Somebody who crosses the square: when, where, and in what clothes."""

    begins: float
    lasts: float
    start: tuple[float, float]
    goal: tuple[float, float]
    coat: tuple[float, float, float]
    trousers: tuple[float, float, float]

    def at(self, now: float) -> tuple[float, float] | None:
        part = (now - self.begins) / self.lasts
        if not 0 <= part < 1:
            return None
        (x, y), (a, b) = self.start, self.goal
        return x + part * (a - x), y + part * (b - y)


class Square:
    """A square on a day with sun and wind.

    Args:
        seconds: for how long people come.
        seed: what houses, people and weather are drawn from.
        people: how many come a minute.
        buses: whether a bus drives by now and then.
        shadow: how long shadows are, by height: 0 under clouds, above 2 with a low sun.
        wind: by how many pixels leaves move.
    """

    def __init__(
        self,
        seconds: float,
        seed: int,
        *,
        people: float = 40.0,
        buses: bool = True,
        shadow: float = 1.0,
        wind: float = 2.0,
    ) -> None:
        rng = np.random.default_rng([seed, 5])
        self._horizon = round(SIZE[1] * rng.uniform(0.3, 0.42))
        self._still = self._ground(rng)
        self._trees = [self._tree(rng) for _ in range(int(rng.integers(2, 5)))]
        self._shadow, self._wind = shadow, wind
        self._lean = float(rng.choice((-1, 1)) * rng.uniform(0.5, 1.0))
        self._people = [_passer(rng, seconds) for _ in range(round(people * (seconds + 20) / 60))]
        times = np.arange(rng.uniform(3, 15), seconds, rng.uniform(12, 20)).tolist()
        self._buses = times if buses else []
        self._seed = seed

    def paint(self, now: float) -> Image:
        """The square at `now`."""
        canvas = self._still.copy()
        for canopy, mask, (x, y) in self._trees:
            gust = self._wind * (0.6 + 0.4 * np.sin(0.8 * now + x))
            _over(canvas, *_swaying(canopy, mask, now, gust), (x, y))
        there = [(where, each) for each in self._people if (where := each.at(now)) is not None]
        there.sort(key=lambda each: each[0][1])
        self._shade(canvas, [where for where, _ in there], now)
        passed = [now - begun for begun in self._buses if 0 <= now - begun < 4]
        if passed:
            self._bus(canvas, passed[0] / 4)
        for where, person in there:
            self._figure(canvas, where, person, now)
        rng = np.random.default_rng([self._seed, round(now * 1000)])
        noise = rng.integers(-3, 4, canvas.shape, np.int8)
        return as_picture(canvas + noise)

    def _foot(self, where: tuple[float, float]) -> tuple[int, int, float]:
        """The pixel at which a foot stands, and how tall its owner is."""
        x, y = where
        tall = _FAR + (_NEAR - _FAR) * y
        return round(x * SIZE[0]), round(self._horizon + 12 + y * (SIZE[1] - self._horizon)), tall

    def _ground(self, rng: _Rng) -> _Plane:
        width, height = SIZE
        canvas = np.empty((height, width, 3), np.float32)
        sky = np.linspace(235, 205, self._horizon)[:, None, None]
        canvas[: self._horizon] = sky + np.array((8, 0, -14), np.float32)
        canvas[self._horizon :] = rng.uniform(95, 150) + rng.uniform(-10, 10, 3)
        plain = rng.uniform(0.15, 1.0)  # from asphalt to old slabs
        rough = rng.normal(0, 1, (height, width)).astype(np.float32)
        for sigma, strength in ((0.7, 7), (2.5, 14), (12, 40)):
            layer = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigma), np.float32)
            layer *= plain * strength / max(float(layer.std()), 1e-3) / 2
            canvas[self._horizon :] += layer[self._horizon :, :, None]
        for row in np.geomspace(1, height - self._horizon, 14):
            y = self._horizon + int(row)
            cv2.line(canvas, (0, y), (width, y), (88, 90, 92), 1, cv2.LINE_AA)
        for x in range(-width, 2 * width, 70):
            far = (width // 2 + (x - width // 2) // 5, self._horizon)
            cv2.line(canvas, far, (x, height), (88, 90, 92), 1, cv2.LINE_AA)
        self._houses(canvas, rng)
        for _ in range(int(rng.integers(3, 8))):
            self._post(canvas, rng)
        return canvas

    def _houses(self, canvas: _Plane, rng: _Rng) -> None:
        x = -20
        while x < SIZE[0]:
            wide, top = int(rng.integers(70, 180)), int(rng.integers(4, self._horizon // 2))
            wall = rng.uniform(70, 190) + rng.uniform(-25, 25, 3)
            canvas[top : self._horizon, max(x, 0) : x + wide] = wall
            step = int(rng.integers(16, 30))
            for left in range(x + 8, x + wide - 12, step):
                for y in range(top + 8, self._horizon - 14, step):
                    size = (left + step // 2, y + step // 2)
                    cv2.rectangle(canvas, (left, y), size, (wall * 0.45).tolist(), cv2.FILLED)
            x += wide + int(rng.integers(0, 30))

    def _post(self, canvas: _Plane, rng: _Rng) -> None:
        """A parked thing, a bollard, a lamp post."""
        x, foot, tall = self._foot((rng.uniform(0, 1), rng.uniform(0, 0.7)))
        colour = rng.uniform(25, 210, 3).tolist()
        wide, high = rng.choice(((0.06, 1.6), (0.2, 0.5), (2.2, 0.75)))
        corner = (x - round(wide * tall / 2), foot - round(high * tall))
        cv2.rectangle(canvas, corner, (x + round(wide * tall / 2), foot), colour, cv2.FILLED)
        if high == 0.75:  # a car has windows
            middle = foot - round(0.55 * high * tall)
            window = (x + round(wide * tall / 3), middle)
            cv2.rectangle(canvas, (x - round(wide * tall / 3), corner[1] + 2), window,
                          (60, 55, 50), cv2.FILLED)  # fmt: skip

    def _tree(self, rng: _Rng) -> tuple[_Plane, _Plane, tuple[int, int]]:
        """A crown of leaves, its outline (0..1), and its left upper corner."""
        side = int(rng.integers(80, 170))
        leaves = np.full((side, side, 3), (40, 70, 50), np.float32)
        mask = np.zeros((side, side), np.float32)
        for _ in range(side * 7):
            angle, radius = rng.uniform(0, 6.3), side * 0.44 * np.sqrt(rng.uniform(0, 1))
            at = (
                round(side / 2 + radius * np.cos(angle)),
                round(side / 2 + radius * np.sin(angle)),
            )
            colour = np.array((45, 105, 75)) * rng.uniform(0.4, 1.7)
            axes = (int(rng.integers(2, 5)), int(rng.integers(1, 3)))
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(leaves, at, axes, turn, 0, 360, colour.tolist(), cv2.FILLED)
            cv2.ellipse(mask, at, axes, turn, 0, 360, 1.0, cv2.FILLED)
        corner = (int(rng.integers(-side // 3, SIZE[0] - side // 2)),
                  int(rng.integers(-side // 3, max(self._horizon - side // 3, 1))))  # fmt: skip
        return leaves, mask, corner

    def _shade(self, canvas: _Plane, feet: list[tuple[float, float]], now: float) -> None:
        """The shadows of people, and of the trees, which sway."""
        if self._shadow <= 0:
            return
        layer = np.zeros(canvas.shape[:2], np.float32)
        for where in feet:
            x, foot, tall = self._foot(where)
            tip = (x + round(self._lean * self._shadow * tall), foot - round(0.12 * tall))
            cv2.line(layer, (x, foot), tip, 1.0, max(round(0.22 * tall), 2), cv2.LINE_AA)
        for _, mask, (x, y) in self._trees:
            size = round(mask.shape[1] * (0.6 + self._shadow)), mask.shape[0] // 3
            middle = x + mask.shape[1] // 2 + round(self._lean * size[0] / 2)
            swing = round(self._wind * 1.5 * np.sin(1.7 * now + x))
            corner = (middle - size[0] // 2 + swing, self._horizon + 20 + (y % 40))
            dark = np.asarray(cv2.resize(mask, size), np.float32)
            _over(layer, np.ones_like(dark), dark, corner)
        layer[: self._horizon] = 0
        soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), 1.2), np.float32)
        canvas *= 1 - 0.5 * soft[..., None]

    def _bus(self, canvas: _Plane, part: float) -> None:
        """A bus that drives by, far away."""
        left = round((1.3 - 1.8 * part) * SIZE[0])
        top, foot = self._horizon - 40, self._horizon + 22
        cv2.rectangle(canvas, (left, top), (left + 210, foot), (40, 60, 180), cv2.FILLED)
        for x in range(left + 8, left + 195, 26):
            cv2.rectangle(canvas, (x, top + 8), (x + 20, top + 26), (70, 66, 60), cv2.FILLED)

    def _figure(
        self, canvas: _Plane, where: tuple[float, float], person: _Passer, now: float
    ) -> None:
        x, foot, tall = self._foot(where)
        swing = 0.13 * tall * np.sin(2 * np.pi * 0.9 * (now - person.begins))
        hip, neck = foot - round(0.48 * tall), foot - round(0.84 * tall)
        thick = max(round(0.09 * tall), 1)
        for way in (-1, 1):
            cv2.line(canvas, (x, hip), (x + round(way * swing), foot), person.trousers, thick,
                     cv2.LINE_AA)  # fmt: skip
            hand = (x + round(-way * swing * 0.8), foot - round(0.45 * tall))
            cv2.line(canvas, (x, neck + thick), hand, person.coat, max(thick // 2, 1), cv2.LINE_AA)
        body = (round(0.12 * tall), round(0.2 * tall))
        cv2.ellipse(canvas, (x, (hip + neck) // 2), body, 0, 0, 360, person.coat, cv2.FILLED,
                    cv2.LINE_AA)  # fmt: skip
        head = (max(round(0.055 * tall), 1), max(round(0.075 * tall), 1))
        cv2.ellipse(canvas, (x, neck - head[1]), head, 0, 0, 360, (120, 145, 185), cv2.FILLED,
                    cv2.LINE_AA)  # fmt: skip


def square(
    seconds: float, fps: float = 12.0, seed: int = 1, **kinds: float
) -> Iterator[tuple[float, Image]]:
    """The square for `seconds`; `kinds` are those of `Square`."""
    painter = Square(seconds, seed, **kinds)
    for number in range(round(seconds * fps)):
        yield number / fps, painter.paint(number / fps)


def cloud(start: float, end: float, seed: int = 1, gain: float = 0.45) -> Scene:
    """The shadow of a cloud crosses the picture, its border soft and uneven."""
    rng = np.random.default_rng(seed)
    lean, wave = rng.uniform(-0.4, 0.4), rng.uniform(0.02, 0.06)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        along = x / width + lean * y / height + wave * np.sin(9 * y / height)
        part = (now - start) / (end - start)
        front, back = 4.2 * part - 0.6, 4.2 * part - 2.8
        dark = np.clip((front - along) / 0.3, 0, 1) * np.clip((along - back) / 0.3, 0, 1)
        return as_picture(image * (1 - (1 - gain) * dark[..., None]))

    return over_time(start, end, paint)


def gusts(start: float, end: float, seed: int = 1, pixels: float = 3.0) -> Scene:
    """Wind shakes the camera on its pole, by up to `pixels` of 768 and a little turned."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform((1.5, 0.0), (9.0, 6.3), (4, 2))

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        gust = max(0.0, np.sin(0.9 * now)) ** 0.5
        a, b, c, d = (np.sin(2 * np.pi * f * now + p) for f, p in waves)
        reach = gust * pixels * width / 768
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0.15 * gust * d, 1.0)
        turn[:, 2] += reach * (0.7 * a + 0.3 * b), reach * (0.6 * b + 0.4 * c)
        moved = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    return over_time(start, end, paint)


def exposure_steps(start: float, end: float, seed: int = 1) -> Scene:
    """Something bright comes and goes: each time the exposure jumps, and is right again in 2 s."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(1.0, 4.0, 40)) + start
    jumps = rng.choice((0.5, 0.6, 0.75, 1.3, 1.6, 1.8), 40)

    def paint(image: Image, now: float) -> Image:
        last = int(np.searchsorted(times, now)) - 1
        gain = jumps[last] ** np.exp((times[last] - now) / 0.8) if last >= 0 else 1.0
        return as_picture(image * np.float32(gain))

    return over_time(start, end, paint)


def drifting_sun(start: float, end: float, seed: int = 1) -> Scene:
    """The hard shadow of a house creeps over half of the picture, and the sun goes in and out."""
    rng = np.random.default_rng(seed)
    lean = rng.uniform(-0.5, 0.5)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        part = (now - start) / (end - start)
        sun = 0.5 + 0.5 * np.tanh(4 * np.sin(0.7 * now))
        edge = np.array([(0, 0), ((0.1 + 0.5 * part) * width, 0),
                         ((0.1 + 0.5 * part + lean) * width, height), (0, height)])  # fmt: skip
        mask = np.zeros((height, width), np.float32)
        cv2.fillPoly(mask, [np.round(edge).astype(np.int32)], 1.0, cv2.LINE_AA)
        light = 1 - 0.3 * (1 - sun) - sun * 0.45 * mask
        return as_picture(image * light[..., None].astype(np.float32))

    return over_time(start, end, paint)


def interlaced(start: float, end: float) -> Scene:
    """Every second line is of the frame before: what moves has combs."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        before: Image | None = None
        for now, image in frames:
            result = image
            if before is not None and start <= now < end:
                result = image.copy()
                result[1::2] = before[1::2]
            before = image
            yield now, result

    return lambda frames: (frames_of(frames), ())


def slowed(start: float, end: float, fps: float = 4.0) -> Scene:
    """The stream falls to `fps` frames a second."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        due = start
        for now, image in frames:
            if start <= now < end:
                if now < due:
                    continue
                due += 1 / fps
            yield now, image

    return lambda frames: (frames_of(frames), ())


def compressed(frames: Frames) -> Iterator[tuple[float, Image]]:
    """What a decoder makes of `frames` after a strong compression: MPEG-4, a key frame in twelve.

    Blocks, smeared texture, and a jump of two grey levels at each key frame.
    """
    times = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "clip.mp4")
        writer: cv2.VideoWriter | None = None
        for now, image in frames:
            if writer is None:
                size = image.shape[1], image.shape[0]
                writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, size)
            writer.write(image)
            times.append(now)
        if writer is not None:
            writer.release()
        capture = cv2.VideoCapture(path)
        try:
            for now in times:
                there, image = capture.read()
                if there:
                    yield now, np.asarray(image, np.uint8)
        finally:
            capture.release()


def over_time(start: float, end: float, paint: Callable[[Image, float], Image]) -> Scene:
    """Daily life: `paint` changes the pictures from `start` to `end`, and nothing is to be told."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        for now, image in frames:
            yield now, paint(image, now) if start <= now < end else image

    def scene(frames: Frames) -> Made:
        return frames_of(frames), ()

    return scene


def _passer(rng: _Rng, seconds: float) -> _Passer:
    way = int(rng.choice((-1, 1)))
    near, other = rng.uniform(0, 1, 2)
    if rng.uniform() < 0.25:  # comes towards the camera, or goes away
        x = rng.uniform(0.1, 0.9)
        start, goal = ((x, 0.0), (rng.uniform(0, 1), 1.1))[:: int(rng.choice((-1, 1)))]
        lasts = rng.uniform(12, 25)
    else:
        depth = near, min(max(near + 0.4 * (other - 0.5), 0), 1)
        start, goal = ((0.5 - 0.65 * way, depth[0]), (0.5 + 0.65 * way, depth[1]))
        lasts = rng.uniform(14, 24) / (0.6 + near)
    coat, trousers = (tuple(rng.uniform(20, 215, 3).tolist()) for _ in range(2))
    return _Passer(float(rng.uniform(-20, seconds)), float(lasts), start, goal, coat, trousers)


def _swaying(leaves: _Plane, mask: _Plane, now: float, gust: float) -> tuple[_Plane, _Plane]:
    """A crown and its outline while the wind moves its twigs by `gust` pixels, each its own way."""
    side = mask.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    across = x + np.float32(gust) * np.sin(3.1 * now + 9 * x / side + 5 * y / side)
    down = y + np.float32(0.6 * gust) * np.sin(4.3 * now + 7 * y / side - 6 * x / side)
    colour, share = (cv2.remap(each, across, down, cv2.INTER_LINEAR) for each in (leaves, mask))
    return np.asarray(colour, np.float32), np.asarray(share, np.float32)


def _over(canvas: _Plane, colour: _Plane, share: _Plane, corner: tuple[int, int]) -> None:
    """Blend `colour` into `canvas`, by `share`, where it lies within it."""
    x, y = corner
    height, width = canvas.shape[:2]
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + share.shape[1], width), min(y + share.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    weight = share[part] if canvas.ndim == 2 else share[part][..., None]
    there = canvas[y1:y2, x1:x2]
    there += weight * (colour[part] - there)
