"""Frames to make scenes of: the real clip, or a lobby that is drawn by code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.capture.drawn import Drawing
from edge_runtime.capture.scene import Lobby, Mark, Walk
from edge_runtime.frame import Image

VISIT = Walk((Mark(4, 1.3, 0.62), Mark(7, 0.4, 0.74), Mark(12, 0.4, 0.74), Mark(15, -0.3, 0.66)))
"""Comes at 4 s, stays, and has left at 15 s."""


def lobby(
    seconds: float, fps: float = 10.0, walks: Sequence[Walk] = (VISIT,), seed: int = 1
) -> Iterator[tuple[float, Image]]:
    """The drawn lobby of an ATM, 640 x 360; needs no data."""
    drawing = Drawing.parse(f"width=640&height=360&fps={fps:g}&seconds={seconds:g}&seed={seed}")
    painter = Lobby(drawing, walks, math.inf)
    for number in range(round(seconds * fps)):
        yield number / fps, painter.paint(number, number / fps)


def clip(
    path: Path, start: float = 0.0, seconds: float = math.inf
) -> Iterator[tuple[float, Image]]:
    """A part of a recording; its timestamps begin at 0."""
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise ValueError(f"{path} cannot be read as a clip")
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        capture.set(cv2.CAP_PROP_POS_FRAMES, round(start * fps))
        number = 0
        while number < seconds * fps:
            there, image = capture.read()
            if not there:
                return
            yield number / fps, np.asarray(image, np.uint8)
            number += 1
    finally:
        capture.release()
