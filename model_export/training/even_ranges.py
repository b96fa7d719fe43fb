"""Makes a network's channels even before it is trained with rounding; what it computes stays.

One scale for all channels of a tensor leaves narrow channels with few steps. Between a convolution
and the depthwise one behind it each channel is brought to the range of the widest, as
`equalization` does in a .tflite. The toolkit rounds a depthwise layer's weights by one scale, too,
and boards by one a channel: with kernels of one size, and the rest in their normalisation, both are
the same.

Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction
(ICCV 2019), part 4.1, with observed ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model_export.architectures.channels import Kind, layers
from model_export.architectures.keras_model import EPSILON
from model_export.weights import Floats, LayerWeights, Norm, Trained

_MOST = 64.0
"""A channel is not multiplied by more: what never rises is noise."""

_AT_A_TIME = 8
"""Pictures: what flows through all layers is held at once."""

_INT8, _STEPS = 127, 255
_INT32 = 2.0**31 - 2.0**24
_MARGIN = 2.0
"""Ranges move a little in training."""


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """The least and the greatest value of each of C channels: C float32 each."""

    least: Floats
    greatest: Floats

    @property
    def extent(self) -> float:
        """From the least to the greatest, 0 included."""
        return float(max(self.greatest.max(), 0) - min(self.least.min(), 0))


def extremes(model: Any, tensors: Mapping[str, Any], inputs: Floats) -> Mapping[str, Extremes]:
    """What the tensors of a tf_keras model hold for N inputs, by the given names."""
    seeing = type(model)(model.input, dict(tensors))
    found: dict[str, Extremes] = {}
    for start in range(0, len(inputs), _AT_A_TIME):
        for name, values in seeing(inputs[start : start + _AT_A_TIME], training=False).items():
            rows = np.asarray(values).reshape(-1, values.shape[-1])
            seen = Extremes(rows.min(axis=0), rows.max(axis=0))
            found[name] = _joined(found[name], seen) if name in found else seen
    return found


def _joined(one: Extremes, other: Extremes) -> Extremes:
    return Extremes(np.minimum(one.least, other.least), np.maximum(one.greatest, other.greatest))


def evened(trained: Trained, model: Any, inputs: Floats) -> Trained:
    """The network with even channels.

    Args:
        model: the tf_keras model of it.
        inputs: N pictures as it takes them, which show its ranges.
    """
    pairs = _pairs(trained, model)
    tensors = {second: model.get_layer(second).input for second in pairs.values()}
    seen = extremes(model, tensors, inputs) if pairs else {}
    weights = dict(trained.weights)
    for first, second in pairs.items():
        extent = np.maximum(np.abs(seen[second].least), np.abs(seen[second].greatest))
        factor = np.ones_like(extent)
        np.divide(extent.max(), extent, out=factor, where=extent > 0)
        factor = factor.clip(1, _MOST)
        weights[first] = _scaled_output(weights[first], factor)
        kernel = weights[second].kernel / factor[:, np.newaxis]
        weights[second] = replace(weights[second], kernel=kernel.astype(np.float32))
    for layer in layers(trained.network):
        if layer.kind is Kind.DEPTHWISE:
            weights[layer.name] = _of_one_size(weights[layer.name])
    return Trained(trained.network, weights)


def _pairs(trained: Trained, model: Any) -> dict[str, str]:
    """Each convolution with the depthwise layer that alone reads it, through ReLU or nothing."""
    found: dict[str, str] = {}
    for layer in layers(trained.network):
        if layer.kind is Kind.CONV and layer.normalised:
            second = _reader(model.get_layer(f"{layer.name}_norm"))
            if second is not None:
                found[layer.name] = second
    return found


def _reader(layer: Any) -> str | None:
    while len(layer.outbound_nodes) == 1:
        layer = layer.outbound_nodes[0].layer
        match type(layer).__name__:
            case "DepthwiseConv2D":
                return str(layer.name)
            case "ReLU" if layer.max_value is None:
                continue
            case _:
                return None
    return None


def _scaled_output(found: LayerWeights, factor: Floats) -> LayerWeights:
    norm = found.norm
    assert norm is not None  # pairs are of normalised layers
    return replace(found, norm=replace(norm, gamma=norm.gamma * factor, beta=norm.beta * factor))


def _of_one_size(found: LayerWeights) -> LayerWeights:
    """Each channel's greatest weight as large as that of all; normalisation takes it back."""
    norm = found.norm
    assert norm is not None  # all depthwise layers are normalised
    size = np.abs(found.kernel).max(axis=(0, 1, 3))
    factor = np.ones_like(size)
    np.divide(size.max(), size, out=factor, where=size > 0)
    variance = ((norm.variance + EPSILON) * factor**2 - EPSILON).astype(np.float32)
    return LayerWeights(
        found.kernel * factor[:, np.newaxis],
        norm=Norm(norm.gamma, norm.beta, norm.mean * factor, variance),
    )


def with_room(trained: Trained, extents: Mapping[str, float]) -> Trained:
    """The network with biases that fit into int32; see `dead_channels` for why and how.

    Args:
        extents: for each layer's name, from the least to the greatest value that goes into it.
    """
    names = [layer.name for layer in layers(trained.network)]
    weights = {name: _with_room(trained.weights[name], extents[name]) for name in names}
    return Trained(trained.network, weights)


def _with_room(found: LayerWeights, extent: float) -> LayerWeights:
    norm, kernel = found.norm, found.kernel.copy()
    depthwise = norm is not None and kernel.shape[-1] != len(norm.gamma)
    channels = np.moveaxis(kernel, -2 if depthwise else -1, 0)
    gain = np.ones(len(channels), np.float32) if norm is None else np.abs(norm.gain)
    bias = found.bias if norm is None else norm.offset
    assert bias is not None  # Trained has seen to it
    needed = np.abs(bias) * (_INT8 * _STEPS * _MARGIN / _INT32) / (extent or 1.0)
    rows = np.abs(channels).reshape(len(channels), -1).max(axis=1) * gain
    for channel in np.flatnonzero((rows < needed) & (gain > 0)):
        place = np.unravel_index(int(np.abs(channels[channel]).argmax()), channels.shape[1:])
        sign = -1 if channels[(channel, *place)] < 0 else 1
        channels[(channel, *place)] = sign * needed[channel] / gain[channel]
    return replace(found, kernel=kernel)
