"""Tampering with a camera: each function makes a scene of it.

Whatever is drawn by chance comes from `seed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from tests.scenes.truth import Frames, Made, Scene, Span, Truth

Paint = Callable[[Image, float, float], Image]
"""Makes a new picture of: the picture, how much of the thing is there (0..1), the time."""
_Plane = NDArray[np.float32]


def painted(kind: str, span: Span, paint: Paint) -> Scene:
    """The scene in which `paint` changes the pictures of `span`, with its one truth."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        for now, image in frames:
            amount = span.amount(now)
            yield now, paint(image, amount, now) if amount > 0 else image

    def scene(frames: Frames) -> Made:
        return frames_of(frames), (Truth(kind, span.full, span.end),)

    return scene


def cover(span: Span, *, hand: bool = False) -> Scene:
    """A cloth (or a hand, warm and never quite still) slides over the lens from above."""
    colour = np.array((70, 84, 128) if hand else (74, 66, 62), np.float32)

    def paint(image: Image, amount: float, now: float) -> Image:
        height, width = image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        sway = (0.06 if hand else 0.02) * np.sin(now * 2.6)
        folds = 1 + (0.16 if hand else 0.3) * np.sin(7 * (x / width + sway) + 2 * y / height)
        edge = amount * 1.3 - 0.15 + 0.03 * np.sin(5 * x / width)
        through = np.clip((y / height - edge) / 0.15, 0, 1)[..., None]
        return as_picture(image * through + colour * folds[..., None] * (1 - through))

    return painted("covered", span, paint)


def spray(span: Span, seed: int = 1, *, blotches: int = 90, light: bool = False) -> Scene:
    """Paint on the lens, out of focus: blotches appear and grow until little is left free."""
    rng = np.random.default_rng(seed)
    spots = rng.random((blotches, 3))
    births = np.sort(rng.random(blotches)) * 0.75
    births[0] = 0.0
    colour = np.array((190, 196, 198) if light else (32, 30, 34), np.float32)

    def paint(image: Image, amount: float, _: float) -> Image:
        height, width = image.shape[:2]
        layer = np.zeros((height, width), np.float32)
        for (x, y, size), born in zip(spots, births, strict=True):
            grown = np.clip((amount - born) / 0.25, 0, 1)
            radius = round(grown * (0.06 + 0.1 * size) * width)
            if radius > 0:
                cv2.circle(layer, (round(x * width), round(y * height)), radius, 1.0, cv2.FILLED)
        opaque = 0.97 * _blurred(layer, width / 90)[..., None]
        return as_picture(image * (1 - opaque) + colour * opaque)

    return painted("covered", span, paint)


def defocus(span: Span, *, sigma: float = 0.012) -> Scene:
    """Somebody turns the lens: it goes out of focus by `sigma`, as a part of the width."""

    def paint(image: Image, amount: float, _: float) -> Image:
        return as_picture(_blurred(image, max(amount * sigma * image.shape[1], 0.1)))

    return painted("defocused", span, paint)


def turn(span: Span, *, shift: tuple[float, float] = (0.2, 0.05), degrees: float = 0.0) -> Scene:
    """The camera is turned: what comes into view is the mirror image of what is beside it."""

    def paint(image: Image, amount: float, _: float) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * amount, 1.0)
        matrix[:, 2] += (shift[0] * width * amount, shift[1] * height * amount)
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)

    return painted("moved", span, paint)


def turn_away(span: Span) -> Scene:
    """The camera is turned to another place: the picture upside down, which is no turn of it."""

    def paint(image: Image, amount: float, _: float) -> Image:
        height, width = image.shape[:2]
        if amount == 1.0:
            return np.asarray(cv2.flip(image, 0), np.uint8)
        matrix = np.array([(1, 0, 0.7 * amount * width), (0, 1, 0)], np.float32)
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)

    return painted("moved", span, paint)


def freeze(start: float, end: float) -> Scene:
    """The same picture comes again and again."""

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        held: Image | None = None
        for now, image in frames:
            if not start <= now < end:
                held = None
            elif held is None:
                held = image
            yield now, image if held is None else held

    return lambda frames: (frames_of(frames), (Truth("frozen", start, end),))


def glare(span: Span, *, at: tuple[float, float] = (0.45, 0.4), size: float = 0.3) -> Scene:
    """A lamp, or the sun, shines into the lens: a white spot and a veil over everything."""

    def paint(image: Image, amount: float, _: float) -> Image:
        height, width = image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        far = np.hypot(x - at[0] * width, y - at[1] * height) / width
        light = 900 * np.exp(-((far / size) ** 2)) + 70
        return as_picture(image * (1 - 0.5 * amount) + amount * light[..., None])

    return painted("bright", span, paint)


def overexposed(span: Span, gain: float = 5.0) -> Scene:
    """The exposure goes up until almost everything is white."""
    return painted(
        "bright",
        span,
        lambda image, amount, _: as_picture(image * (1 + amount * gain) + 60 * amount),
    )


def dusk(span: Span, least: float = 0.03, seed: int = 1) -> Scene:
    """The light goes until next to nothing is seen but the sensor's noise."""
    noise = _noises(seed, 2.0)

    def paint(image: Image, amount: float, now: float) -> Image:
        return as_picture(image * (1 - amount * (1 - least)) + noise(image, now))

    return painted("dark", span, paint)


def interference(span: Span, seed: int = 1, *, strength: float = 45.0) -> Scene:
    """A bad cable: snow over the whole picture, and lines."""
    noise = _noises(seed, 1.0)

    def paint(image: Image, amount: float, now: float) -> Image:
        snow = noise(image, now) * strength * amount
        rows = np.random.default_rng([seed, round(now * 1000)]).normal(0, 18, (len(image), 1, 1))
        return as_picture(image + snow + amount * rows)

    return painted("noisy", span, paint)


def gap(start: float, end: float) -> Scene:
    """No frames come."""

    def scene(frames: Frames) -> Made:
        left = (each for each in frames if not start <= each[0] < end)
        return left, (Truth("no-frames", start, end),)

    return scene


def _noises(seed: int, sigma: float) -> Callable[[Image, float], _Plane]:
    """Noise that is another one in each frame, the same for the same time."""

    def noise(image: Image, now: float) -> _Plane:
        rng = np.random.default_rng([seed, round(now * 1000)])
        return rng.standard_normal(image.shape, np.float32) * np.float32(sigma)

    return noise


def _blurred(plane: NDArray[np.uint8] | _Plane, sigma: float) -> _Plane:
    return np.asarray(cv2.GaussianBlur(plane.astype(np.float32), (0, 0), sigma), np.float32)


def as_picture(values: NDArray[np.floating]) -> Image:
    """Values of any size as a picture: what is too dark is black, what is too bright white."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)
