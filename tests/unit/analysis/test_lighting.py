"""Light multiplies what is there; a thing replaces it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.analysis.lighting import Lighting, lighting

SIZE = (40, 50)
NOISE = 0.4


def ground(grain: float, seed: int = 1, level: float = 130.0) -> NDArray[np.float32]:
    """A grey ground with a grain of so many levels, as blurred as a camera's picture is."""
    rng = np.random.default_rng(seed)
    levels = cv2.blur(rng.normal(0, 3 * grain, SIZE).astype(np.float32), (3, 3)) + level
    return np.repeat(levels[..., None], 3, axis=2)


def place(softness: float = 0.0) -> NDArray[np.float32]:
    mask = np.zeros(SIZE, np.float32)
    mask[10:30, 12:38] = 1.0
    return cv2.GaussianBlur(mask, (0, 0), softness) if softness else cv2.blur(mask, (3, 3))


def judged(
    now: NDArray[np.float32], before: NDArray[np.float32], *, visited: bool = False
) -> Lighting:
    rng = np.random.default_rng(9)
    noisy = now + cv2.blur(rng.normal(0, 1.2, now.shape).astype(np.float32), (3, 3))
    mask = np.abs(now - before).max(axis=2) > 12
    return lighting(noisy, before, mask, NOISE, visited=visited)


@pytest.mark.parametrize("visited", [True, False])
@pytest.mark.parametrize("softness", [0.0, 1.5, 3.0])
@pytest.mark.parametrize("gain", [0.5, 0.75, 1.5])
def test_a_ground_whose_grain_is_still_to_be_seen_is_lit(
    gain: float, softness: float, visited: bool
) -> None:
    before = ground(6)
    now = before * (1 + (gain - 1) * place(softness)[..., None])
    assert judged(now, before, visited=visited) is Lighting.LIGHT


def test_a_thing_hides_the_grain_of_the_ground() -> None:
    before = ground(6)
    share = place()[..., None]
    now = before * (1 - share) + 90 * share
    assert judged(now, before) is Lighting.MORE


def test_a_thing_with_a_grain_of_its_own_is_no_light() -> None:
    before = ground(6)
    share = place()[..., None]
    now = before * (1 - share) + ground(6, seed=2, level=80) * share
    assert judged(now, before) is Lighting.MORE


def test_a_thing_of_another_colour_is_no_light() -> None:
    before = ground(0)
    share = place()[..., None]
    now = before * (1 - share) + np.array([60, 90, 120], np.float32) * share
    assert judged(now, before) is Lighting.MORE


def test_a_plain_grey_change_on_plain_grey_ground_cannot_be_told() -> None:
    before = ground(0)
    now = before * (1 - 0.3 * place()[..., None])
    assert judged(now, before) is Lighting.PERHAPS


def test_what_is_nearly_black_is_more_than_a_shadow() -> None:
    before = ground(0)
    now = before * (1 - 0.85 * place()[..., None])
    assert judged(now, before) is Lighting.MORE
