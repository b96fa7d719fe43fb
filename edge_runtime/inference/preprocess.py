"""A picture's way into the input tensor, and the way of boxes back into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.detections import Boxes
from edge_runtime.frame import Image
from edge_runtime.inference.engine import ModelError, Tensor, TensorSpec

PADDING = 114
"""What a letterbox is filled with, 0..255 in each channel: the grey that YOLO is trained with."""

Range = tuple[float, float]
"""The real values that a pixel of 0 and of 255 has for the model."""


class Resize(StrEnum):
    """How a picture of another shape is brought to the tensor's."""

    STRETCH = "stretch"
    """To the tensor's width and height; the picture's proportions change."""
    LETTERBOX = "letterbox"
    """As large as fits with its proportions kept, in the middle, grey around it."""


class Colour(StrEnum):
    """The order of the tensor's channels."""

    RGB = "rgb"
    BGR = "bgr"
    GREY = "grey"


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where the picture lies in the tensor, and so where the tensor lies in the picture.

    Attributes:
        inner: x, y, width, height of the picture in the tensor, in the tensor's pixels.
        scale: 4 float32 and
        offset: 4 float32: pixels of the picture = 0..1 of the tensor * scale + offset.
        limit: 4 float32, the picture's width and height, twice.
    """

    inner: tuple[int, int, int, int]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    limit: NDArray[np.float32]

    @classmethod
    def of(cls, picture: tuple[int, int], tensor: tuple[int, int], resize: Resize) -> Placement:
        """Place a picture of (width, height) in a tensor of (width, height)."""
        (width, height), (columns, rows) = picture, tensor
        if resize is Resize.STRETCH:
            inner = 0, 0, columns, rows
        else:
            fit = min(columns / width, rows / height)
            w, h = max(1, round(width * fit)), max(1, round(height * fit))
            inner = (columns - w) // 2, (rows - h) // 2, w, h
        x, y, w, h = inner
        per_column, per_row = width / w, height / h
        return cls(
            inner,
            np.array([columns * per_column, rows * per_row] * 2, np.float32),
            np.array([-x * per_column, -y * per_row] * 2, np.float32),
            np.array([width, height] * 2, np.float32),
        )

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Boxes in 0..1 of the tensor as pixels of the picture, cut off at its borders."""
        pixels = boxes * self.scale
        pixels += self.offset
        return pixels.clip(0, self.limit, out=pixels)


class Preprocessor:
    """Writes pictures into an input tensor, with two passes over the tensor's pixels.

    `spec` is the tensor, 1 x H x W x C of uint8, int8 or float32. `pixel_range` says which real
    values 0 and 255 stand for; where it is None, a quantized tensor takes pixels as they are
    (int8: less 128), and a float tensor cannot be served.

    Raises:
        ModelError: the tensor's channels are not those of `colour`.
    """

    def __init__(
        self, spec: TensorSpec, resize: Resize, colour: Colour, pixel_range: Range | None
    ) -> None:
        _, rows, columns, channels = spec.shape
        if channels != (1 if colour is Colour.GREY else 3):
            raise ModelError(
                f"the model's input {spec} has {channels} channels, which colour = "
                f'"{colour}" does not have: "rgb" and "bgr" have 3 and "grey" has 1'
            )
        self._size = columns, rows
        self._resize = resize
        self._colour = colour
        self._fill = _Fill(spec, pixel_table(spec, pixel_range))
        self._scratch: Image = np.full((rows, columns, 3), PADDING, np.uint8)
        self._coloured = np.empty((rows, columns, channels), np.uint8)
        self._picture = 0, 0
        self._placement = Placement.of((1, 1), self._size, resize)

    def write(self, image: Image, view: Tensor) -> Placement:
        """Write `image` (H x W x 3 BGR) into `view` (the tensor's H x W x C)."""
        height, width = image.shape[:2]
        if (width, height) != self._picture:
            self._picture = width, height
            self._placement = Placement.of(self._picture, self._size, self._resize)
            self._scratch[...] = PADDING
        x, y, w, h = self._placement.inner
        cv2.resize(image, (w, h), dst=self._scratch[y : y + h, x : x + w])
        self._fill(self._in_colour(view), view)
        return self._placement

    def _in_colour(self, view: Tensor) -> Image:
        """The scratch in the tensor's channel order; in the tensor itself where that will do."""
        if self._colour is Colour.BGR:
            return self._scratch
        target = view if self._fill.takes_pixels else self._coloured
        code = cv2.COLOR_BGR2RGB if self._colour is Colour.RGB else cv2.COLOR_BGR2GRAY
        # For grey, OpenCV's picture has two dimensions and the tensor's view three.
        cv2.cvtColor(self._scratch, code, dst=target if target.shape[2] == 3 else target[..., 0])
        return target


class _Fill:
    """From pixels to the tensor's values: nothing to do, one bit to turn, or a table."""

    def __init__(self, spec: TensorSpec, table: Tensor) -> None:
        self._table = table.view(np.uint8) if table.dtype == np.int8 else table
        pixels = np.arange(256)
        self.takes_pixels = table.dtype == np.uint8 and _same(table, pixels)
        self._turns_bit = table.dtype == np.int8 and _same(table, pixels - 128)

    def __call__(self, pixels: Image, view: Tensor) -> None:
        if self.takes_pixels:
            if pixels is not view:
                np.copyto(view, pixels)
        elif self._turns_bit:
            # The two's complement of pixel - 128 is the pixel with its highest bit turned.
            np.bitwise_xor(pixels, np.uint8(0x80), out=view.view(np.uint8))
        else:
            out = view.view(np.uint8) if view.dtype == np.int8 else view
            cv2.LUT(pixels, self._table, dst=out)


def _same(table: Tensor, pixels: NDArray[np.int64]) -> bool:
    """Whether the two differ by no more than a step of quantization."""
    return bool(np.abs(table.astype(np.int64) - pixels).max() <= 1)


def pixel_table(spec: TensorSpec, pixel_range: Range | None) -> Tensor:
    """The tensor's value for each pixel value: 256 of the tensor's type.

    Source: real = scale * (value - zero_point), the quantization of TensorFlow Lite.

    Raises:
        ModelError: a float tensor, and no `pixel_range`.
    """
    pixels = np.arange(256)
    if spec.dtype == np.float32:
        if pixel_range is None:
            raise ModelError(
                f"the model's input is {spec}, and nothing says which values it expects: "
                "set range = [-1, 1] or range = [0, 1], as it was trained"
            )
        low, high = pixel_range
        return (low + pixels * ((high - low) / 255)).astype(np.float32)
    info = np.iinfo(spec.dtype)
    if pixel_range is None or not spec.scale:
        return (pixels + info.min).astype(spec.dtype)
    low, high = pixel_range
    values = np.rint((low + pixels * ((high - low) / 255)) / spec.scale) + spec.zero_point
    table: Tensor = np.clip(values, info.min, info.max).astype(spec.dtype)
    return table
