"""Pictures drawn by code, for tests: a block moves over a textured wall."""

from __future__ import annotations

import cv2
import numpy as np

from edge_runtime.capture.drawn import Drawing, Drawn
from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.source import SourceSettings
from edge_runtime.frame import Image

_LAP_SECONDS = 10.0
_NOISES = 4


class _Block:
    def __init__(self, drawing: Drawing) -> None:
        rng = np.random.default_rng(drawing.seed)
        width, height = drawing.width, drawing.height
        texture = rng.integers(60, 160, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        wall = cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC)
        self._walls = [
            as_image(cv2.add(wall, rng.integers(0, 6, wall.shape, np.uint8)))
            for _ in range(_NOISES)
        ]
        self._block = rng.integers(180, 256, (height // 2, max(width // 8, 1), 3), np.uint8)

    def paint(self, number: int, seconds: float) -> Image:
        image = self._walls[number % _NOISES].copy()
        height, width = self._block.shape[:2]
        there = abs(seconds / _LAP_SECONDS % 2 - 1)  # 1 to 0 and back, a lap each way
        left = round(there * (image.shape[1] - width))
        top = image.shape[0] - height
        image[top : top + height, left : left + width] = self._block
        return image


class Synthetic(Drawn):
    """The source ``synthetic:?width=640&height=360&fps=10&seconds=5&seed=1``."""

    def __init__(self, query: str, settings: SourceSettings) -> None:
        super().__init__("synthetic pictures", Drawing.parse(query), settings, _Block)
