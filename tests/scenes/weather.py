"""More that a camera out of doors, or at night, has to live with, and what it has not.

Whatever is drawn by chance comes from `seed`.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.frame import Image
from tests.scenes.lens import as_picture, painted
from tests.scenes.outdoor import over_time
from tests.scenes.truth import Scene, Span, chained

_Plane = NDArray[np.float32]


def street_lamps(start: float, end: float, seed: int = 1, least: float = 0.22) -> Scene:
    """The day goes, and half-way two or three lamps come on, flickering, each with its cone."""
    rng = np.random.default_rng(seed)
    lamps = rng.uniform((0.1, 0.05, 0.5), (0.9, 0.3, 0.9), (int(rng.integers(2, 4)), 3))
    on = start + 0.6 * (end - start)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
        dark = 1 - (1 - least) * min((now - start) / (end - start), 1.0)
        burns = now >= on + 1.5 or (now >= on and round(now * 10) % 3 == 0)
        light = np.zeros((height, width), np.float32)
        for across, above, reach in lamps if burns else ():
            far = np.hypot(x - across * width / height, 0.6 * (y - above))
            light += np.exp(-((far / (0.5 * reach)) ** 2))
        noise = _grain(image, now, seed, 5 * (1 - dark))
        warm = np.array((0.8, 0.95, 1.0), np.float32)
        return as_picture(image * (dark + 0.6 * light[..., None] * warm) + noise)

    return over_time(start, 1e9, paint)


def snow(start: float, end: float, seed: int = 1, flakes: int = 260) -> Scene:
    """Heavy snow: white flakes, near ones large and out of focus, driven across by the wind."""
    rng = np.random.default_rng(seed)
    places, near = rng.random((flakes, 2)), rng.uniform(0.2, 1.0, flakes) ** 3

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        layer = np.zeros((height, width), np.float32)
        for (x, y), close in zip(places, near, strict=True):
            at = (x + now * (0.1 + 0.6 * close)) % 1.0, (y + now * (0.25 + 1.2 * close)) % 1.0
            radius = max(round(0.009 * close * width), 1)
            place = round(at[0] * width), round(at[1] * height)
            cv2.circle(layer, place, radius, 1 - 0.6 * close, cv2.FILLED, cv2.LINE_AA)
        share = cv2.GaussianBlur(layer, (0, 0), width / 500)[..., None]
        return as_picture(image * (1 - share) + 235 * share)

    return over_time(start, end, paint)


def sways(start: float, end: float, seed: int = 1, pixels: float = 10.0) -> Scene:
    """A long pole in a storm: the picture sways slowly to and fro, by up to `pixels` of 768."""
    phase = np.random.default_rng(seed).uniform(0, 6, 2)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        reach = pixels * width / 768
        x = reach * np.sin(2 * np.pi * 0.45 * now + phase[0])
        y = 0.3 * reach * np.sin(2 * np.pi * 0.9 * now + phase[1])
        move = np.array([(1, 0, x), (0, 1, y)], np.float32)
        moved = cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)

    return over_time(start, end, paint)


def infrared(seed: int = 1) -> Scene:
    """Night, lit by the camera's own lamps: grey, brightest in the middle, with noise."""

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        light = 0.25 + 0.6 * np.exp(-(x * x + y * y) / 0.8)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) * light
        return as_picture((grey + _grain(image, now, seed, 3)[..., 0])[..., None].repeat(3, 2))

    return over_time(0, 1e9, paint)


def insects(start: float, end: float, seed: int = 1, many: int = 14) -> Scene:
    """Moths at the lamps beside the lens: bright smears, large and out of focus, all over."""

    def paint(image: Image, now: float) -> Image:
        rng = np.random.default_rng([seed, round(now * 1000)])
        height, width = image.shape[:2]
        layer = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(many // 2, many))):
            x, y = rng.random(2) * (width, height)
            reach, angle = rng.uniform(0.02, 0.18) * width, rng.uniform(0, 6.3)
            ends = (round(x + reach * np.cos(angle)), round(y + reach * np.sin(angle)))
            thick = max(round(rng.uniform(0.006, 0.025) * width), 1)
            cv2.line(layer, (round(x), round(y)), ends, 170.0, thick, cv2.LINE_AA)
        return as_picture(image + cv2.GaussianBlur(layer, (0, 0), width / 120)[..., None])

    return over_time(start, end, paint)


def web(span: Span, seed: int = 1, *, dense: bool = True) -> Scene:
    """A spider's web before the lens, lit from beside it, that trembles in the draught.

    `dense`: it lies over most of the lens, and veils what is behind it; else a few threads.
    """
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0.35, 0.65, 2)
    spokes, rings = (26, 14) if dense else (5, 2)
    angles, radii = rng.uniform(0, 6.3, spokes), np.sort(rng.uniform(0.05, 0.6, rings))

    def paint(image: Image, amount: float, now: float) -> Image:
        height, width = image.shape[:2]
        sway = 0.004 * np.sin(1.7 * now)
        x, y = (middle[0] + sway) * width, middle[1] * height
        layer = np.zeros((height, width), np.float32)
        thick = max(width // (90 if dense else 160), 1)
        for angle in angles:
            ends = round(x + width * np.cos(angle)), round(y + width * np.sin(angle))
            cv2.line(layer, (round(x), round(y)), ends, 1.0, thick, cv2.LINE_AA)
        for radius in radii:
            axes = round(radius * width), round(0.8 * radius * width)
            cv2.ellipse(layer, (round(x), round(y)), axes, 0, 0, 360, 1.0, thick, cv2.LINE_AA)
        soft = cv2.GaussianBlur(layer, (0, 0), width / (70 if dense else 150))
        share = amount * (0.55 + 0.45 * np.clip(soft * 1.6, 0, 1) if dense else 0.5 * soft)
        bright = 120 + 110 * np.clip(soft, 0, 1)
        return as_picture(image * (1 - share[..., None]) + (share * bright)[..., None])

    scene = painted("covered", span, paint)
    return scene if dense else lambda frames: (scene(frames)[0], ())


def low_sun(start: float, end: float, seed: int = 1) -> Scene:
    """The sun wanders through the picture: a small white disc, a glow around it and a thin veil."""
    rng = np.random.default_rng(seed)
    y, way = rng.uniform(0.08, 0.25), rng.choice((-1, 1))

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        part = (now - start) / (end - start)
        x = part if way > 0 else 1 - part
        far = np.hypot(columns - x * width, rows - y * height) / width
        rise = min(1.0, 4 * part, 4 * (1 - part))
        light = rise * (500 * np.exp(-((far / 0.045) ** 2)) + 60 * np.exp(-far / 0.2) + 12)
        return as_picture(image * (1 - 0.25 * rise) + light[..., None])

    return over_time(start, end, paint)


def bus(arrives: float, leaves: float, seed: int = 1, share: float = 1.0) -> Scene:
    """A bus draws up close to the camera, stands there over `share` of the width, and drives on."""
    rng = np.random.default_rng(seed)
    colour = rng.uniform(50, 200, 3)
    side = np.full((360, 900, 3), colour, np.uint8)
    for left in range(20, 880, 110):
        cv2.rectangle(side, (left, 40), (left + 90, 170), (60, 55, 50), cv2.FILLED)
        cv2.line(side, (left + 15, 160), (left + 60, 60), (105, 100, 95), 4, cv2.LINE_AA)
    cv2.rectangle(side, (0, 235), (900, 262), (235, 235, 235), cv2.FILLED)
    for number, letter in enumerate("CITY LINE 42 CENTRAL"):
        cv2.putText(side, letter, (30 + 42 * number, 225), 0, 1.4, (25, 25, 25), 4, cv2.LINE_AA)
    for x in (150, 720):
        cv2.circle(side, (x, 350), 60, (30, 30, 30), cv2.FILLED, cv2.LINE_AA)

    def paint(image: Image, now: float) -> Image:
        height, width = image.shape[:2]
        come = min((now - arrives) / 2.5, 1.0)
        gone = max((now - leaves) / 2.5, 0.0)
        if come <= 0 or gone >= 1:
            return image
        shiver = 0.0012 * np.sin(40 * now)  # the engine
        wide = round(width * (share + 0.02))
        left = round(width * (1 - share * (2 * come - come * come) - (share + 0.1) * gone * gone
                              - 0.01 + shiver))  # fmt: skip
        body = cv2.resize(side, (wide, round(height * 1.02)), interpolation=cv2.INTER_AREA)
        result = image.copy()
        x1, x2 = max(left, 0), min(left + wide, width)
        if x1 < x2:
            part = body[:height, x1 - left : x2 - left]
            result[:, x1:x2] = as_picture(part + _grain(part, now, seed, 2))
        return result

    return over_time(arrives, leaves + 3, paint)


def _grain(image: Image, now: float, seed: int, sigma: float) -> _Plane:
    rng = np.random.default_rng([seed, round(now * 1000)])
    return rng.standard_normal(image.shape, np.float32) * np.float32(sigma)


def at_night(scene: Scene, seed: int = 1) -> Scene:
    """The scene by the camera's infrared lamps."""
    return chained(infrared(seed), scene)


SILENT: dict[str, Callable[[int], Scene]] = {
    "street lamps come on": lambda seed: street_lamps(6, 20, seed),
    "snow": lambda seed: snow(8, 25, seed),
    "a pole sways": lambda seed: sways(0, 28, seed),
    "infrared": infrared,
    "moths before the lens": lambda seed: at_night(insects(8, 25, seed), seed),
    "threads of a web": lambda seed: at_night(web(Span(8, 9, 24), seed, dense=False), seed),
    "a low sun wanders": lambda seed: low_sun(4, 27, seed),
    "a bus fills it and passes": lambda seed: bus(10, 12.5, seed),
    "a bus stands over half of it": lambda seed: bus(7, 24, seed, share=0.5),
}
"""What is no tampering, by a seed."""
TOLD: dict[str, Callable[[int], Scene]] = {
    "a web over the lens": lambda seed: at_night(web(Span(12, 13, 22), seed), seed),
}
"""What is, by a seed."""
