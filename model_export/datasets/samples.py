"""Pictures that are labelled with one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.capture.images import read_image
from edge_runtime.frame import Image


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, or a part of one, of one class.

    Attributes:
        path: the file.
        label: index into the data's classes.
        crop: the part as (x1, y1, x2, y2) in pixels; None: all of it.
    """

    path: Path
    label: int
    crop: tuple[int, int, int, int] | None = None

    def read(self) -> Image:
        """The picture as H x W x 3 BGR.

        Raises:
            SourceError: the file is missing or is no picture.
        """
        return self.cut(read_image(self.path))

    def cut(self, image: Image) -> Image:
        """The sample's part of its picture, as a view."""
        if self.crop is None:
            return image
        x1, y1, x2, y2 = self.crop
        return image[y1:y2, x1:x2]


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Pictures of several classes.

    Attributes:
        classes: their names; a sample's label counts them from 0.
        samples: the pictures.
    """

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def counts(self) -> Mapping[str, int]:
        """How many samples each class has, those with none included."""
        found = Counter(sample.label for sample in self.samples)
        return {name: found[label] for label, name in enumerate(self.classes)}

    def at(self, indexes: Iterable[int]) -> LabelledPictures:
        """Those samples only."""
        return replace(self, samples=tuple(self.samples[int(index)] for index in indexes))
