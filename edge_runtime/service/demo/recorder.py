"""Films what the daemon sees: a video with all on it, and a sheet of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2

from edge_runtime.analysis.zones import Zone
from edge_runtime.config import CameraConfig
from edge_runtime.frame import Frame, Image
from edge_runtime.service.contact_sheet import COLUMNS, sheet, tile
from edge_runtime.service.film import Film
from edge_runtime.service.pipeline import Analysed

VIDEO, SHEET = "demo.mp4", "contact-sheet.png"

_DEFAULT_FPS = 10.0
_ROWS = 4
_EVERY_SECONDS = 1.0
_LONGEST_GAP = 5.0
"""Seconds of the video for which a picture may stand at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A picture that may get onto the sheet; `told` if there were alerts with it."""

    seconds: float
    told: bool
    image: Image


class Recorder:
    """A context manager; at its end the video and the sheet are complete."""

    def __init__(self, folder: Path, camera: CameraConfig, zones: Sequence[Zone]) -> None:
        self._sheet = folder / SHEET
        self._fps = camera.fps or _DEFAULT_FPS
        self._film = Film(folder / VIDEO, self._fps, zones)
        self._moments: list[Moment] = []
        self._began: float | None = None
        self._written = 0

    def add(self, frame: Frame, analysed: Analysed) -> None:
        """Take up one frame; the video runs at the pace at which frames came."""
        if self._began is None:
            self._began = frame.timestamp
        seconds = frame.timestamp - self._began
        due = round(seconds * self._fps) + 1 - self._written
        times = min(max(due, 0), round(_LONGEST_GAP * self._fps))
        self._written += max(due, 0)
        drawn = self._film.add(frame, analysed, seconds, times)
        told = bool(analysed.alerts)
        if told or not self._moments or seconds - self._moments[-1].seconds >= _EVERY_SECONDS:
            self._moments.append(Moment(seconds, told, tile(drawn)))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._film.__exit__(kind, error, trace)
        if kind is None and self._moments:
            chosen = choose(self._moments, COLUMNS * _ROWS)
            cv2.imwrite(str(self._sheet), sheet([moment.image for moment in chosen]))


def choose(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most `count` moments in their order: those with alerts, and what fills the gaps best."""
    told = [moment for moment in moments if moment.told]
    chosen = told[:count] if told else [moments[0]]
    while len(chosen) < min(count, len(moments)):
        known = {moment.seconds for moment in chosen}
        free = [moment for moment in moments if moment.seconds not in known]
        if not free:
            break
        chosen.append(max(free, key=lambda m: min(abs(m.seconds - other) for other in known)))
    return sorted(chosen, key=lambda moment: moment.seconds)
