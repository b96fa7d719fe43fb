"""What every kind of camera is to the rest: something that is opened, read and closed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Image
from edge_runtime.redaction import redact


class SourceError(EdgeRuntimeError):
    """A source that cannot be opened or read any further."""


class SourceStalledError(SourceError):
    """A live source that is open and delivers nothing."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Which source, and how it is asked for pictures.

    Attributes:
        url: where the pictures come from; see `edge_runtime.capture.sources`. It may hold a
            password and is therefore in no repr; `name` is the text to show.
        width: pixels to ask a camera for that can be asked (v4l2, picamera2); with `height`.
        height: pixels; with `width`.
        fps: deliver at most so many pictures a second; the speed at which a folder plays.
        stale_after: seconds without a picture after which a source counts as stalled.
        open_timeout: seconds that opening a stream may take.
        masks: polygons, x, y in 0..1 of the picture, in which the pictures are black.

    Raises:
        SourceError: a value is out of its range.
    """

    url: str = field(repr=False)
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    stale_after: float = 5.0
    open_timeout: float = 10.0
    masks: tuple[tuple[tuple[float, float], ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.url.strip():
            raise SourceError("the source of a camera is empty: give a URL or a path")
        if (self.width is None) != (self.height is None):
            raise SourceError(f"the source {self.name} has only one of width and height: give both")
        for key in ("width", "height", "fps", "stale_after", "open_timeout"):
            value = getattr(self, key)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise SourceError(f"{key} of the source {self.name} must be above 0, not {value}")

    @property
    def name(self) -> str:
        """The URL without its secrets."""
        return redact(self.url)

    @property
    def size(self) -> tuple[int, int] | None:
        """The width and height to ask for."""
        if self.width is None or self.height is None:
            return None
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What was found when a source was opened.

    Attributes:
        width: pixels.
        height: pixels.
        fps: pictures a second that the source itself names, before any limit; None if it does not.
        description: one line for a person, without secrets.
        frames: how many pictures a recorded source holds, before any limit; None if not known.
    """

    width: int
    height: int
    fps: float | None
    description: str
    frames: int | None = None

    @property
    def duration(self) -> float | None:
        """Seconds that a recorded source lasts; None if not known."""
        if self.frames is None or self.fps is None:
            return None
        return self.frames / self.fps


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as a source delivers it.

    Attributes:
        image: H x W x 3 uint8, blue, green, red, in memory of its own.
        arrived: seconds on the monotonic clock at which it arrived here.
        media_time: seconds since the start of a recorded source; None for a live one.
        decode_seconds: processor time that decoding took, without the wait for the picture.
    """

    image: Image
    arrived: float
    media_time: float | None
    decode_seconds: float


class Source(Protocol):
    """A camera, a stream or a recording.

    All methods but `close` are called by one thread; so is `close`, because OpenCV's captures
    must not be released under a thread that reads. A source is opened once: to connect again,
    make a new one.
    """

    @property
    def live(self) -> bool:
        """Whether it has no end: a live source that ends or fails is connected again."""

    def open(self) -> SourceInfo:
        """Open it.

        Raises:
            SourceError: it cannot be opened.
        """

    def read(self) -> Picture | None:
        """Wait for the next picture; None when a recorded source has ended.

        Raises:
            SourceStalledError: nothing came for `SourceSettings.stale_after` seconds.
            SourceError: it failed.
        """

    def close(self) -> None:
        """Let go of it; may be called again, and before `open`."""

    def present(self) -> bool:
        """A cheap look whether the thing is there at all, without opening it.

        It takes a second at most. While a camera waits to be connected again, that what was gone
        is back ends the wait.
        """
