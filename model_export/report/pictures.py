"""Pictures in a page: small, and in the page itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge_runtime.capture.source import SourceError
from edge_runtime.frame import Image
from model_export.datasets.samples import Sample
from model_export.evaluation import Mistake

SIDE = 144
"""The longer side of a small picture in pixels; larger ones are not needed to see what it is."""

_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture, made small.

    Attributes:
        uri: the picture itself as a data: address; "" where there is none.
        width, height: in pixels.
        problem: why there is none.
    """

    uri: str
    width: int
    height: int
    problem: str = ""


def thumbnail(mistake: Mistake) -> Thumbnail:
    """The part of the picture that the model saw.

    A picture that is gone or broken by now is no reason to have no report: it is said in its place.
    """
    try:
        image = Sample(Path(mistake.picture), 0, mistake.crop).read()
    except SourceError as error:
        return Thumbnail("", 0, 0, str(error))
    if not image.size:
        return Thumbnail("", 0, 0, f"{mistake.picture} is smaller than the part that was tested")
    small = _small(image)
    height, width = small.shape[:2]
    _, content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    uri = f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
    return Thumbnail(uri, width, height)


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)
