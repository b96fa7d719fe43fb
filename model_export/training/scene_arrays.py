"""Pictures with boxes as arrays of one shape, as an accelerator wants them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.training.boxes import Scene, Scenes
from model_export.weights import Floats

NOTHING = -2
"""The label of a row that holds no box."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneArrays:
    """All pictures, each with the same number of rows for boxes.

    Attributes:
        pixels: N x height x width x channels uint8.
        boxes: N x M x 4 float32 (ymin, xmin, ymax, xmax) in 0..1.
        labels: N x M int32: classes, `boxes.CROWD`, or `NOTHING`.
    """

    pixels: NDArray[np.uint8]
    boxes: Floats
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pixels)


def arrays_of(scenes: Scenes, most: int) -> SceneArrays:
    """The scenes, of each the `most` largest boxes."""
    count = len(scenes)
    boxes = np.zeros((count, most, 4), np.float32)
    labels = np.full((count, most), NOTHING, np.int32)
    for number, scene in enumerate(scenes.scenes):
        kept = _largest(scene, most)
        boxes[number, : len(kept)] = scene.boxes[kept]
        labels[number, : len(kept)] = scene.labels[kept]
    return SceneArrays(np.stack([scene.pixels for scene in scenes.scenes]), boxes, labels)


def _largest(scene: Scene, most: int) -> NDArray[np.intp]:
    areas = np.prod(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1)
    return np.argsort(-areas, kind="stable")[:most]
