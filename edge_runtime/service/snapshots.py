"""Pictures with blurred heads: of the frame at which an alert starts, and for whoever may ask.

A picture is made only of a frame in which the detector has looked for people, so that no one is in
it unblurred because nobody looked.
"""

from __future__ import annotations

import base64
import logging
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2

from edge_runtime.alerts.alert import AlertState, rfc3339
from edge_runtime.analysis.blurring import PixelBox, blurred
from edge_runtime.config import PERSON
from edge_runtime.detections import Detections
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.service.album import Album, AlbumError
from edge_runtime.service.pipeline import Analysed, Looks
from edge_runtime.tracks import Track

logger = logging.getLogger(__name__)

SURE_ENOUGH = 0.15
"""The score from which something is blurred as a person: far below what begins a track."""
LARGEST_ANSWER = 200_000
"""Bytes of a JPEG that is sent to whoever asked."""

_QUALITIES = (85, 70, 55, 40, 25)
_SHRINK = 0.7
_LEAST_WIDTH = 64


class SnapshotError(EdgeRuntimeError):
    """There is no picture to be had."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A picture with blurred heads.

    Attributes:
        image: H x W x 3 uint8 BGR.
        wall_time: Unix seconds at which it was taken.
    """

    image: Image
    wall_time: float


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    answer: queue.SimpleQueue[Snapshot] = field(default_factory=queue.SimpleQueue)


class Photographer:
    """Makes the pictures of one camera.

    `after` is called in the thread that analyses; `ask` may be called by any other.
    """

    def __init__(self, camera: str, detector: Looks, album: Album) -> None:
        self._camera = camera
        self._detector = detector
        self._album = album
        self._lock = threading.Lock()
        self._requests: list[_Request] = []
        self._failing = False

    def after(self, frame: Frame, analysed: Analysed) -> None:
        """Make the pictures that `frame` is wanted for."""
        started = [each for each in analysed.alerts if each.state is AlertState.STARTED]
        with self._lock:
            requests = tuple(self._requests)
        if not started and not requests:
            return
        detections = self._looked(frame, analysed)
        if not detections:
            if started:
                logger.warning("no snapshot: the detector failed", extra={"camera": self._camera})
            return
        people = people_in(frame, analysed.tracks, detections)
        snapshot = Snapshot(blurred(frame.image, people), frame.wall_time)
        for request in requests:
            request.answer.put(snapshot)
        if started:
            coded = jpeg(snapshot.image)
            for alert in started:
                self._keep(alert.incident, coded)

    def ask(self, timeout: float) -> Snapshot:
        """The next frame, blurred.

        Raises:
            SnapshotError: none came within `timeout` seconds in which people could be looked for.
        """
        request = _Request()
        with self._lock:
            self._requests.append(request)
        try:
            return request.answer.get(timeout=timeout)
        except queue.Empty:
            raise SnapshotError(
                f"camera {self._camera} gave no picture within {timeout:g} s in which people could "
                "be looked for and blurred"
            ) from None
        finally:
            with self._lock:
                self._requests.remove(request)

    def _looked(self, frame: Frame, analysed: Analysed) -> tuple[Detections, ...]:
        """What each look of the detector sees in this very frame; empty where it failed."""
        if analysed.looked:
            return analysed.detections
        try:
            return (self._detector.detect(frame.image),)
        except InvokeError:
            return ()

    def _keep(self, incident: str, coded: bytes) -> None:
        try:
            self._album.keep(incident, coded)
        except AlbumError as error:
            if not self._failing:  # once, and not with every alert
                logger.error("%s", error, extra={"camera": self._camera})
            self._failing = True
        else:
            self._failing = False


def people_in(
    frame: Frame, tracks: Iterable[Track], detections: Iterable[Detections]
) -> list[PixelBox]:
    """The boxes, in pixels, of everybody who is followed or seen, or whom somebody resembles.

    `detections` are of one look each. What was seen of somebody from near does not take away what
    was seen of him in the whole frame: it may be a part of him, without the head.
    """
    width, height = frame.width, frame.height
    boxes: list[PixelBox] = [
        (x1 * width, y1 * height, x2 * width, y2 * height)
        for track in tracks
        if track.label == PERSON
        for x1, y1, x2, y2 in (track.box,)
    ]
    for look in detections:
        for index, (x1, y1, x2, y2) in enumerate(look.boxes.tolist()):
            if look.label(index) == PERSON:
                boxes.append((x1, y1, x2, y2))
    return boxes


def as_answer(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot as JSON, for who asked for it."""
    coded = jpeg(snapshot.image, LARGEST_ANSWER)
    return {
        "time": rfc3339(snapshot.wall_time),
        "media_type": "image/jpeg",
        "picture": base64.b64encode(coded).decode("ascii"),
    }


def jpeg(image: Image, most: int | None = None) -> bytes:
    """`image` as a JPEG of at most `most` bytes: of lower quality, then smaller, until it fits."""
    while True:
        for quality in _QUALITIES if most else _QUALITIES[:1]:
            _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if most is None or len(coded) <= most or image.shape[1] <= _LEAST_WIDTH:
                return coded.tobytes()
        image = cv2.resize(image, None, fx=_SHRINK, fy=_SHRINK, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
