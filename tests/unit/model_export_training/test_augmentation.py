from __future__ import annotations

import cv2
import numpy as np
import pytest

from model_export.errors import ExportError
from model_export.training.augmentation import BRANCH, EFFECTS, NOTHING, Augmentation, Effect


def picture(channels: int = 3) -> np.ndarray:
    """A smooth scene with a few edges."""
    rows, columns = np.mgrid[:96, :128]
    base = 60 + rows + 0.3 * columns
    base[20:50, 30:80] = 200
    scene = np.stack([base, 0.8 * base, 250 - base][:channels], axis=-1)
    return np.clip(scene, 0, 255).astype(np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def average(effect: Effect, measure, count: int = 20) -> float:  # type: ignore[no-untyped-def]
    return float(np.mean([measure(EFFECTS[effect](picture(), rng(seed))) for seed in range(count)]))


def sharpness(pixels: np.ndarray) -> float:
    return float(cv2.Laplacian(pixels, cv2.CV_64F).var())


def noise(pixels: np.ndarray) -> float:
    flat = pixels[60:90, 90:120].astype(float)
    return float((flat - cv2.GaussianBlur(flat, (0, 0), 2)).std())


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_effect_changes_a_picture_and_keeps_its_kind(effect: Effect, channels: int) -> None:
    before = picture(channels)
    untouched = before.copy()
    after = EFFECTS[effect](before, rng())
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert (after != before).any()
    np.testing.assert_array_equal(before, untouched)


@pytest.mark.parametrize("effect", Effect)
def test_a_seed_makes_the_same_picture(effect: Effect) -> None:
    first, again, other = (EFFECTS[effect](picture(), rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    if effect is not Effect.FLIP:
        assert (first != other).any()


def test_low_light_is_dark_and_noisy() -> None:
    assert average(Effect.LOW_LIGHT, np.mean) < 0.8 * picture().mean()
    assert average(Effect.LOW_LIGHT, noise) > 3 * noise(picture())


def test_glare_brightens_and_backlight_darkens_the_middle_only() -> None:
    assert average(Effect.GLARE, np.mean) > picture().mean()

    def middle(pixels: np.ndarray) -> float:
        return float(pixels[40:56, 56:72].mean())

    def corner(pixels: np.ndarray) -> float:
        return float(pixels[:8, -8:].mean())

    assert average(Effect.BACKLIGHT, middle) < middle(picture())
    assert average(Effect.BACKLIGHT, corner) > corner(picture())


@pytest.mark.parametrize("effect", [Effect.DEFOCUS, Effect.MOTION_BLUR])
def test_blur_takes_sharpness_and_no_light(effect: Effect) -> None:
    assert average(effect, sharpness) < 0.5 * sharpness(picture())
    assert average(effect, np.mean) == pytest.approx(picture().mean(), rel=0.02)


def test_motion_blurs_along_one_direction() -> None:
    dot = np.zeros((65, 65, 3), np.uint8)
    dot[32, 32] = 255
    for seed in range(20):
        blurred = EFFECTS[Effect.MOTION_BLUR](dot, rng(seed))[..., 0]
        points = np.argwhere(blurred).astype(float) - 32
        spread = np.linalg.svd(points, compute_uv=False)
        assert spread[1] <= max(1.5, 0.5 * spread[0])


def test_occlusion_covers_at_most_a_sixth() -> None:
    before = picture()
    covered = [
        (EFFECTS[Effect.OCCLUSION](before, rng(seed)) != before).any(axis=2).mean()
        for seed in range(50)
    ]
    assert np.mean(covered) > 0.03
    assert max(covered) <= 1 / 6


def test_compression_leaves_blocks_of_the_right_colours() -> None:
    before = picture()
    after = EFFECTS[Effect.COMPRESSION](before, rng())
    error = np.abs(after.astype(int) - before)
    assert 0.2 < error.mean() < 12
    np.testing.assert_allclose(after.mean((0, 1)), before.mean((0, 1)), atol=3)


def test_a_cast_changes_colours_and_not_shapes() -> None:
    before = picture()
    after = EFFECTS[Effect.COLOUR_CAST](before, rng(1))
    for channel in range(3):
        correlation = np.corrcoef(before[..., channel].ravel(), after[..., channel].ravel())
        assert correlation[0, 1] > 0.9


def test_effects_happen_as_often_as_was_asked() -> None:
    half = Augmentation({Effect.FLIP: 0.5})
    before = picture()
    flipped = sum((half(before, rng(seed)) != before).any() for seed in range(400))
    assert 160 < flipped < 240
    np.testing.assert_array_equal(NOTHING(before, rng()), before)
    assert any((BRANCH(before, rng(seed)) != before).any() for seed in range(5))


def test_a_probability_that_is_none_is_told() -> None:
    with pytest.raises(ExportError, match="probability of glare is 1"):
        Augmentation({Effect.GLARE: 1.5})
