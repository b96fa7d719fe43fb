"""Labelled pictures in memory, as a network sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.engine import TensorSpec
from edge_runtime.inference.preprocess import Colour, Preprocessor, Resize
from model_export.architectures.spec import Input
from model_export.datasets.samples import LabelledPictures
from model_export.errors import ExportError
from model_export.weights import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of a network's size.

    Attributes:
        pixels: N x height x width x channels uint8, RGB or grey.
        labels: N indexes into `classes`.
        classes: their names.

    Raises:
        ExportError: there are none, or a class has none.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        counts = self.counts()
        if not counts.all():
            name = self.classes[int(counts.argmin())]
            raise ExportError(f"the class {name} has no pictures: every class needs some")

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> NDArray[np.int64]:
        """How many pictures each class has."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def inputs(self, picture: Input) -> Floats:
        """All of them as `as_input` makes them; N x height x width x channels."""
        return as_input(self.pixels, picture)


def as_input(pixels: NDArray[np.uint8], picture: Input) -> Floats:
    """Pixels as what the network takes: in its range, or as they are where it scales itself."""
    if picture.scales:
        return pixels.astype(np.float32)
    low, high = picture.pixel_range
    scaled: Floats = np.multiply(pixels, np.float32((high - low) / 255), dtype=np.float32)
    scaled += np.float32(low)
    return scaled


def load_pictures(
    data: LabelledPictures, picture: Input, progress: Callable[[float], None] = lambda _: None
) -> Pictures:
    """Read and scale all pictures as boards do, stretched to the network's size.

    Raises:
        SourceError: a file is missing or is no picture.
        ExportError: a class has no pictures.
    """
    shape = (picture.height, picture.width, picture.channels)
    pixels = np.empty((len(data), *shape), np.uint8)
    colour = Colour.RGB if picture.channels == 3 else Colour.GREY
    spec = TensorSpec("picture", (1, *shape), np.dtype(np.uint8))
    preprocessor = Preprocessor(spec, Resize.STRETCH, colour, None)
    for number, sample in enumerate(data.samples):
        preprocessor.write(sample.read(), pixels[number])
        progress((number + 1) / len(data))
    labels = np.array([sample.label for sample in data.samples], np.int64)
    return Pictures(pixels, labels, data.classes)
