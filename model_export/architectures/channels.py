"""A network's layers one by one: what each costs, and which channels belong together.

Channels that can only be removed together form a group: what an addition adds, and what goes into
and comes out of a depthwise convolution. A layer reads one group and writes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from model_export.architectures.spec import (
    Activation,
    Backbone,
    Block,
    Classifier,
    Conv,
    Detector,
    Network,
    Pyramid,
)

PIXELS, CLASSES, BOXES = "pixels", "classes", "boxes"
PYRAMID = "pyramid"
"""The group of all maps of a detector's pyramid, which are added to one another."""
FIXED = frozenset({PIXELS, CLASSES, BOXES})
"""The groups that nothing is removed from: what goes in and what comes out."""


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
        makes: whether it makes the channels of its target, and its weights tell what these matter;
            else it scales them, or stands aside of them.
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
    makes: bool = True

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


def layers(network: Network) -> tuple[Layer, ...]:
    """All layers with weights, in the order in which they run."""
    head = _ending(network) if isinstance(network, Classifier) else _ssd_head(network)
    return (*_backbone(network.backbone), *head)


def macs(network: Network) -> int:
    """Multiply-accumulates for one picture."""
    return sum(layer.macs for layer in layers(network))


def parameters(network: Network) -> int:
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


def _backbone(backbone: Backbone) -> Iterator[Layer]:
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
        yield Layer(f"{name}_excite", Kind.CONV, 1, 1, narrow, inner, few, middle, 1, False, False)
    yield Layer(f"{name}_project", Kind.CONV, 1, 1, inner, target, middle, block.channels, after)


def _ending(network: Classifier) -> Iterator[Layer]:
    source, channels = last_group(network.backbone), network.backbone.features
    if network.hidden:
        wide = network.hidden.channels
        yield Layer("hidden", Kind.DENSE, 1, 1, source, "hidden", channels, wide, 1, False)
        source, channels = "hidden", wide
    yield Layer("classes", Kind.DENSE, 1, 1, source, CLASSES, channels, network.classes, 1, False)


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """What a detector looks for boxes in.

    Attributes:
        name: what the layers that look are named after.
        group: the channels.
        channels: how many.
        size: rows and columns.
    """

    name: str
    group: str
    channels: int
    size: tuple[int, int]


def feature_maps(network: Detector) -> tuple[FeatureMap, ...]:
    """What boxes are looked for in; the finest first."""
    if network.pyramid is None:
        return source_maps(network)
    return tuple(
        replace(found, group=PYRAMID, channels=network.pyramid.channels)
        for found in source_maps(network)
    )


def source_maps(network: Detector) -> tuple[FeatureMap, ...]:
    """The same before they go through the pyramid, if there is one."""
    backbone = network.backbone
    found = [_inside(network)] if network.pyramid is None else _ends(network)
    size = _sizes(backbone)[-1]
    name = f"map{len(found) + 1}"
    found.append(FeatureMap(name, last_group(backbone), backbone.features, size))
    for number, extra in enumerate(network.extras, start=1):
        size = halved(size, extra.stride)
        name = f"map{len(found) + 1}"
        found.append(FeatureMap(name, f"extra{number}", extra.channels, size))
    return tuple(found)


def _sizes(backbone: Backbone) -> list[tuple[int, int]]:
    """Rows and columns of what goes into each block, and of what comes out of the last."""
    sizes = [halved((backbone.input.height, backbone.input.width), backbone.stem.stride)]
    for block in backbone.blocks:
        sizes.append(halved(sizes[-1], block.stride))
    return sizes


def _inside(network: Detector) -> FeatureMap:
    """What the last halving block works on."""
    backbone, tapped = network.backbone, network.tapped
    block, size = backbone.blocks[tapped], _sizes(backbone)[tapped]
    if block.expanded:
        return FeatureMap("map1", f"{block_name(tapped)}_inner", block.expanded, size)
    written = ("stem", *groups(backbone))[tapped]
    channels = (backbone.stem.channels, *(each.channels for each in backbone.blocks))[tapped]
    return FeatureMap("map1", written, channels, size)


def _ends(network: Detector) -> list[FeatureMap]:
    """What each size of the backbone ends with, but for the last."""
    backbone, sizes, written = network.backbone, _sizes(network.backbone), groups(network.backbone)
    return [
        FeatureMap(f"map{at}", written[number], backbone.blocks[number].channels, sizes[number + 1])
        for at, number in enumerate(network.ends[:-1], start=1)
    ]


def _ssd_head(network: Detector) -> Iterator[Layer]:
    sources = source_maps(network)
    first = len(sources) - len(network.extras)
    for number, extra in enumerate(network.extras, start=1):
        before, after = sources[first + number - 2], sources[first + number - 1]
        yield from _block(
            f"extra{number}", extra, before.group, after.group, before.channels, size=before.size
        )
    if network.pyramid:
        yield from _pyramid(network.pyramid, sources)
    for number, found in enumerate(feature_maps(network)):
        yield from _predictors(network, found, network.anchors.count(number))


def _pyramid(pyramid: Pyramid, sources: tuple[FeatureMap, ...]) -> Iterator[Layer]:
    channels = pyramid.channels
    for found in reversed(sources):
        lateral = Conv(channels, 1, 1, Activation.LINEAR)
        yield _conv(
            lateral_name(found), lateral, found.group, PYRAMID, found.channels, size=found.size
        )
        for number in range(pyramid.depth):
            name = mix_name(found, number)
            yield from _block(name, pyramid.block, PYRAMID, PYRAMID, channels, size=found.size)


def lateral_name(found: FeatureMap) -> str:
    """The convolution that brings a map to the pyramid's channels."""
    return f"{found.name}_lateral"


def mix_name(found: FeatureMap, number: int) -> str:
    """What the layers of a map's block `number`, from 0, in the pyramid are named after."""
    return f"{found.name}_mix{number + 1}"


def _predictors(network: Detector, found: FeatureMap, count: int) -> Iterator[Layer]:
    places, group, channels = _places(found.size), found.group, found.channels
    for what, target, values in (
        ("boxes", BOXES, 4 * count),
        ("classes", CLASSES, network.scores * count),
    ):
        yield Layer(
            f"{found.name}_{what}_depthwise",
            Kind.DEPTHWISE,
            3,
            1,
            group,
            group,
            channels,
            channels,
            places,
            makes=False,
        )
        yield Layer(
            f"{found.name}_{what}",
            Kind.CONV,
            1,
            1,
            group,
            target,
            channels,
            values,
            places,
            normalised=False,
        )


def _places(size: tuple[int, int]) -> int:
    return size[0] * size[1]


# Another number of channels


def with_channels(network: Network, counts: Mapping[str, int]) -> Network:
    """The network with other numbers of channels in the groups that `counts` names."""
    backbone = _resized(network.backbone, counts)
    if isinstance(network, Detector):
        extras = tuple(
            _resized_block(extra, f"extra{number}", f"extra{number}", counts)
            for number, extra in enumerate(network.extras, start=1)
        )
        pyramid = network.pyramid
        if pyramid:
            pyramid = replace(pyramid, channels=counts.get(PYRAMID, pyramid.channels))
        return replace(network, backbone=backbone, extras=extras, pyramid=pyramid)
    hidden = network.hidden
    if hidden:
        hidden = replace(hidden, channels=counts.get("hidden", hidden.channels))
    return replace(network, backbone=backbone, hidden=hidden)


def _resized(backbone: Backbone, counts: Mapping[str, int]) -> Backbone:
    stem = replace(backbone.stem, channels=counts.get("stem", backbone.stem.channels))
    blocks = tuple(
        _resized_block(block, block_name(number), target, counts)
        for number, (block, target) in enumerate(
            zip(backbone.blocks, groups(backbone), strict=True)
        )
    )
    last = backbone.last
    if last:
        last = replace(last, channels=counts.get("last", last.channels))
    return replace(backbone, stem=stem, blocks=blocks, last=last)


def _resized_block(block: Block, name: str, target: str, counts: Mapping[str, int]) -> Block:
    return replace(
        block,
        channels=counts.get(target, block.channels),
        expanded=counts.get(f"{name}_inner", block.expanded),
        squeezed=counts.get(f"{name}_squeezed", block.squeezed),
    )
