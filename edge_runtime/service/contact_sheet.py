"""Pictures side by side on one sheet, and the sheet of a clip's events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.alerts.alert import AlertState
from edge_runtime.analysis.zones import Zone
from edge_runtime.capture.opencv import as_image
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Frame, Image
from edge_runtime.service.overlay import Overlay
from edge_runtime.service.pipeline import Analysed

COLUMNS = 3
_TILE_WIDTH = 448
_BORDER = 6
_PAPER = (244, 244, 240)
_MOST = 60
_SUFFIXES = (".png", ".jpg", ".jpeg")


class SheetError(EdgeRuntimeError):
    """The sheet cannot be written."""


class EventSheet:
    """The frames at which alerts were raised; of a clip without any, its first frame.

    Attributes:
        left_out: how many moments there were beyond the 60 that a sheet shows.
    """

    def __init__(self, path: Path, zones: Sequence[Zone]) -> None:
        """For a sheet at `path`; raises SheetError."""
        if path.suffix.lower() not in _SUFFIXES:
            raise SheetError(f"{path} is not the name of a picture: let it end in .png or .jpg")
        if not path.parent.is_dir():
            raise SheetError(f"the folder {path.parent} of the sheet {path.name} does not exist")
        self._path = path
        self._overlay = Overlay(zones)
        self._first: Image | None = None
        self._told: list[Image] = []
        self.left_out = 0

    def add(self, frame: Frame, analysed: Analysed) -> None:
        """Take up one frame."""
        told = any(alert.state is AlertState.STARTED for alert in analysed.alerts)
        if not analysed.alerts and self._first is not None:
            return
        caption = f"{frame.timestamp:6.1f} s"
        drawn = self._overlay.draw(frame.image, analysed.tracks, analysed.alerts, caption)
        if self._first is None:
            self._first = tile(drawn)
        if told and len(self._told) < _MOST:
            self._told.append(tile(drawn))
        elif told:
            self.left_out += 1

    def write(self) -> None:
        """Write the sheet; raises SheetError."""
        images = self._told or ([self._first] if self._first is not None else [])
        if images and not cv2.imwrite(str(self._path), sheet(images)):
            raise SheetError(f"the sheet {self._path} cannot be written: is the folder writable?")


def tile(image: Image) -> Image:
    """`image`, as wide as the pictures of a sheet are."""
    height = round(image.shape[0] * _TILE_WIDTH / image.shape[1])
    small = cv2.resize(image, (_TILE_WIDTH, height), interpolation=cv2.INTER_AREA)
    return as_image(np.asarray(small, np.uint8))


def sheet(images: Sequence[Image]) -> Image:
    """The pictures, all of one size, in rows."""
    height, width = images[0].shape[:2]
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    step_x, step_y = width + _BORDER, height + _BORDER
    paper = np.full((rows * step_y + _BORDER, columns * step_x + _BORDER, 3), _PAPER, np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = row * step_y + _BORDER, column * step_x + _BORDER
        paper[top : top + height, left : left + width] = image
    return paper
