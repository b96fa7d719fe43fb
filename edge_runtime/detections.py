"""What a detector saw in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""N x 4 float32, a row a box: x1, y1, x2, y2 in pixels of the frame, x1 <= x2, y1 <= y2."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects found in one frame: arrays of one length, best score first.

    Attributes:
        boxes: N x 4 float32, (x1, y1, x2, y2) in pixels of the frame.
        scores: N float32 in 0..1.
        class_ids: N int32, indexes into `labels`.
        labels: the class names of the model.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def label(self, index: int) -> str:
        """The class name of detection `index`."""
        return self.labels[int(self.class_ids[index])]

    def where(self, mask: NDArray[np.bool_]) -> Detections:
        """Those for which `mask` (N booleans) is true."""
        if mask.all():
            return self
        return Detections(self.boxes[mask], self.scores[mask], self.class_ids[mask], self.labels)

    @classmethod
    def none(cls, labels: tuple[str, ...] = ()) -> Detections:
        """A frame in which nothing was found."""
        return cls(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), labels
        )
