"""Pictures drawn by code, for tests and demonstrations: a block moves over a textured wall."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl

import cv2
import numpy as np

from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import Picture, SourceError, SourceInfo, SourceSettings
from edge_runtime.frame import Image

_LAP_SECONDS = 10.0
_NOISES = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """What ``synthetic:?width=640&height=360&fps=10&seconds=5&seed=1`` says.

    Attributes:
        width: pixels, 16 to 8192.
        height: pixels, 16 to 8192.
        fps: pictures a second, above 0 and up to 1000.
        seconds: how long it lasts; 0 for ever.
        seed: of the noise and the texture; the same seed draws the same pictures.
    """

    width: int = 640
    height: int = 360
    fps: float = 10.0
    seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (16 <= self.width <= 8192 and 16 <= self.height <= 8192):
            raise SourceError("a synthetic source is 16 to 8192 pixels wide and high")
        if not 0 < self.fps <= 1000:
            raise SourceError("a synthetic source has an fps above 0 and up to 1000")
        if not 0 <= self.seconds < float("inf") or self.seed < 0:
            raise SourceError("seconds and seed of a synthetic source must not be negative")

    @classmethod
    def parse(cls, query: str) -> Scene:
        """Read ``key=value&key=value``.

        Raises:
            SourceError: an unknown key, or a value that is not a number or out of range.
        """
        kinds = {f.name: float if f.name in ("fps", "seconds") else int for f in fields(cls)}
        values: dict[str, float] = {}
        for key, text in parse_qsl(query.lstrip("?"), keep_blank_values=True):
            if key not in kinds:
                raise SourceError(
                    f"a synthetic source has no setting {key}: it has {', '.join(kinds)}"
                )
            try:
                values[key] = kinds[key](text)
            except ValueError:
                raise SourceError(
                    f"{key} of a synthetic source must be a number, not {text!r}"
                ) from None
        return cls(**values)  # type: ignore[arg-type]


class Synthetic:
    """Draws the same pictures every time; with ``seconds`` it ends, else it goes on for ever."""

    live = False

    def __init__(self, query: str, settings: SourceSettings) -> None:
        self._scene = Scene.parse(query)
        self._limit = RateLimit(settings.fps)
        self._walls: list[Image] = []
        self._block = as_image(np.empty((0, 0, 3), np.uint8))
        self._next = 0

    def open(self) -> SourceInfo:
        """Draw what does not change."""
        scene = self._scene
        rng = np.random.default_rng(scene.seed)
        texture = rng.integers(60, 160, (scene.height // 8 + 1, scene.width // 8 + 1, 3), np.uint8)
        wall = cv2.resize(texture, (scene.width, scene.height), interpolation=cv2.INTER_CUBIC)
        shape = (scene.height, scene.width, 3)
        self._walls = [
            as_image(cv2.add(wall, rng.integers(0, 6, shape, np.uint8))) for _ in range(_NOISES)
        ]
        size = (scene.height // 2, max(scene.width // 8, 1), 3)
        self._block = rng.integers(180, 256, size, np.uint8)
        count = round(scene.seconds * scene.fps) or None
        return SourceInfo(
            scene.width,
            scene.height,
            scene.fps,
            f"synthetic pictures, {scene.width}x{scene.height} at {scene.fps:g} fps",
            count,
        )

    def read(self) -> Picture | None:
        """Draw the next picture that is due."""
        while True:
            media_time = self._next / self._scene.fps
            if self._scene.seconds and media_time >= self._scene.seconds:
                return None
            number, self._next = self._next, self._next + 1
            if self._limit.due(media_time):
                started = time.thread_time()
                image = self._draw(number, media_time)
                seconds = time.thread_time() - started
                return Picture(image, time.monotonic(), media_time, seconds)

    def close(self) -> None:
        """Forget the pictures."""
        self._walls = []

    def present(self) -> bool:
        """It always is."""
        return True

    def _draw(self, number: int, media_time: float) -> Image:
        if not self._walls:
            raise SourceError("the synthetic source is not open")
        image = self._walls[number % _NOISES].copy()
        height, width = self._block.shape[:2]
        there = abs(media_time / _LAP_SECONDS % 2 - 1)  # 1 to 0 and back, a lap each way
        left = round(there * (self._scene.width - width))
        top = self._scene.height - height
        image[top : top + height, left : left + width] = self._block
        return image
