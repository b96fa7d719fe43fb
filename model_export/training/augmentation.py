"""What cameras in branches do to a picture, so that a network has seen it before.

All effects take and give H x W x C uint8 (RGB or grey) and draw what they need from a generator,
so that a seed makes the same pictures. They come in the order of the light's way: the scene, the
lens, the sensor, the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_export.errors import ExportError
from model_export.weights import Floats

Pixels = NDArray[np.uint8]

_GAMMA = 2.2
"""Of a display: pixel values are about the light to the power of 1 / 2.2."""


class Effect(StrEnum):
    """What happens to a picture, in this order."""

    FLIP = "flip"
    """Left becomes right."""
    SHIFT = "shift"
    """Another part of it, turned a little."""
    OCCLUSION = "occlusion"
    """Something stands before a part of it, at most a sixth."""
    BACKLIGHT = "backlight"
    """A window or a lamp behind: bright around, dark in the middle."""
    GLARE = "glare"
    """Light falls on the lens: a bright spot and a veil."""
    COLOUR_CAST = "colour_cast"
    """Lamps of another colour."""
    DEFOCUS = "defocus"
    """Out of focus: each point becomes a disc."""
    MOTION_BLUR = "motion_blur"
    """It moves while it is exposed."""
    LOW_LIGHT = "low_light"
    """Few photons, amplified: dark and noisy."""
    COMPRESSION = "compression"
    """The blocks of a JPEG or video encoder at a low rate."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often each effect happens.

    Attributes:
        probabilities: of each effect, 0..1; what is not named does not happen.

    Raises:
        ExportError: one is not in 0..1.
    """

    probabilities: Mapping[Effect, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for effect, probability in self.probabilities.items():
            if not 0 <= probability <= 1:
                raise ExportError(
                    f"the probability of {effect} is {probability:g}, and it has to be in 0..1"
                )

    def __call__(self, pixels: Pixels, rng: Generator) -> Pixels:
        """The picture with what chance brings."""
        # As many numbers for each picture, whatever is drawn by the effects themselves.
        chances = rng.random(len(Effect))
        for effect, chance in zip(Effect, chances, strict=True):
            if chance < self.probabilities.get(effect, 0):
                pixels = EFFECTS[effect](pixels, rng)
        return pixels


def _flip(pixels: Pixels, _: Generator) -> Pixels:
    return pixels[:, ::-1]


def _shift(pixels: Pixels, rng: Generator) -> Pixels:
    height, width = pixels.shape[:2]
    turn: NDArray[np.float64] = np.asarray(
        cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 6), rng.uniform(0.9, 1.3)),
        np.float64,
    )
    turn[:, 2] += rng.uniform(-0.1, 0.1, 2) * (width, height)
    moved = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return _with_channels(moved)


def _occlusion(pixels: Pixels, rng: Generator) -> Pixels:
    height, width = pixels.shape[:2]
    hidden = np.zeros((height, width), np.uint8)
    centre = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    # An ellipse of these half axes has at most 0.16 of the picture.
    axes = int(rng.uniform(0.08, 0.225) * width), int(rng.uniform(0.08, 0.225) * height)
    if rng.random() < 0.5:
        cv2.ellipse(hidden, centre, axes, rng.uniform(0, 180), 0, 360, 1, cv2.FILLED)
    else:
        (x, y), (w, h) = centre, (int(0.88 * axes[0]), int(0.88 * axes[1]))
        cv2.rectangle(hidden, (x - w, y - h), (x + w, y + h), 1, cv2.FILLED)
    colour = rng.integers(0, 256, pixels.shape[2])
    texture = rng.integers(-12, 13, pixels.shape)
    cover = np.clip(colour + texture, 0, 255).astype(np.uint8)
    return np.where(hidden[..., np.newaxis] == 1, cover, pixels)


def _backlight(pixels: Pixels, rng: Generator) -> Pixels:
    around = 1 - _spot(pixels, rng, (0.35, 0.65), (0.3, 0.5))
    light = _light(pixels) * rng.uniform(0.15, 0.5)
    return _pixels(light + around * rng.uniform(0.5, 1.2))


def _glare(pixels: Pixels, rng: Generator) -> Pixels:
    spot = _spot(pixels, rng, (0, 1), (0.08, 0.3))
    veil = rng.uniform(0, 0.15)
    return _pixels(_light(pixels) * (1 - veil) + veil + spot * rng.uniform(0.5, 2))


def _colour_cast(pixels: Pixels, rng: Generator) -> Pixels:
    gains = np.exp(rng.normal(0, 0.25, pixels.shape[2])).astype(np.float32)
    return _pixels(_light(pixels) * gains)


def _defocus(pixels: Pixels, rng: Generator) -> Pixels:
    radius = rng.uniform(0.8, max(1.2, min(pixels.shape[:2]) / 35))
    at = np.arange(-int(radius) - 1, int(radius) + 2, dtype=np.float32)
    distance = np.hypot(at[:, np.newaxis], at)
    # Borders of the disc are covered in part.
    disc = np.asarray(np.clip(radius + 0.5 - distance, 0, 1), np.float32)
    return _filtered(pixels, disc)


def _motion_blur(pixels: Pixels, rng: Generator) -> Pixels:
    length = rng.uniform(2, max(3, min(pixels.shape[:2]) / 12))
    size = int(length) | 1
    angle = rng.uniform(0, np.pi)
    line = np.zeros((size, size), np.float32)
    along = np.linspace(-size / 2 + 0.5, size / 2 - 0.5, 4 * size)
    x = np.rint(size // 2 + along * np.cos(angle)).astype(int)
    y = np.rint(size // 2 + along * np.sin(angle)).astype(int)
    np.add.at(line, (y, x), 1)
    return _filtered(pixels, line)


def _low_light(pixels: Pixels, rng: Generator) -> Pixels:
    """Shot noise of counted photons and the noise of reading them, by EMVA 1288's camera model."""
    exposure = np.exp(rng.uniform(np.log(0.03), np.log(0.3)))
    photons = rng.uniform(300, 3000)
    counted = rng.poisson(_light(pixels) * exposure * photons)
    read = counted + rng.normal(0, rng.uniform(1, 5), pixels.shape)
    # Automatic gain brings back a part of the brightness, and the noise with it.
    gain = exposure ** -rng.uniform(0.3, 0.9)
    return _pixels((read / photons * gain).astype(np.float32))


def _compression(pixels: Pixels, rng: Generator) -> Pixels:
    quality = int(rng.integers(12, 60))
    # OpenCV's order is BGR, and chroma is compressed more.
    encoded = cv2.imencode(
        ".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return _with_channels(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED))[..., ::-1]


EFFECTS: Mapping[Effect, Callable[[Pixels, Generator], Pixels]] = {
    Effect.FLIP: _flip,
    Effect.SHIFT: _shift,
    Effect.OCCLUSION: _occlusion,
    Effect.BACKLIGHT: _backlight,
    Effect.GLARE: _glare,
    Effect.COLOUR_CAST: _colour_cast,
    Effect.DEFOCUS: _defocus,
    Effect.MOTION_BLUR: _motion_blur,
    Effect.LOW_LIGHT: _low_light,
    Effect.COMPRESSION: _compression,
}

NOTHING = Augmentation()
BRANCH = Augmentation(
    {
        Effect.FLIP: 0.5,
        Effect.SHIFT: 0.7,
        Effect.OCCLUSION: 0.1,
        Effect.BACKLIGHT: 0.1,
        Effect.GLARE: 0.1,
        Effect.COLOUR_CAST: 0.25,
        Effect.DEFOCUS: 0.1,
        Effect.MOTION_BLUR: 0.1,
        Effect.LOW_LIGHT: 0.15,
        Effect.COMPRESSION: 0.25,
    }
)
"""For cameras in bank branches; about three effects a picture, half of them mere geometry."""


def _spot(
    pixels: Pixels, rng: Generator, middle: tuple[float, float], size: tuple[float, float]
) -> Floats:
    """H x W x 1: a soft round spot, 1 in its middle; `middle` and `size` are shares of a side."""
    height, width = pixels.shape[:2]
    (x, y), radius = rng.uniform(*middle, 2), rng.uniform(*size)
    rows = ((np.arange(height, dtype=np.float32) / height - y) / radius) ** 2
    columns = ((np.arange(width, dtype=np.float32) / width - x) / radius) ** 2
    spot = np.exp(-rows)[:, np.newaxis] * np.exp(-columns)
    return np.asarray(spot[..., np.newaxis], np.float32)


_LIGHT = np.asarray((np.arange(256) / 255) ** _GAMMA, np.float32)


def _light(pixels: Pixels) -> Floats:
    """The light that pixels stand for, 0..1."""
    return np.asarray(_LIGHT[pixels], np.float32)


def _pixels(light: Floats) -> Pixels:
    """Light as pixels; what is above 1 is overexposed."""
    return np.asarray(np.clip(light, 0, 1) ** (1 / _GAMMA) * 255 + 0.5, np.uint8)


def _filtered(pixels: Pixels, kernel: Floats) -> Pixels:
    kernel /= kernel.sum()
    return _with_channels(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _with_channels(image: object) -> Pixels:
    """What OpenCV made, as H x W x C: it drops a single channel."""
    pixels = np.asarray(image, np.uint8)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
