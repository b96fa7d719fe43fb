"""A picture and when it was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture as H x W x 3, uint8, in OpenCV's channel order: blue, green, red."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        image: the picture, H x W x 3 uint8 BGR. Who takes a frame must not write into it.
        timestamp: seconds on the camera's monotonic clock, taken when the frame arrived (for a
            clip that is analysed as fast as possible: the clip's own time). All durations are
            counted on it.
        wall_time: Unix seconds at the same moment. It only labels an alert and tells a schedule
            the hour; no duration is computed from it.
        number: counts the frames of the camera from 0; what was dropped is counted too.
        decode_seconds: what it took to decode this picture.
    """

    image: Image
    timestamp: float
    wall_time: float
    number: int = 0
    decode_seconds: float = 0.0

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])
