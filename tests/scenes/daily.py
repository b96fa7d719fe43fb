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


def exposure(start: float, end: float, swing: float = 0.3) -> Scene:
    """The camera hunts for its exposure: brighter and darker every few seconds, in steps."""

    def paint(image: Image, _: float, now: float) -> Image:
        return as_picture(image.astype(np.float32) * (1 + swing * np.sign(np.sin(now * 1.6))))

    return _silent(painted("exposure", Span(start, start, end, fade=0.0), paint))


def rain(start: float, end: float, seed: int = 1, streaks: int = 250) -> Scene:
    """Heavy rain, or snow, before the lens: bright streaks, others in each frame."""

    def paint(image: Image, _: float, now: float) -> Image:
        rng = np.random.default_rng([seed, round(now * 1000)])
        height, width = image.shape[:2]
        layer = np.zeros((height, width), np.float32)
        for x, y in (rng.random((streaks, 2)) * (width, height)).astype(int).tolist():
            cv2.line(layer, (x, y), (x + width // 200, y + height // 20), 45.0, 1, cv2.LINE_AA)
        return as_picture(image + layer[..., None])

    return _silent(painted("rain", Span(start, start, end, fade=0.0), paint))


def evening(start: float, end: float, least: float = 0.35, seed: int = 1) -> Scene:
    """The daylight goes within `end` - `start` seconds; lamps are left, and the sensor's noise."""

    def paint(image: Image, amount: float, now: float) -> Image:
        rng = np.random.default_rng([seed, round(now * 1000)])
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(6 * amount)
        return as_picture(image * (1 - amount * (1 - least)) + noise)

    return _silent(painted("evening", Span(start, end, 1e9), paint))


def throng(start: float, end: float, seed: int = 1, many: int = 16) -> Scene:
    """Many people, most of the picture full of them, who walk by and past each other."""
    rng = np.random.default_rng(seed)
    people = [
        (rng.uniform(0, 6), rng.uniform(3, 7), rng.choice((-1, 1)),
         rng.uniform(0.35, 0.75), rng.uniform(0.4, 0.9), rng.uniform(20, 200, (2, 3)))
        for _ in range(many)
    ]  # fmt: skip

    def paint(image: Image, _: float, now: float) -> Image:
        result = image.copy()
        height, width = image.shape[:2]
        for born, lasts, way, y, tall, (coat, trousers) in people:
            part = ((now - born) / lasts) % 1.0
            x = round((1.3 - 1.6 * part if way < 0 else 1.6 * part - 0.3) * width)
            high, half = round(tall * height), round(0.16 * tall * height)
            top = round(y * height - high / 2)
            cv2.ellipse(result, (x, top), (half // 2, half * 2 // 3), 0, 0, 360,
                        (120, 140, 180), cv2.FILLED)  # fmt: skip
            middle = top + high // 2
            cv2.rectangle(
                result, (x - half, top + half // 2), (x + half, middle), coat.tolist(), -1
            )
            cv2.rectangle(result, (x - half * 2 // 3, middle), (x + half * 2 // 3, top + high),
                          trousers.tolist(), cv2.FILLED)  # fmt: skip
        return result

    return _silent(painted("throng", Span(start, start, end, fade=0.0), paint))


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
