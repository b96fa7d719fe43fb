"""What a model sees in single images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.config import ModelConfig
from edge_runtime.detections import Detections
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Image
from edge_runtime.inference.model import load_detector
from edge_runtime.service import models
from edge_runtime.service.overlay import draw_detections


class ImageError(EdgeRuntimeError):
    """An image that cannot be read, or not be written."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was seen in one image."""

    path: Path
    size: tuple[int, int]
    detections: Detections


def detect(images: Sequence[Path], model: ModelConfig, draw: Path | None) -> Iterator[Seen]:
    """The detections in each image, from the score on that the model's threshold asks for.

    Args:
        images: files that OpenCV reads.
        model: the model.
        draw: a folder for the images with boxes on them; None for none.

    Raises:
        EdgeRuntimeError: the model or an image cannot be used.
    """
    with models.borrowed(model) as ready:
        detector = load_detector(ready.settings)
        if draw is not None:
            _make_folder(draw)
        for path in images:
            image = _read(path)
            detections = detector.detect(image)
            if draw is not None:
                _write(draw / f"{path.stem}.png", draw_detections(image, detections))
            yield Seen(path, (image.shape[1], image.shape[0]), detections)


def as_table(seen: Seen) -> str:
    """A line an object: score, class, box in pixels."""
    width, height = seen.size
    count = len(seen.detections)
    found = f"{count or 'no'} object{'' if count == 1 else 's'}"
    lines = [f"{seen.path} ({width} x {height}): {found}"]
    for index, box in enumerate(seen.detections.boxes.round().astype(int).tolist()):
        label, score = seen.detections.label(index), seen.detections.scores[index]
        lines.append(f"  {score:4.0%}  {label:<16} x {box[0]}..{box[2]}, y {box[1]}..{box[3]}")
    return "\n".join(lines)


def as_json(seen: Seen) -> str:
    """One object; boxes as x1, y1, x2, y2 in pixels."""
    found = seen.detections
    return json.dumps(
        {
            "image": str(seen.path),
            "width": seen.size[0],
            "height": seen.size[1],
            "detections": [
                {
                    "label": found.label(index),
                    "score": round(float(found.scores[index]), 4),
                    "box": [round(value, 1) for value in found.boxes[index].tolist()],
                }
                for index in range(len(found))
            ],
        }
    )


def _read(path: Path) -> Image:
    if not path.is_file():
        raise ImageError(f"there is no image {path}")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path} cannot be read: a JPEG, PNG, WebP, BMP or TIFF is asked for")
    return np.asarray(image, np.uint8)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"the folder {path} cannot be made: {error.strerror}") from error


def _write(path: Path, image: Image) -> None:
    if not cv2.imwrite(str(path), image):
        raise ImageError(f"{path} cannot be written: is the folder writable?")
