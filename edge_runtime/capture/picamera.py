"""A camera on a Raspberry Pi's CSI connector, through picamera2.

Written against picamera2 0.3.19 and later (Picamera2 manual, chapters 4 to 6; its source for
`MappedArray`, `capture_request(wait=SECONDS)` and `cancel_all_and_flush`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import (
    Picture,
    SourceError,
    SourceInfo,
    SourceSettings,
    SourceStalledError,
)
from edge_runtime.frame import Image

if TYPE_CHECKING:
    from picamera2 import Picamera2

MAIN_SIZE = (1280, 720)
LORES_LONG_SIDE = 640
"""Detectors look at 200 to 400 pixels, so that twice that is enough for the small stream."""
_BUFFERS = 4

_NOT_INSTALLED = (
    "picamera2 is not installed: on Raspberry Pi OS run `sudo apt install python3-picamera2` and "
    "install edge-runtime into a virtual environment made with --system-site-packages, or install "
    "edge-runtime[picamera]"
)


class PicameraCamera:
    """Camera number N, with the low-resolution stream where the board has one.

    The image processor scales the small stream for nothing, in YUV420; a camera without one
    (libcamera's USB cameras) is read from its main stream.
    """

    live = True

    def __init__(self, number: str, settings: SourceSettings) -> None:
        if not number.isdecimal():
            raise SourceError(
                f"picamera2:{number} names no camera: write its number, such as picamera2:0"
            )
        self._number = int(number)
        self._settings = settings
        self._limit = RateLimit(settings.fps)
        self._camera: Picamera2 | None = None
        self._stream = "main"
        self._size = MAIN_SIZE

    def open(self) -> SourceInfo:
        """Take the camera, configure it and start it."""
        camera = self._camera = self._acquire()
        try:
            self._configure(camera)
            camera.start()
        except RuntimeError as error:
            raise SourceError(f"the camera {self._name} cannot be started: {error}") from error
        stream = camera.stream_configuration(self._stream)
        self._size = width, height = stream["size"]
        wanted = "YUV420" if self._stream == "lores" else "RGB888"
        if stream["format"] != wanted:
            raise SourceError(
                f"the camera {self._name} delivers {stream['format']}, which is not read here: use "
                "a USB camera as v4l2:/dev/video0"
            )
        return SourceInfo(
            width,
            height,
            self._settings.fps,
            f"camera {self._name}, {self._stream} stream, {width}x{height}",
        )

    def read(self) -> Picture:
        """The next picture that is due."""
        if self._camera is None:
            raise SourceError(f"the camera {self._name} is not open")
        while True:
            request = self._next_request(self._camera)
            try:
                arrived = time.monotonic()
                if self._limit.due(arrived):
                    started = time.thread_time()
                    image = self._convert(request)
                    return Picture(image, arrived, None, time.thread_time() - started)
            finally:
                request.release()

    def close(self) -> None:
        """Stop the camera and give it back."""
        camera, self._camera = self._camera, None
        if camera is not None:
            # Stopping is a job that picamera2 queues: behind a capture that never ends it would
            # never run.
            camera.cancel_all_and_flush()
            camera.close()

    def present(self) -> bool:
        """Not known without opening it."""
        return True

    @property
    def _name(self) -> str:
        return f"picamera2:{self._number}"

    def _acquire(self) -> Picamera2:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            missing = error.name or "picamera2"
            reason = "" if missing == "picamera2" else f" ({missing} is missing)"
            raise SourceError(_NOT_INSTALLED + reason) from error
        try:
            return Picamera2(self._number)
        except IndexError:
            raise SourceError(
                f"there is no camera {self._name}: `rpicam-hello --list-cameras` lists those that "
                "are connected"
            ) from None
        except RuntimeError as error:
            raise SourceError(
                f"the camera {self._name} cannot be opened ({_reason(error)}): another program may "
                "be using it, or its cable is loose"
            ) from error

    def _configure(self, camera: Picamera2) -> None:
        size = self._settings.size or MAIN_SIZE
        main = {"size": size, "format": "RGB888"}
        lores = {"size": lores_size(*size), "format": "YUV420"}
        options: dict[str, Any] = {"raw": None, "buffer_count": _BUFFERS, "display": None}
        if self._settings.fps is not None:
            options["controls"] = {"FrameRate": self._settings.fps}
        try:
            camera.configure(camera.create_video_configuration(main=main, lores=lores, **options))
            self._stream = "lores"
        except RuntimeError:
            camera.configure(camera.create_video_configuration(main=main, **options))
            self._stream = "main"

    def _next_request(self, camera: Picamera2) -> Any:
        limit = self._settings.stale_after
        try:
            return camera.capture_request(wait=limit)
        except TimeoutError:
            raise SourceStalledError(
                f"the camera {self._name} delivers no picture for {limit:g} s: check its cable"
            ) from None
        except RuntimeError as error:
            raise SourceError(f"the camera {self._name} failed: {error}") from error

    def _convert(self, request: Any) -> Image:
        from picamera2 import MappedArray

        with MappedArray(request, self._stream) as mapped:
            if self._stream == "lores":
                return yuv420_to_bgr(mapped.array, self._size[0])
            # picamera2 names its formats from the other end: RGB888 is blue, green, red in
            # memory. The memory is the camera's and goes back to it.
            return as_image(np.array(mapped.array))


def lores_size(width: int, height: int) -> tuple[int, int]:
    """The size of the small stream: the same shape, even, its long side at most 640 pixels."""
    scale = min(1.0, LORES_LONG_SIDE / max(width, height))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def yuv420_to_bgr(planes: Image, width: int) -> Image:
    """Turn planar YUV 4:2:0 into BGR, without the padding at the right.

    `planes` is (height * 3/2) x stride uint8, as picamera2 maps it; rows are padded from `width`
    to the stride. The result is a view, height x width x 3.
    """
    return as_image(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)[:, :width])


def _reason(error: RuntimeError) -> str:
    """picamera2 hides the reason ("Camera __init__ sequence did not complete.") behind its own."""
    cause = error.__cause__ or error.__context__ or error
    return str(cause).rstrip(".") or type(cause).__name__
