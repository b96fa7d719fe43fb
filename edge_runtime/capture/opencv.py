"""What the sources that OpenCV reads have in common."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

# FFmpeg and OpenCV write to standard error on their own, and some of FFmpeg's lines hold the URL
# with its password. Both are set only where the user has not set them (to look for a fault).
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
# RTSP over TCP only: over UDP a lost packet is a torn picture, and a silent peer goes unnoticed.
# FFmpeg holds a new stream back for 20 frames only to guess its frame rate: 3 were measured to
# connect to a camera of 10 fps in 1 s instead of 3, and to guess the rates of files no worse.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|fpsprobesize;3")
# Seconds that a V4L2 read waits; the default of 10 is longer than a stale camera goes unnoticed.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5")

import cv2

from edge_runtime.capture.source import Picture
from edge_runtime.frame import Image

_SILENT = 0
if "OPENCV_LOG_LEVEL" not in os.environ:
    # OpenCV 4 and 5 keep it in different places.
    _set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    _set_log_level(_SILENT)
# A picture is small work: handing halves of it to other threads costs more than it saves, and
# takes the processor from the other cameras.
cv2.setNumThreads(1)

ONE_THREAD = (cv2.CAP_PROP_N_THREADS, 1)
"""Each further thread of FFmpeg's decoder holds one picture back, which at 5 pictures a second is
0.2 s, and costs processor time; cameras are decoded side by side anyway."""


class Capture:
    """A `cv2.VideoCapture` that counts the time of decoding and not that of waiting.

    `grab` takes the next picture off the source, `retrieve` makes an image of it: who wants only
    some of the pictures saves the conversion of the others. Every image is new memory: decoding
    into an old one was measured to gain nothing (1.2 ms a 1080p picture either way).
    """

    def __init__(self, name: str, backend: int, parameters: Sequence[int] = ()) -> None:
        self._capture = cv2.VideoCapture(name, backend, list(parameters))
        self._arrived = 0.0
        self._grab_seconds = 0.0

    @property
    def opened(self) -> bool:
        """Whether there is something to grab from."""
        return self._capture.isOpened()

    def get(self, prop: int) -> float:
        """A property, ``cv2.CAP_PROP_...``; 0 where the source does not know it."""
        return float(self._capture.get(prop))

    def set(self, prop: int, value: float) -> None:
        """Ask for a property; what was given says `get`."""
        self._capture.set(prop, value)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))

    @property
    def fps(self) -> float | None:
        """Pictures a second, where the source names a rate that can be true."""
        fps = self.get(cv2.CAP_PROP_FPS)
        return fps if 0 < fps <= 1000 else None

    def grab(self) -> bool:
        """Wait for the next picture; False when there is none."""
        started = time.thread_time()
        grabbed = self._capture.grab()
        self._arrived = time.monotonic()
        self._grab_seconds = time.thread_time() - started
        return grabbed

    @property
    def arrived(self) -> float:
        """When the grabbed picture arrived, on the monotonic clock."""
        return self._arrived

    def retrieve(self, media_time: float | None) -> Picture | None:
        """The grabbed picture; None if it could not be decoded."""
        started = time.thread_time()
        retrieved, image = self._capture.retrieve()
        if not retrieved:
            return None
        seconds = self._grab_seconds + time.thread_time() - started
        return Picture(as_image(image), self._arrived, media_time, seconds)

    def release(self) -> None:
        """Let go of the source."""
        self._capture.release()


def as_image(array: cv2.typing.MatLike) -> Image:
    """`array` under the type that it has at run time: OpenCV's stubs know it only as numbers."""
    return array  # type: ignore[return-value]
