"""The light is smooth; what has come or gone is none of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.illumination import Illumination
from edge_runtime.analysis.planes import Bytes, Mask, Plane

SHAPE = 180, 320
EVERYWHERE: Mask = np.ones(SHAPE, np.bool_)
PLACE = slice(90, 130), slice(100, 140)
"""As large as a suitcase that is near."""


def ground() -> Plane:
    """A patterned floor, of 60 to 180 levels."""
    rough = np.random.default_rng(4).uniform(60, 180, (SHAPE[0] // 6, SHAPE[1] // 6))
    pattern = cv2.resize(rough.astype(np.float32), SHAPE[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.blur(pattern, (3, 3)), np.float32)


def shown(levels: Plane) -> Bytes:
    """As a camera shows it, with its noise."""
    noise = np.random.default_rng(5).normal(0, 1.5, SHAPE)
    return np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8)


def followed(
    now: Plane, *, free: Mask = EVERYWHERE, looks: int = 1, light: Illumination | None = None
) -> Plane:
    """What the light is taken for after so many looks at the same picture."""
    light = light or Illumination(SHAPE)
    for _ in range(looks):
        light.follow(shown(now), ground(), free)
    gain = light.rest()
    return np.ones(SHAPE, np.float32) if gain is None else gain


def from_left_to_right(first: float, last: float) -> Plane:
    return np.broadcast_to(np.linspace(first, last, SHAPE[1], dtype=np.float32), SHAPE)


@pytest.mark.parametrize("gain", [0.4, 0.8, 1.0, 1.3])
def test_a_light_on_the_whole_picture_is_found_at_the_first_look(gain: float) -> None:
    assert followed(gain * ground()) == pytest.approx(gain, rel=0.03)


def test_a_light_that_differs_from_part_to_part_is_followed_within_some_looks() -> None:
    light = from_left_to_right(0.5, 1.2)
    assert followed(light * ground(), looks=10) / light == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("level", [10.0, 250.0])
@pytest.mark.parametrize("gain", [0.6, 1.0])
def test_a_thing_is_no_light(gain: float, level: float) -> None:
    levels = gain * ground()
    levels[PLACE] = level
    assert followed(levels, looks=5)[PLACE] == pytest.approx(gain, rel=0.06)


def test_people_are_no_light_and_behind_them_it_is_that_of_what_is_around() -> None:
    levels, free = 0.7 * ground(), EVERYWHERE.copy()
    levels[40:, 100:160], free[40:, 100:160] = 5.0, False
    assert followed(levels, free=free, looks=3) == pytest.approx(0.7, rel=0.06)


def test_where_nothing_can_be_seen_the_light_is_that_of_the_memory() -> None:
    light = Illumination(SHAPE)
    followed(0.5 * ground(), light=light)
    assert (followed(0.5 * ground(), free=~EVERYWHERE, light=light) == 1).all()


def test_what_the_memory_takes_on_is_left_out_from_then_on() -> None:
    light = Illumination(SHAPE)
    assert light.take(1.0) is None
    followed(0.64 * ground(), light=light)
    half, rest = light.take(0.5), light.rest()
    assert half == pytest.approx(0.8, rel=0.03)
    assert rest == pytest.approx(0.8, rel=0.03)
    light.take(1.0)
    assert light.rest() is None


def test_a_black_picture_has_a_light_that_is_a_number() -> None:
    gain = followed(0 * ground())
    assert np.isfinite(gain).all()
    assert (gain > 0).all()
