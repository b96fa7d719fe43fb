"""Pictures of somebody in the drawn lobby with another head: real ones, covered and uncovered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.capture.recording import Recording
from edge_runtime.capture.source import SourceSettings
from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector

FACE = (461, 222)
"""The middle of the visitor's head in the drawn lobby, 1280 x 720, while standing there."""
SIDE = 150


FPS = 5


def lobby_with_somebody() -> list[Image]:
    """Four seconds of the lobby, `FPS` pictures each; somebody stands at the machine."""
    url = f"scene:atm?width=1280&height=720&fps={FPS}&seconds=11"
    with Recording(SourceSettings(url)) as recording:
        return [frame.image for frame in recording if frame.timestamp >= 7.0]


def heads(data: Path, kind: str, count: int) -> list[Image]:
    """Real heads, spread over the folder.

    Those with drawn masks are left out, and pictures on which several faces are found: a group in
    the place of a head is no head.
    """
    folder = data / "images" / "face_covered" / kind
    paths = sorted(path for path in folder.iterdir() if "_syn" not in path.name)
    faces = load_detector(
        ModelSettings(data / "models" / "face_detection_short_range.tflite", device="cpu")
    )
    step = len(paths) // count
    return [_first_of_one(paths[start:], faces) for start in range(0, step * count, step)]


def _first_of_one(paths: Iterable[Path], faces: Detector) -> Image:
    pictures = (np.asarray(cv2.imread(str(path)), np.uint8) for path in paths)
    return next(picture for picture in pictures if len(faces.detect(picture).scores) <= 1)


def with_head(picture: Image, head: Image) -> Image:
    """The visitor with another head."""
    height = round(SIDE * head.shape[0] / head.shape[1])
    small = cv2.resize(head, (SIDE, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    share = np.zeros((height, SIDE), np.float32)
    middle = SIDE // 2, height // 2
    cv2.ellipse(share, middle, (middle[0] - 4, middle[1] - 4), 0, 0, 360, 1.0, -1)
    soft = np.asarray(cv2.GaussianBlur(share, (0, 0), 3))[..., None]
    changed = picture.copy()
    top, left = FACE[1] - middle[1], FACE[0] - middle[0]
    part = changed[top : top + height, left : left + SIDE]
    part[:] = (part * (1 - soft) + small * soft).astype(np.uint8)
    return changed
