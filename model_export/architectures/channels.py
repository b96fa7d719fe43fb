"""A network's layers one by one: what each costs, and which channels belong together.

Channels that can only be removed together form a group: what an addition adds, and what goes into
and comes out of a depthwise convolution. A layer reads one group and writes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from model_export.architectures.spec import Backbone, Block, Classifier, Conv

PIXELS, CLASSES = "pixels", "classes"
"""The groups of a classifier that nothing is removed from: what goes in and what comes out."""


class Kind(StrEnum):
    """How a layer's weights meet its input."""

    CONV = "convolution"
    DEPTHWISE = "depthwise convolution"
    DENSE = "fully connected"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with weights.

    Attributes:
        name: of the Keras layer; its normalisation, if it has one, is ``<name>_norm``.
        kernel: pixels of a side; 1 where it is fully connected.
        stride: 1 or 2.
        source, target: the groups of channels that it reads and writes.
        inputs, outputs: how many channels these have.
        places: at how many places of a picture it computes.
        normalised: whether normalisation follows; else it has a bias.
    """

    name: str
    kind: Kind
    kernel: int
    stride: int
    source: str
    target: str
    inputs: int
    outputs: int
    places: int
    normalised: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its weights, as Keras has them."""
        match self.kind:
            case Kind.CONV:
                return self.kernel, self.kernel, self.inputs, self.outputs
            case Kind.DEPTHWISE:
                return self.kernel, self.kernel, self.outputs, 1
            case Kind.DENSE:
                return self.inputs, self.outputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one picture."""
        return self.places * (self.parameters - self.outputs)

    @property
    def parameters(self) -> int:
        """Weights and biases, the normalisation folded into them."""
        inputs = 1 if self.kind is Kind.DEPTHWISE else self.inputs
        return self.kernel**2 * inputs * self.outputs + self.outputs


def layers(network: Classifier) -> tuple[Layer, ...]:
    """All layers with weights, in the order in which they run."""
    return (*backbone_layers(network.backbone), *_ending(network))


def macs(network: Classifier) -> int:
    """Multiply-accumulates for one picture."""
    return sum(layer.macs for layer in layers(network))


def parameters(network: Classifier) -> int:
    """Weights and biases, normalisation folded into them."""
    return sum(layer.parameters for layer in layers(network))


def block_name(number: int) -> str:
    """What the layers of the block `number`, from 0, are named after."""
    return f"block{number + 1:02}"


def groups(backbone: Backbone) -> tuple[str, ...]:
    """For each block the group that it writes."""
    current = "stem"
    written: list[str] = []
    for number, block in enumerate(backbone.blocks):
        current = current if block.residual else block_name(number)
        written.append(current)
    return tuple(written)


def backbone_layers(backbone: Backbone) -> Iterator[Layer]:
    """Those of the backbone."""
    size = (backbone.input.height, backbone.input.width)
    size = halved(size, backbone.stem.stride)
    stem = backbone.stem
    yield _conv("stem", stem, PIXELS, "stem", backbone.input.channels, size=size)
    source, channels = "stem", stem.channels
    for number, (block, target) in enumerate(zip(backbone.blocks, groups(backbone), strict=True)):
        yield from _block(block_name(number), block, source, target, channels, size=size)
        size = halved(size, block.stride)
        source, channels = target, block.channels
    if backbone.last:
        yield _conv("last", backbone.last, source, "last", channels, size=size)


def halved(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """What a convolution of that stride makes of a picture's sides."""
    return -(-size[0] // stride), -(-size[1] // stride)


def last_group(backbone: Backbone) -> str:
    """The group of the features that come out of the backbone."""
    return "last" if backbone.last else (groups(backbone) or ("stem",))[-1]


def _conv(
    name: str, conv: Conv, source: str, target: str, inputs: int, *, size: tuple[int, int]
) -> Layer:
    places = size[0] * size[1]
    shape = (conv.kernel, conv.stride, source, target, inputs, conv.channels)
    return Layer(name, Kind.CONV, *shape, places)


def _block(
    name: str, block: Block, source: str, target: str, inputs: int, *, size: tuple[int, int]
) -> Iterator[Layer]:
    inner, middle = (f"{name}_inner", block.expanded) if block.expanded else (source, inputs)
    before, after = size[0] * size[1], _places(halved(size, block.stride))
    if block.expanded:
        yield Layer(f"{name}_expand", Kind.CONV, 1, 1, source, inner, inputs, middle, before)
    yield Layer(
        f"{name}_depthwise",
        Kind.DEPTHWISE,
        block.kernel,
        block.stride,
        inner,
        inner,
        middle,
        middle,
        after,
    )
    if block.squeezed:
        narrow, few = f"{name}_squeezed", block.squeezed
        yield Layer(f"{name}_squeeze", Kind.CONV, 1, 1, inner, narrow, middle, few, 1, False)
        yield Layer(f"{name}_excite", Kind.CONV, 1, 1, narrow, inner, few, middle, 1, False)
    yield Layer(f"{name}_project", Kind.CONV, 1, 1, inner, target, middle, block.channels, after)


def _ending(network: Classifier) -> Iterator[Layer]:
    source, channels = last_group(network.backbone), network.backbone.features
    if network.hidden:
        wide = network.hidden.channels
        yield Layer("hidden", Kind.DENSE, 1, 1, source, "hidden", channels, wide, 1, False)
        source, channels = "hidden", wide
    yield Layer("classes", Kind.DENSE, 1, 1, source, CLASSES, channels, network.classes, 1, False)


def _places(size: tuple[int, int]) -> int:
    return size[0] * size[1]


# Another number of channels


def with_channels(network: Classifier, counts: Mapping[str, int]) -> Classifier:
    """The network with other numbers of channels in the groups that `counts` names."""
    hidden = network.hidden
    if hidden and "hidden" in counts:
        hidden = replace(hidden, channels=counts["hidden"])
    return replace(network, backbone=resized(network.backbone, counts), hidden=hidden)


def resized(backbone: Backbone, counts: Mapping[str, int]) -> Backbone:
    """The backbone with other numbers of channels."""
    stem = replace(backbone.stem, channels=counts.get("stem", backbone.stem.channels))
    blocks = tuple(
        replace(
            block,
            channels=counts.get(target, block.channels),
            expanded=counts.get(f"{block_name(number)}_inner", block.expanded),
            squeezed=counts.get(f"{block_name(number)}_squeezed", block.squeezed),
        )
        for number, (block, target) in enumerate(
            zip(backbone.blocks, groups(backbone), strict=True)
        )
    )
    last = backbone.last
    if last:
        last = replace(last, channels=counts.get("last", last.channels))
    return replace(backbone, stem=stem, blocks=blocks, last=last)
