"""What all steps of a recipe work with: data, pictures in memory, and where things lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_runtime.frame import Image
from model_export.architectures.spec import Input
from model_export.datasets.coco import BoxedPictures
from model_export.datasets.samples import LabelledPictures
from model_export.datasets.splits import choose_for_calibration
from model_export.recipes.data import ClassifierData, Data, DetectorData
from model_export.recipes.recipe import Recipe
from model_export.training.boxes import Scenes, load_scenes
from model_export.training.pictures import Pictures, as_input, load_pictures
from model_export.weights import Floats

Tell = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done, 0..1."""


@dataclass(slots=True, eq=False)
class Kit:
    """A recipe with its data.

    Attributes:
        recipe: what is to be done.
        root: what its paths to data and weights count from.
        folder: what its paths to card and checkpoints count from: the recipe's own.
        data: split.
        tell: told of progress.
    """

    recipe: Recipe
    root: Path
    folder: Path
    data: Data
    tell: Tell
    _loaded: dict[Input, tuple[Pictures, Pictures] | tuple[Scenes, Scenes]] = field(
        default_factory=dict
    )

    @property
    def boxes(self) -> bool:
        """Whether the recipe is for a detector."""
        return isinstance(self.data, DetectorData)

    def pictures(self, picture: Input) -> tuple[Pictures, Pictures]:
        """A classifier's pictures for training and for validation, in memory, read once."""
        assert isinstance(self.data, ClassifierData)
        found = self._loaded.get(picture)
        if found is None:
            found = (
                load_pictures(self.data.train, picture, self._reading),
                load_pictures(self.data.validation, picture),
            )
            self._loaded[picture] = found
        train, validation = found
        assert isinstance(train, Pictures) and isinstance(validation, Pictures)
        return train, validation

    def scenes(self, picture: Input) -> tuple[Scenes, Scenes]:
        """A detector's pictures for training and for validation, in memory, read once."""
        assert isinstance(self.data, DetectorData)
        found = self._loaded.get(picture)
        if found is None:
            found = (
                load_scenes(self.data.train, picture, self._reading),
                load_scenes(self.data.validation, picture),
            )
            self._loaded[picture] = found
        train, validation = found
        assert isinstance(train, Scenes) and isinstance(validation, Scenes)
        return train, validation

    def some_inputs(self, picture: Input, count: int) -> Floats:
        """About `count` training pictures as the network takes them, to measure statistics on."""
        if self.boxes:
            scenes = self.scenes(picture)[0].scenes
            every = max(1, len(scenes) // count)
            return as_input(np.stack([scene.pixels for scene in scenes[::every]]), picture)
        train = self.pictures(picture)[0]
        every = max(1, len(train) // count)
        return as_input(train.pixels[::every], picture)

    def calibration_pictures(self, count: int) -> list[Image]:
        """Training pictures, H x W x 3 BGR, as many of each class."""
        train = self.data.train
        chosen = train.at(choose_for_calibration(_labels(train), count, self.recipe.seed))
        pictures = chosen.samples if isinstance(chosen, LabelledPictures) else chosen.pictures
        return [picture.read() for picture in pictures]

    def _reading(self, done: float) -> None:
        self.tell("reading pictures", done)


def _labels(train: LabelledPictures | BoxedPictures) -> list[int]:
    """Classes; of pictures with boxes, that of the largest box, and one more for those without."""
    if isinstance(train, LabelledPictures):
        return [sample.label for sample in train.samples]
    found: list[int] = []
    for picture in train.pictures:
        largest = max(picture.boxes, key=lambda box: box.width * box.height, default=None)
        found.append(len(train.classes) if largest is None else largest.label)
    return found
