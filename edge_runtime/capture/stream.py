"""A stream over the network: RTSP, or HTTP with MJPEG or whatever FFmpeg reads."""

from __future__ import annotations

import re
import socket
import time
from urllib.parse import quote, urlsplit

import cv2

from edge_runtime.capture.opencv import ONE_THREAD, Capture
from edge_runtime.capture.rate import RateLimit
from edge_runtime.capture.source import (
    Picture,
    SourceError,
    SourceInfo,
    SourceSettings,
    SourceStalledError,
)
from edge_runtime.redaction import redact

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_PROBE_SECONDS = 1.0
_USER = re.compile(r"(?P<scheme>[a-z]+://)(?P<user>[^/?#]*)@(?P<rest>.*)", re.IGNORECASE)
_NOT_ESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Stream:
    """A stream that FFmpeg reads, over TCP, with a limit on every wait."""

    live = True

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._name = settings.name
        self._address = address(settings.url)
        self._limit = RateLimit(settings.fps)
        self._capture: Capture | None = None

    def open(self) -> SourceInfo:
        """Connect, and read far enough to know what comes."""
        timeout = self._settings.open_timeout
        limits = (
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(timeout * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(self._settings.stale_after * 1000)),
        )
        started = time.monotonic()
        capture = self._capture = Capture(
            escape_user(self._settings.url), cv2.CAP_FFMPEG, (*limits, *ONE_THREAD)
        )
        if not capture.opened:
            raise SourceError(self._why_not_opened(time.monotonic() - started))
        width, height = capture.size
        return SourceInfo(
            width, height, capture.fps, f"stream {self._name}, {width}x{height}, over TCP"
        )

    def read(self) -> Picture:
        """The next picture that is due; those between are received and not converted."""
        if self._capture is None:
            raise SourceError(f"the stream {self._name} is not open")
        started = time.monotonic()
        while self._capture.grab():
            started = self._capture.arrived
            if self._limit.due(self._capture.arrived):
                picture = self._capture.retrieve(None)
                if picture is None:
                    raise SourceError(f"a picture of the stream {self._name} cannot be decoded")
                return picture
        limit = self._settings.stale_after
        if time.monotonic() - started >= 0.9 * limit:
            raise SourceStalledError(f"the stream {self._name} is silent for {limit:g} s")
        raise SourceError(f"the stream {self._name} was ended by the other side")

    def close(self) -> None:
        """Hang up."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def present(self) -> bool:
        """Whether something accepts connections there."""
        return connection_problem(self._address, _PROBE_SECONDS) is None

    def _why_not_opened(self, took: float) -> str:
        """OpenCV tells no reason: find out what a person needs to know."""
        timeout = self._settings.open_timeout
        problem = connection_problem(self._address, _PROBE_SECONDS)
        if problem is not None:
            return (
                f"cannot connect to {self._name} ({problem}): check the address, and that the "
                "camera is on"
            )
        if took >= 0.9 * timeout:
            return (
                f"{self._name} accepts the connection and then sends no stream for {timeout:g} s: "
                "check that it is a camera's address, or restart the camera"
            )
        return (
            f"{self._name} answers, but gives no stream that can be read: check its path, user and "
            "password"
        )


def address(url: str) -> tuple[str, int]:
    """Host and TCP port of `url`.

    Raises:
        SourceError: it has none; or a password with a character in it that ends the host part.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme.lower()]
    except ValueError:
        raise SourceError(
            f"the address {redact(url)} is not valid: the port must be a number from 1 to 65535, "
            "and / ? # [ ] in a user name or password must be written as %2F %3F %23 %5B %5D"
        ) from None
    if not parts.hostname:
        raise SourceError(f"the address {redact(url)} names no host: write {parts.scheme}://HOST/…")
    if re.search(r"\s", url):
        raise SourceError(f"the address {redact(url)} holds a space: write it as %20")
    return parts.hostname, port


def escape_user(url: str) -> str:
    """`url` with user and password percent-encoded as far as they are not yet.

    People write a camera's password as it is, with @, : and % in it; FFmpeg, like the standard,
    wants those encoded.
    """
    match = _USER.fullmatch(url)
    if match is None:
        return url
    user, colon, password = match["user"].partition(":")
    return f"{match['scheme']}{_escape(user)}{colon}{_escape(password)}@{match['rest']}"


def _escape(text: str) -> str:
    return quote(_NOT_ESCAPED.sub("%25", text), safe="%!$&'()*+,;=-._~")


def connection_problem(peer: tuple[str, int], timeout: float) -> str | None:
    """Why no TCP connection to `peer` (host, port) comes about, in a few words; None if one does.

    The text does not name the peer: of a broken URL, what looks like a host can be a password.
    """
    try:
        socket.create_connection(peer, timeout).close()
    except TimeoutError:
        return "no answer"
    except socket.gaierror:
        return "the host name is not known"
    except (OSError, UnicodeError) as error:
        return (getattr(error, "strerror", None) or "not a host name").lower()
    return None
