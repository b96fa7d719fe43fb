"""Pictures and parts of pictures as arrays, H x W, and how a part is made larger or smaller."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""Which pixels are meant."""
Bytes = NDArray[np.uint8]
Plane = NDArray[np.float32]
Colours = NDArray[np.float32]
"""H x W x 3, in levels of 0..255."""


def grown(mask: Mask, pixels: int) -> Mask:
    """`mask` and what is so near to it."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), _square(pixels))).view(np.bool_)


def worn(mask: Mask, pixels: int) -> Mask:
    """`mask` without what is so near to its border; beyond the picture's edge nothing is meant."""
    inner = cv2.erode(mask.view(np.uint8), _square(pixels), borderType=cv2.BORDER_CONSTANT,
                      borderValue=0)  # fmt: skip
    return np.asarray(inner).view(np.bool_)


def _square(pixels: int) -> Bytes:
    return np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
