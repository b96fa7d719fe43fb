"""A video file."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2

from edge_runtime.capture.opencv import ONE_THREAD, Capture
from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import Picture, SourceError, SourceInfo, SourceSettings

logger = logging.getLogger(__name__)


class VideoFile:
    """A clip in any format that FFmpeg reads; its pictures carry the clip's own time."""

    live = False

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self._path = path
        self._limit = RateLimit(settings.fps)
        self._capture: Capture | None = None
        self._step = 0.0
        self._position = -1.0
        self._duration = 0.0

    def open(self) -> SourceInfo:
        """Open the file."""
        check_readable(self._path)
        capture = self._capture = Capture(str(self._path), cv2.CAP_FFMPEG, ONE_THREAD)
        if not capture.opened:
            raise SourceError(
                f"{self._path} is not a video that can be read: it is damaged, incomplete or of "
                "another format"
            )
        width, height = capture.size
        self._step = 1 / (capture.fps or 25.0)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._duration = max(0, count) * self._step
        return SourceInfo(
            width,
            height,
            capture.fps,
            f"video file {self._path}, {width}x{height}",
            count if count > 0 else None,
        )

    def read(self) -> Picture | None:
        """The next picture that is due."""
        if self._capture is None:
            raise SourceError(f"{self._path} is not open")
        while self._capture.grab():
            media_time = self._advance(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if self._limit.due(media_time):
                return self._retrieve(self._capture, media_time)
        if self._position < 0:
            raise SourceError(f"{self._path} holds no picture that can be decoded")
        if self._position < 0.9 * self._duration - self._step:
            logger.warning(
                "%s ends after %.1f of %.1f s: it may be cut short",
                *(self._path, self._position, self._duration),
            )
        return None

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def present(self) -> bool:
        """Whether the file is there."""
        return self._path.exists()

    def _advance(self, told: float) -> float:
        """The time of the grabbed picture, which rises even where the file tells none."""
        if self._position < 0:
            self._position = max(0.0, told)
        elif told > self._position:
            self._position = told
        else:
            self._position += self._step
        return self._position

    def _retrieve(self, capture: Capture, media_time: float) -> Picture:
        picture = capture.retrieve(media_time)
        if picture is None:
            raise SourceError(
                f"{self._path} is damaged: its picture at {media_time:.1f} s cannot be decoded"
            )
        return picture


def check_readable(path: Path) -> None:
    """Raise `SourceError` unless `path` is a file that this process may read."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        raise SourceError(f"there is no file {path}: check the path of the source") from None
    except PermissionError:
        raise SourceError(f"{path} must not be read by this user: change its permissions") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
