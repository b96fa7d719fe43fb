"""The annotated video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from edge_runtime.analysis.zones import Zone
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Frame, Image
from edge_runtime.service.overlay import Overlay
from edge_runtime.service.pipeline import Analysed


class VideoError(EdgeRuntimeError):
    """The video cannot be written."""


class Film:
    """The annotated video; written beside its place and moved there when it is complete."""

    def __init__(self, path: Path, fps: float, zones: Sequence[Zone]) -> None:
        if path.suffix.lower() != ".mp4":
            raise VideoError(f"{path} is not the name of an MP4 file: let it end in .mp4")
        if not path.parent.is_dir():
            raise VideoError(f"the folder {path.parent} of the video {path.name} does not exist")
        self._path = path
        self._unfinished = path.with_name(f".{path.stem}.unfinished.mp4")
        self._fps = fps
        self._overlay = Overlay(zones)
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> Film:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)

    def add(self, frame: Frame, analysed: Analysed, seconds: float, times: int = 1) -> Image:
        """Draw `frame` and what was found in it.

        Args:
            frame: the picture.
            analysed: what was found.
            seconds: the moment that is written on it.
            times: for how many pictures of the video it stands.

        Returns:
            The picture with all on it.
        """
        if self._writer is None:
            self._writer = self._open(frame.image)
        caption = f"{seconds:6.1f} s  {'looking' if analysed.looked else 'resting'}"
        drawn = self._overlay.draw(frame.image, analysed.tracks, analysed.alerts, caption)
        for _ in range(times):
            self._writer.write(drawn)
        return drawn

    def _open(self, image: Image) -> cv2.VideoWriter:
        size = (image.shape[1], image.shape[0])
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._unfinished), codec, self._fps, size)
        if not writer.isOpened():
            raise VideoError(f"the video {self._path} cannot be written: is the folder writable?")
        return writer
