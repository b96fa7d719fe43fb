"""Draws what the analysis saw onto a copy of the frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.analysis.zones import Zone
from edge_runtime.detections import Detections
from edge_runtime.frame import Image
from edge_runtime.tracks import Box, Track, TrackState

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_COLOURS = {
    TrackState.TENTATIVE: (160, 160, 160),
    TrackState.CONFIRMED: (80, 200, 60),
    TrackState.LOST: (40, 160, 240),
}
_ZONE = (220, 170, 40)
_ALERT = (40, 40, 220)
_WHITE = (255, 255, 255)


class Overlay:
    """Boxes, tracks, zones and the alerts that are open, frame by frame."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = tuple(zones)
        self._open: dict[str, Alert] = {}

    def draw(
        self, image: Image, tracks: Iterable[Track], alerts: Iterable[Alert], caption: str
    ) -> Image:
        """A copy of `image` with everything on it; `caption` goes to the lower left corner."""
        for alert in alerts:
            if alert.state is AlertState.ENDED:
                self._open.pop(alert.incident, None)
            else:
                self._open[alert.incident] = alert
        canvas = image.copy()
        self._draw_zones(canvas)
        for track in tracks:
            text = f"{track.label} #{track.id} {track.score:.0%}"
            _draw_box(canvas, _pixels(track.box, canvas), text, _COLOURS[track.state])
        for row, alert in enumerate(self._open.values()):
            _draw_text(canvas, f"ALERT {alert.name}", (8, 24 + 26 * row), _ALERT)
        _draw_text(canvas, caption, (8, canvas.shape[0] - 8), (60, 60, 60))
        return canvas

    def _draw_zones(self, canvas: Image) -> None:
        size = (canvas.shape[1], canvas.shape[0])
        for zone in self._zones:
            points = np.round(np.array(zone.polygon) * size).astype(np.int32)
            cv2.polylines(canvas, [points], isClosed=True, color=_ZONE, thickness=2)
            x, y = points.min(axis=0).tolist()
            _draw_text(canvas, zone.name, (x + 4, y + 18), _ZONE)


def draw_detections(image: Image, detections: Detections) -> Image:
    """A copy of `image` with the detections on it."""
    canvas = image.copy()
    for index, box in enumerate(detections.boxes.tolist()):
        text = f"{detections.label(index)} {detections.scores[index]:.0%}"
        _draw_box(canvas, tuple(round(v) for v in box), text, _COLOURS[TrackState.CONFIRMED])
    return canvas


def _pixels(box: Box, canvas: Image) -> tuple[int, ...]:
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = box
    return round(x1 * width), round(y1 * height), round(x2 * width), round(y2 * height)


def _draw_box(canvas: Image, box: tuple[int, ...], text: str, colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = box
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
    _draw_text(canvas, text, (x1, max(y1 - 4, 14)), colour)


def _draw_text(
    canvas: Image, text: str, origin: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """White letters on a bar of `colour`; `origin` is the lower left corner of the text."""
    (width, height), baseline = cv2.getTextSize(text, _FONT, 0.5, 1)
    x, y = origin
    cv2.rectangle(
        canvas, (x - 2, y - height - 3), (x + width + 2, y + baseline), colour, cv2.FILLED
    )
    cv2.putText(canvas, text, origin, _FONT, 0.5, _WHITE, 1, cv2.LINE_AA)
