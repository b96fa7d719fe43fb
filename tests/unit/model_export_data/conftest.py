"""Small pictures that are made up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.frame import Image


def scene(seed: int, width: int = 96, height: int = 80) -> Image:
    """Blurred shapes at random places: like a photo, most of it is low frequencies."""
    generator = np.random.default_rng(seed)
    image = np.full((height, width, 3), generator.integers(40, 200, 3), np.uint8)
    for _ in range(12):
        x, y = generator.integers(0, width), generator.integers(0, height)
        colour = tuple(int(value) for value in generator.integers(0, 255, 3))
        cv2.circle(image, (int(x), int(y)), int(generator.integers(5, 30)), colour, -1)
    return cv2.GaussianBlur(image, (9, 9), 0)


def save(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two classes of six pictures each."""
    root = tmp_path / "pictures"
    for number in range(6):
        save(root / "covered" / f"{number}.png", scene(number))
        save(root / "open" / f"{number}.png", scene(100 + number))
    return root
