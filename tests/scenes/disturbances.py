"""What changes in a picture and is no thing that somebody left or took.

Light, leaves, doors, lenses. Each function makes a scene without an event; what is drawn by chance
comes from `rng`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from tests.scenes.lens import as_picture
from tests.scenes.truth import Frames, Made, Scene

Rng = np.random.Generator
Plane = NDArray[np.float32]
Paint = Callable[[Image, float], Image]
Corners = NDArray[np.float64]
"""N x 2, in 0..1."""


def silent(paint: Paint) -> Scene:
    """The scene in which `paint` makes each picture, of the picture and the time."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        for now, image in frames:
            yield now, paint(image, now)

    def scene(frames: Frames) -> Made:
        return frames_of(frames), ()

    return scene


# The light


def window(rng: Rng, *, wanders: bool) -> Scene:
    """The sun comes out: panes of light on the floor, warm, within a second or three; they stay.

    `wanders`: or move by 2% of the width in ten seconds, as for a cloud's edge or a swinging pane.
    """
    begin, rise = rng.uniform(9, 22), rng.uniform(0.3, 3.0)
    gain = rng.uniform(1.25, 2.1) * np.array([0.93, 1.0, 1.06], np.float32)
    x, y = rng.uniform(0.1, 0.7), rng.uniform(0.5, 0.8)
    wide, high = rng.uniform(0.06, 0.16), rng.uniform(0.06, 0.16)
    lean, panes = rng.uniform(-0.12, 0.12), int(rng.integers(1, 4))
    pace = rng.uniform(0.001, 0.002) if wanders else 0.0
    soft = rng.uniform(0.6, 3.0)

    def paint(image: Image, now: float) -> Image:
        amount = min(max((now - begin) / rise, 0.0), 1.0)
        if amount == 0:
            return image
        shift = pace * (now - begin)
        corners = [
            np.array([(left, y), (left + wide, y), (left + wide + lean, y + high),
                      (left + lean, y + high)])
            for left in (x + shift + n * wide * 1.15 for n in range(panes))
        ]  # fmt: skip
        return _lit(image, corners, 1 + amount * (gain - 1), soft)

    return silent(paint)


def shade(rng: Rng) -> Scene:
    """A low sun: the long shadow of a house or a pole lies there and creeps on."""
    x, lean = rng.uniform(0.1, 0.7), rng.uniform(0.2, 0.7) * rng.choice((-1, 1))
    wide = rng.uniform(0.02, 0.25)
    pace = rng.uniform(0.0003, 0.0012) * rng.choice((-1, 1))
    gain = np.full(3, rng.uniform(0.45, 0.75), np.float32) * np.array([1.08, 1, 0.96], np.float32)
    soft = rng.uniform(0.8, 2.5)

    def paint(image: Image, now: float) -> Image:
        at = x + pace * now
        corners = np.array(
            [(at, 0.4), (at + wide * 0.6, 0.4), (at + wide + lean, 1.1), (at + lean, 1.1)]
        )
        return _lit(image, [corners], gain, soft)

    return silent(paint)


def clouds(rng: Rng) -> Scene:
    """The shadows of clouds drift over the place, stop and go on: larger than what is in view."""
    field = cv2.resize(rng.normal(0, 1, (3, 9)).astype(np.float32), (540, 90),
                       interpolation=cv2.INTER_CUBIC)  # fmt: skip
    deep, pace = rng.uniform(0.3, 0.55), rng.uniform(3, 14)
    rest = rng.uniform(10, 25)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        moved = now if now < rest else max(rest, now - 10)
        shift = moved * pace % (field.shape[1] - 161)
        whole, part = int(shift), shift % 1
        here = field[:, whole : whole + 160] * (1 - part) + field[:, whole + 1 : whole + 161] * part
        dark = deep / (1 + np.exp(-2.5 * here))
        return as_picture(image * (1 - cv2.resize(dark, (width, height)))[..., None])

    return silent(paint)


def leaves(rng: Rng) -> Scene:
    """A tree beside the camera sways, and so does the dappled light under it."""
    size = (144, 108)
    fine = cv2.GaussianBlur(rng.normal(0, 1, size[::-1]).astype(np.float32), (0, 0), 1.4)
    opaque = (fine > 0.01).astype(np.float32)
    tree = np.dstack([(60 + 120 * np.abs(fine)) * part for part in (0.45, 0.9, 0.55)] + [opaque])
    spots = cv2.GaussianBlur(rng.normal(0, 1, (90, 160)).astype(np.float32), (0, 0), 2.5)
    spots = 1 - 0.35 * (spots / np.abs(spots).max() > 0.1)
    side, phase = float(rng.choice((0.0, 0.78))), rng.uniform(0, 6)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        wind = 0.6 + 0.4 * np.sin(now * 0.21 + phase)
        sway = wind * np.array([np.sin(now * 2.7 + phase), 0.5 * np.sin(now * 3.9)])
        move = np.array([[1.0, 0, sway[0]], [0, 1.0, sway[1]]])
        dapple = cv2.warpAffine(spots, move, (160, 90), borderMode=cv2.BORDER_REFLECT)
        rows = np.linspace(0, 1, 90, dtype=np.float32)[:, None]
        columns = np.linspace(0, 1, 160, dtype=np.float32)[None]
        under = np.clip(1 - 4 * np.hypot(columns - side - 0.1, rows - 0.65), 0, 1)
        dark = cv2.resize(1 - under * (1 - dapple), (width, height))
        result = as_picture(image * dark[..., None])
        move = np.array([[1.0, 0, 4 + sway[0] * 4], [0, 1.0, 4 + sway[1] * 4]])
        crown = cv2.warpAffine(tree, move, (size[0] + 8, size[1] + 8))
        left = round(side * width)
        under = result[: crown.shape[0], left : left + crown.shape[1]]
        crown = crown[: under.shape[0], : under.shape[1]]
        share = crown[..., 3:]
        under[:] = as_picture(under * (1 - share) + crown[..., :3] * share)
        return result

    return silent(paint)


def exposure(rng: Rng) -> Scene:
    """The camera sets its exposure anew, a step of 8% to 30% within half a second, some times."""
    times = np.sort(rng.uniform(8, 45, 4))
    gains = np.concatenate([[1.0], rng.uniform(0.75, 1.25, 4)])

    def paint(image: Image, now: float) -> Image:
        known = np.interp(now, np.repeat(times, 2) + np.tile([0, 0.5], 4),
                          np.concatenate([[gains[0]], np.repeat(gains[1:], 2)[:-1]]))  # fmt: skip
        return as_picture(image.astype(np.float32) * np.float32(known))

    return silent(paint)


# The camera


def shake(rng: Rng) -> Scene:
    """A pole in the wind: the picture moves by 1 to 2 pixels of 640."""
    amount, phase = rng.uniform(1.0, 2.0), rng.uniform(0, 6, 2)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        wind = max(np.sin(now * 0.3 + phase[0]), 0.0) * amount * width / 640
        x = wind * np.sin(now * 7.1 + phase[1])
        y = wind * 0.7 * np.sin(now * 9.3)
        moved = cv2.warpAffine(
            image, np.array([[1, 0, x], [0, 1, y]]), (width, height), borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(moved, np.uint8)

    return silent(paint)


def compression(rng: Rng) -> Scene:
    """What is left after a codec with few bits, and a sensor with much noise."""
    quality, sigma = int(rng.integers(18, 40)), rng.uniform(3, 7)
    noise = rng.normal(0, sigma, (6, 90, 160, 3)).astype(np.float32)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        grain = cv2.resize(noise[round(now * 1000) % len(noise)], (width, height))
        coded = cv2.imencode(
            ".jpg", as_picture(image + grain), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

    return silent(paint)


# What moves by itself, or what nobody minds


def screen(rng: Rng) -> Scene:
    """A screen on the wall that shows something else every few seconds; a poster, once."""
    x, y = rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.12)
    wide, high = rng.uniform(0.08, 0.16), rng.uniform(0.1, 0.2)
    lasts = float(rng.choice((6.0, 12.0, 22.0)))
    shows = rng.uniform(20, 235, (12, 4, 3, 3)).astype(np.float32)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        shown = shows[int(now / lasts) % len(shows)]
        x1, y1 = round(x * width), round(y * height)
        x2, y2 = round((x + wide) * width), round((y + high) * height)
        result = image.copy()
        picture = cv2.resize(shown, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
        result[y1:y2, x1:x2] = as_picture(picture)
        return result

    return silent(paint)


def door(rng: Rng) -> Scene:
    """A door in the wall, as high as people, is opened and stays so: behind it is a dark room."""
    x, begin = rng.uniform(0.15, 0.75), rng.uniform(8, 20)
    wide, high, foot = rng.uniform(0.07, 0.1), rng.uniform(0.3, 0.36), rng.uniform(0.36, 0.42)
    colour = rng.uniform(60, 170, 3)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        x1, x2 = round(x * width), round((x + wide) * width)
        y1, y2 = round(max(foot - high, 0.02) * height), round(foot * height)
        result = image.copy()
        cv2.rectangle(result, (x1, y1), (x2, y2), colour.tolist(), cv2.FILLED)
        cv2.rectangle(result, (x1, y1), (x2, y2), (50, 52, 54), 2)
        ajar = round((x2 - x1) * min(max((now - begin) / 1.5, 0.0), 0.85))
        if ajar > 0:
            cv2.rectangle(result, (x1, y1), (x1 + ajar, y2), (28, 30, 34), cv2.FILLED)
        return result

    return silent(paint)


def _lit(image: Image, patches: list[Corners], gain: Plane, soft: float) -> Image:
    """`image` with `gain` (three colours) in the polygons; the border is `soft` pixels of 640."""
    height, width = image.shape[:2]
    half = np.zeros((height // 2, width // 2), np.float32)
    size = np.array([width // 2, height // 2]) * 16
    for corners in patches:
        points = np.round(corners * size).astype(np.int32)
        cv2.fillPoly(half, [points], 1.0, cv2.LINE_AA, 4)
    share = cv2.resize(cv2.GaussianBlur(half, (0, 0), soft / 2 * width / 640), (width, height))
    return as_picture(image * (1 + share[..., None] * (gain - 1)))
