"""What a camera sees on any day, and must not be taken for tampering."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge_runtime.frame import Image
from tests.scenes.lens import as_picture, painted
from tests.scenes.truth import Frames, Made, Scene, Span


def _silent(scene: Scene) -> Scene:
    """The same scene with nothing in it that should be told."""
    return lambda frames: (scene(frames)[0], ())


def light(off: float, on: float, least: float = 0.35) -> Scene:
    """The light is switched off, and on again; a lamp elsewhere still burns."""

    def paint(image: Image, amount: float, _: float) -> Image:
        return as_picture(image * (1 - amount * (1 - least)))

    return _silent(painted("light", Span(off, off, on, fade=0.0), paint))


def close_person(span: Span, seed: int = 1, share: float = 0.9) -> Scene:
    """Somebody comes so near that a body fills `share` of the picture, and is never quite still."""
    rng = np.random.default_rng(seed)
    cloth = cv2.resize(rng.normal(0, 1, (24, 24)).astype(np.float32), (512, 512))
    weave = cv2.GaussianBlur(rng.normal(0, 14, (512, 512)).astype(np.float32), (0, 0), 1.2)
    jacket = np.clip(92 + 16 * cloth + 4 * weave, 0, 255).astype(np.float32)
    cv2.line(jacket, (256, 0), (250, 511), 40.0, 5)
    for button in range(40, 512, 90):
        cv2.circle(jacket, (268, button), 8, 170.0, cv2.FILLED)
    cv2.rectangle(jacket, (330, 180), (430, 260), 60.0, 4)

    def paint(image: Image, amount: float, now: float) -> Image:
        height, width = image.shape[:2]
        wide, high = round(width * share), height
        body = cv2.resize(jacket, (wide, high))[..., None] * np.array([0.9, 0.95, 1.1], np.float32)
        sway = 0.02 * np.sin(now * 1.9) + 0.012 * np.sin(now * 4.7 + 1)
        left = round(width * (0.5 - share / 2 + sway + (1 - amount) * 1.1))
        top = round(height * (0.02 + 0.012 * np.sin(now * 2.3)))
        result = image.astype(np.float32)
        x1, x2 = max(left, 0), min(left + wide, width)
        if x1 < x2:
            result[top:, x1:x2] = body[: height - top, x1 - left : x2 - left]
        return as_picture(result)

    return _silent(painted("close", span, paint))


def patch(start: float, end: float, gain: float, seed: int = 1) -> Scene:
    """A patch of sunlight (`gain` above 1) or a shadow (below 1) falls on the floor and stays."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.15, 0.75), rng.uniform(0.7, 0.9)
    wide, high, lean = rng.uniform(0.06, 0.2), rng.uniform(0.05, 0.15), rng.uniform(-0.1, 0.1)
    corners = np.array(
        [(x, y), (x + wide, y), (x + wide + lean, y + high), (x + lean, y + high)], np.float32
    )

    def paint(image: Image, amount: float, _: float) -> Image:
        height, width = image.shape[:2]
        mask = np.zeros((height, width), np.float32)
        cv2.fillPoly(mask, [np.round(corners * (width, height)).astype(np.int32)], 1.0, cv2.LINE_AA)
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), width / 160), np.float32)
        return as_picture(image * (1 + amount * (gain - 1) * soft)[..., None])

    return _silent(painted("patch", Span(start, start + 0.5, end), paint))


def headlights(start: float, end: float, seed: int = 1, every: float = 2.0) -> Scene:
    """Cars at night: pairs of dazzling lamps cross the picture, each in a second or two."""
    rng = np.random.default_rng(seed)
    cars = [(t, rng.uniform(0.3, 0.7), rng.uniform(0.8, 1.8), rng.choice((-1, 1)))
            for t in np.arange(start, end, every)]  # fmt: skip

    def frames_of(frames: Frames) -> Iterator[tuple[float, Image]]:
        for now, image in frames:
            result = image
            for begun, y, lasts, way in cars:
                part = (now - begun) / lasts
                if 0 <= part < 1:
                    x = part if way > 0 else 1 - part
                    result = _lamps(result, x, y)
            yield now, result

    def scene(frames: Frames) -> Made:
        return frames_of(frames), ()

    return scene


def _lamps(image: Image, x: float, y: float) -> Image:
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    result = image.astype(np.float32)
    for side in (-0.05, 0.05):
        far = np.hypot(columns - (x + side) * width, rows - y * height) / width
        result += (600 * np.exp(-((far / 0.03) ** 2)) + 60 * np.exp(-far / 0.12))[..., None]
    return as_picture(result)
