"""What a network is: its blocks and how many channels each has, as plain data.

A pruned network is another value of the same type. Nothing here knows Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from edge_runtime.inference.preprocess import Range
from model_export.errors import ExportError

SMALLEST = 32
"""Pixels: five steps of stride 2 leave one value of such a picture."""


class Activation(StrEnum):
    """What follows a layer's normalisation."""

    LINEAR = "linear"
    RELU = "relu"
    RELU6 = "relu6"
    HARD_SWISH = "hard_swish"
    """x * relu6(x + 3) / 6. An Edge TPU has none."""


@dataclass(frozen=True, slots=True)
class Input:
    """The picture that goes in.

    Attributes:
        height, width: pixels, at least 32.
        channels: 3 (RGB) or 1 (grey).
        pixel_range: what black and white are for the first layer.
        scales: whether the model itself brings pixels of 0..255 into that range; else whoever
            calls it does.

    Raises:
        ExportError: out of range.
    """

    height: int
    width: int
    channels: Literal[1, 3] = 3
    pixel_range: Range = (-1.0, 1.0)
    scales: bool = False

    def __post_init__(self) -> None:
        if min(self.height, self.width) < SMALLEST:
            raise ExportError(
                f"a picture of {self.width}x{self.height} is too small for a MobileNet: "
                f"both sides need at least {SMALLEST} pixels"
            )
        if self.channels not in (1, 3):
            raise ExportError(f"{self.channels} channels were asked for: 3 are colour, 1 is grey")
        low, high = self.pixel_range
        if not low < high:
            raise ExportError(f"black is {low:g} and white {high:g}: white has to be the greater")


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution over all channels, normalised.

    Attributes:
        channels: that come out.
        kernel: pixels, odd. stride: 1 or 2; borders are padded with zeros as TensorFlow's SAME.
    """

    channels: int
    kernel: int
    stride: int
    activation: Activation

    def __post_init__(self) -> None:
        _check("a convolution", self.channels, self.kernel, self.stride)


@dataclass(frozen=True, slots=True)
class Block:
    """A depthwise convolution between two pointwise ones, each normalised.

    MobileNetV1's block is one without expansion and with an activation at its end.

    Attributes:
        channels: that come out.
        expanded: channels in the middle; 0: those that come in, without the first convolution.
        kernel, stride: of the depthwise convolution, as in `Conv`.
        squeezed: channels of squeeze-and-excite's narrow layer; 0: there is none.
        inner: the activation in the middle.
        activation: the one at the end.
        residual: whether what came in is added to what comes out.
    """

    channels: int
    expanded: int
    kernel: int
    stride: int
    inner: Activation
    squeezed: int = 0
    activation: Activation = Activation.LINEAR
    residual: bool = False

    def __post_init__(self) -> None:
        _check("a block", self.channels, self.kernel, self.stride)
        if min(self.expanded, self.squeezed) < 0:
            raise ExportError("a block cannot have fewer than 0 channels in its middle")


@dataclass(frozen=True, slots=True)
class Backbone:
    """From the picture to features.

    Attributes:
        last: the convolution behind the blocks; None: there is none, as in MobileNetV1.

    Raises:
        ExportError: what a block adds has not the shape of what it is added to.
    """

    input: Input
    stem: Conv
    blocks: tuple[Block, ...]
    last: Conv | None = None

    def __post_init__(self) -> None:
        channels = self.stem.channels
        for number, block in enumerate(self.blocks, start=1):
            if block.residual and (block.stride != 1 or block.channels != channels):
                raise ExportError(
                    f"block {number} cannot add its input of {channels} channels to its output of "
                    f"{block.channels} at stride {block.stride}: both have to be of one shape"
                )
            channels = block.channels

    @property
    def features(self) -> int:
        """How many channels come out."""
        return self.last.channels if self.last else (self.blocks or (self.stem,))[-1].channels


@dataclass(frozen=True, slots=True)
class Hidden:
    """A fully connected layer between the pooled features and the classes."""

    channels: int
    activation: Activation


@dataclass(frozen=True, slots=True)
class Classifier:
    """A picture's class: the probabilities of `classes` classes, by softmax.

    Attributes:
        dropout: the share of the features that is left out in a training step.
    """

    backbone: Backbone
    classes: int
    hidden: Hidden | None = None
    dropout: float = 0.2
    task: Literal["classifier"] = "classifier"

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ExportError(f"a classifier needs at least 2 classes, not {self.classes}")
        if not 0 <= self.dropout < 1:
            raise ExportError(f"a dropout of {self.dropout:g} is not in 0..1")


@dataclass(frozen=True, slots=True)
class Anchors:
    """The boxes that a detector starts from, on each of its feature maps.

    Attributes:
        smallest, largest: the side of a square one on the finest and the coarsest map, as a share
            of the picture's.
        ratios: width by height of those on all maps but the finest, which has 1, 2 and 1/2.
    """

    smallest: float = 0.2
    largest: float = 0.95
    ratios: tuple[float, ...] = (1.0, 2.0, 0.5, 3.0, 1 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.smallest < self.largest <= 1 or min(self.ratios, default=0) <= 0:
            raise ExportError(
                "anchors have sides of 0..1 of the picture, the smallest below the largest, and "
                f"ratios above 0, not {self.smallest:g}, {self.largest:g} and {self.ratios}"
            )

    def count(self, number: int) -> int:
        """How many stand at each place of the map `number`, from 0."""
        return 3 if number == 0 else len(self.ratios) + 1


@dataclass(frozen=True, slots=True)
class SingleAnchors:
    """One box at each place of a map, whose shape is the map's.

    For training that gives objects to the places that see them best, whatever the overlap with
    the box that a place starts from.

    Attributes:
        shapes: for each map, the finest first, height and width as shares of the picture's.
    """

    shapes: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.shapes or not all(0 < side <= 1 for shape in self.shapes for side in shape):
            raise ExportError(
                f"anchors have a height and a width of 0..1 on each map, not {self.shapes}"
            )

    def count(self, number: int) -> int:
        """One, on all maps."""
        del number
        return 1


@dataclass(frozen=True, slots=True)
class Pyramid:
    """Makes the maps of a detector alike: fine ones learn from coarse ones what is around them.

    Each map is brought to the same channels; a coarse one is enlarged and added to the next finer
    one; then blocks without expansion mix it. Sources: Lin et al. 2017 (arXiv 1612.03144), with
    separable convolutions as in TensorFlow's FPNLite.

    Attributes:
        channels: of all maps.
        kernel: of the blocks that mix, pixels, odd.
        depth: how many of these each map has.
        stride: pixels of the picture between two places of the finest map.
    """

    channels: int
    kernel: int = 3
    depth: int = 1
    stride: int = 8

    def __post_init__(self) -> None:
        _check("a pyramid", self.channels, self.kernel, 1)
        if self.depth < 1 or self.stride not in (4, 8, 16):
            raise ExportError(
                "a pyramid mixes each map at least once and begins at a stride of 4, 8 or 16, not "
                f"{self.depth} times at {self.stride}"
            )

    @property
    def block(self) -> Block:
        """One of those that mix."""
        return Block(
            self.channels, 0, self.kernel, 1, Activation.RELU6, activation=Activation.RELU6
        )


@dataclass(frozen=True, slots=True)
class Detector:
    """Boxes in a picture: SSDLite on feature maps of several sizes.

    Without a pyramid, the first map is what the last halving block of the backbone works on inside,
    and the second are the backbone's features. With one, the first maps are what each size of the
    backbone ends with, from the pyramid's stride on. The others are made by `extras`, each half as
    large.

    Attributes:
        extras: blocks of stride 2 with an activation at their end.
        classes: without a background.
        pyramid: what the maps go through before boxes are looked for in them.
    """

    backbone: Backbone
    extras: tuple[Block, ...]
    classes: int
    anchors: SingleAnchors | Anchors = Anchors()
    task: Literal["detector"] = "detector"
    pyramid: Pyramid | None = None

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ExportError(f"a detector needs at least 1 class, not {self.classes}")
        if all(block.stride == 1 for block in self.backbone.blocks):
            raise ExportError("a detector needs a backbone with a block of stride 2")
        if self.pyramid:
            self._check_pyramid(self.pyramid)

    def _check_pyramid(self, pyramid: Pyramid) -> None:
        whole = self.backbone.stem.stride
        for block in (*self.backbone.blocks, *self.extras):
            whole *= block.stride
        given = self.backbone.input
        if not self.ends:
            raise ExportError(f"the backbone has no map at a stride of {pyramid.stride} or more")
        if given.height % whole or given.width % whole:
            raise ExportError(
                "a pyramid doubles its maps, so a picture's sides have to be multiples of "
                f"{whole}, not {given.width}x{given.height}"
            )

    @property
    def scores(self) -> int:
        """How many each anchor gets: that of the background, which readers expect, comes first."""
        return 1 + self.classes

    @property
    def tapped(self) -> int:
        """The block, from 0, inside of which the first map is."""
        strides = [block.stride for block in self.backbone.blocks]
        return len(strides) - 1 - strides[::-1].index(2)

    @property
    def ends(self) -> tuple[int, ...]:
        """The blocks, from 0, that end a size which the pyramid takes; the last has the features.

        Without a pyramid there are none.
        """
        if self.pyramid is None:
            return ()
        blocks, stride = self.backbone.blocks, self.backbone.stem.stride
        found = []
        for number, block in enumerate(blocks):
            stride *= block.stride
            at_end = number + 1 == len(blocks) or blocks[number + 1].stride == 2
            if at_end and stride >= self.pyramid.stride:
                found.append(number)
        return tuple(found)


Network = Classifier | Detector


def _check(what: str, channels: int, kernel: int, stride: int) -> None:
    if channels < 1:
        raise ExportError(f"{what} needs at least 1 channel, not {channels}")
    if kernel < 1 or kernel % 2 == 0:
        raise ExportError(f"{what} needs a kernel of an odd number of pixels, not {kernel}")
    if stride not in (1, 2):
        raise ExportError(f"{what} has a stride of 1 or 2, not {stride}")
