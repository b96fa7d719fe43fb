"""A camera behind Video4Linux, which is what most USB cameras are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import cv2

from edge_runtime.capture.opencv import Capture
from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import Picture, SourceError, SourceInfo, SourceSettings


class V4l2Camera:
    """A ``/dev/video`` device.

    MJPG is asked for first: uncompressed pictures of 720p and more do not fit through USB 2 at
    camera speed. What the driver gave instead is in the description.
    """

    live = True

    def __init__(self, device: str, settings: SourceSettings) -> None:
        self._device = Path(f"/dev/video{device}" if device.isdecimal() else device)
        self._settings = settings
        self._limit = RateLimit(settings.fps)
        self._capture: Capture | None = None

    def open(self) -> SourceInfo:
        """Open the device and ask for format, size and speed."""
        check_device(self._device)
        capture = self._capture = Capture(str(self._device), cv2.CAP_V4L2)
        if not capture.opened:
            raise SourceError(
                f"{self._device} does not open as a camera: it is not one, or another program is "
                "using it"
            )
        self._ask(capture)
        width, height = capture.size
        speed = f" at {capture.fps:g} fps" if capture.fps else ""
        code = format_name(int(capture.get(cv2.CAP_PROP_FOURCC)))
        return SourceInfo(
            width,
            height,
            capture.fps,
            f"camera {self._device}, {width}x{height}{speed} in {code}",
        )

    def read(self) -> Picture:
        """The next picture that is due; those between are not decoded."""
        if self._capture is None:
            raise SourceError(f"{self._device} is not open")
        torn_since: float | None = None
        while self._capture.grab():
            if self._limit.due(self._capture.arrived):
                picture = self._capture.retrieve(None)
                if picture is not None:
                    return picture
                # A torn JPEG over USB is everyday life and the next picture will do, for a while.
                torn_since = torn_since or self._capture.arrived
                if self._capture.arrived - torn_since > self._settings.stale_after:
                    raise SourceError(f"{self._device} delivers pictures that cannot be decoded")
        raise SourceError(f"{self._device} delivers no more pictures: check its cable")

    def close(self) -> None:
        """Let go of the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def present(self) -> bool:
        """Whether the device is there."""
        return self._device.exists()

    def _ask(self, capture: Capture) -> None:
        # The format comes first: sizes and speeds depend on it.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if self._settings.size is not None:
            width, height = self._settings.size
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if self._settings.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self._settings.fps)


def check_device(device: Path) -> None:
    """Raise `SourceError` unless `device` is a device that this process may use."""
    try:
        mode = device.stat().st_mode
    except FileNotFoundError:
        others = ", ".join(str(path) for path in sorted(Path("/dev").glob("video*")))
        raise SourceError(
            f"there is no device {device}: connect the camera"
            + (f", or choose one of {others}" if others else "")
        ) from None
    except OSError as error:
        raise SourceError(f"{device} cannot be used: {error.strerror}") from error
    if not stat.S_ISCHR(mode):
        raise SourceError(f"{device} is not a device: v4l2: wants one such as v4l2:/dev/video0")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(f"{device} must not be used by this user: add it to the group video")


def format_name(fourcc: int) -> str:
    """The four letters of a pixel format, e.g. MJPG."""
    return fourcc.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") or "?"
