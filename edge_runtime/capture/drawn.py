"""A source whose pictures are drawn by code: the same ones every time, on a time of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol
from urllib.parse import parse_qsl

from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import Picture, SourceError, SourceInfo, SourceSettings
from edge_runtime.frame import Image


@dataclass(frozen=True, slots=True)
class Drawing:
    """What ``?width=640&height=360&fps=10&seconds=5&seed=1`` says.

    Attributes:
        width: pixels, 16 to 8192.
        height: pixels, 16 to 8192.
        fps: pictures a second, above 0 and up to 1000.
        seconds: how long it lasts; 0 for ever.
        seed: of what is drawn by chance; the same seed draws the same pictures.
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
    def parse(cls, query: str) -> Drawing:
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


class Painter(Protocol):
    """Draws the pictures of one source."""

    def paint(self, number: int, seconds: float) -> Image:
        """A new picture: that of this `number` from 0, `seconds` after the start."""


class Drawn:
    """Delivers what a painter draws; with ``seconds`` it ends, else it goes on for ever."""

    live = False

    def __init__(
        self,
        what: str,
        drawing: Drawing,
        settings: SourceSettings,
        begin: Callable[[Drawing], Painter],
    ) -> None:
        """Prepare; nothing is drawn before `open`.

        Args:
            what: what is drawn, for a person.
            drawing: size, speed and end of it.
            settings: of the camera.
            begin: draws what does not change.
        """
        self._what = what
        self._drawing = drawing
        self._limit = RateLimit(settings.fps)
        self._begin = begin
        self._painter: Painter | None = None
        self._next = 0

    def open(self) -> SourceInfo:
        """Draw what does not change."""
        drawing = self._drawing
        self._painter = self._begin(drawing)
        width, height, fps = drawing.width, drawing.height, drawing.fps
        description = f"{self._what}, {width}x{height} at {fps:g} fps"
        return SourceInfo(width, height, fps, description, round(drawing.seconds * fps) or None)

    def read(self) -> Picture | None:
        """Draw the next picture that is due."""
        if self._painter is None:
            raise SourceError("the synthetic source is not open")
        while True:
            media_time = self._next / self._drawing.fps
            if self._drawing.seconds and media_time >= self._drawing.seconds:
                return None
            number, self._next = self._next, self._next + 1
            if self._limit.due(media_time):
                started = time.thread_time()
                image = self._painter.paint(number, media_time)
                seconds = time.thread_time() - started
                return Picture(image, time.monotonic(), media_time, seconds)

    def close(self) -> None:
        """Forget the pictures."""
        self._painter = None

    def present(self) -> bool:
        """It always is."""
        return True
