"""Pictures in a page: small, and in the page itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.capture.source import SourceError
from edge_runtime.frame import Image
from model_export.datasets.samples import Sample
from model_export.evaluation import Mistake
from model_export.object_quality import BoxMistake, Fault

SIDE = 160
"""The longer side of a small picture in pixels; larger ones are not needed to see what it is."""

_QUALITY = 82

Box = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a model got wrong, made small.

    Attributes:
        uri: the picture itself as a data: address; "" where there is none.
        width, height: in pixels.
        problem: why there is none.
        said, is_: what the model said, and what is right.
        file: its name, and which part of it this is.
    """

    uri: str
    width: int
    height: int
    problem: str
    said: str
    is_: str
    file: str


def mistake_picture(mistake: Mistake) -> Picture:
    """The part of the picture that a classifier saw."""
    part = f", part {' '.join(map(str, mistake.crop))}" if mistake.crop else ""
    return _picture(
        Sample(Path(mistake.picture), 0, mistake.crop),
        None,
        f"said {mistake.said} {mistake.score:.2f}",
        f"is {mistake.label}",
        part,
    )


def box_mistake_picture(mistake: BoxMistake) -> Picture:
    """The picture, with the box that a detector saw or missed."""
    if mistake.fault is Fault.MISSED:
        said, is_ = f"missed {mistake.label}", "in the frame"
    else:
        score = "" if mistake.score is None else f" {mistake.score:.2f}"
        said, is_ = f"saw {mistake.label}{score}", "none is there"
    return _picture(Sample(Path(mistake.picture), 0), mistake.box, said, is_, "")


def _picture(sample: Sample, box: Box | None, said: str, is_: str, part: str) -> Picture:
    """A picture that is gone or broken by now is no reason to have no report: it is said there."""
    file = f"{sample.path.name}{part}"
    try:
        image = sample.read()
    except SourceError as error:
        return Picture("", 0, 0, str(error), said, is_, file)
    if not image.size:
        problem = f"{sample.path} is smaller than the part that was tested"
        return Picture("", 0, 0, problem, said, is_, file)
    small = _small(image, box)
    height, width = small.shape[:2]
    _, content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    uri = f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
    return Picture(uri, width, height, "", said, is_, file)


def _small(image: Image, box: Box | None) -> Image:
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if box:
        x1, y1, x2, y2 = (round(scale * edge) for edge in box)
        # Dark around light: it is seen on any ground.
        for colour, thickness in (((0, 0, 0), 4), ((80, 220, 255), 2)):
            cv2.rectangle(small, (x1, y1), (x2, y2), colour, thickness)
    return small
