"""Gives each channel between two layers the same range, which changes nothing that they compute.

A tensor has one scale for all of its channels, so a channel that never exceeds a tenth of the
widest one is left with a tenth of the steps. Where ReLU or nothing stands between a convolution
and a depthwise one, a channel can be multiplied before and divided after it. Both layers have a
scale of their own for each channel of their weights, so they lose nothing.

Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction
(ICCV 2019), part 4.1, with the ranges that were observed in the place of the weights' own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_export.flatbuffer import EditableModel, Floats, Node, weighted
from model_export.observation import Observed

_NO_ACTIVATION, _RELU = 0, 1

_MOST = 64.0
"""A channel is not multiplied by more: what never rises is noise."""


def equalize(model: EditableModel, observed: Mapping[int, Observed]) -> int:
    """Equalize all pairs of a convolution and the depthwise one behind it; how many there are."""
    pairs = 0
    for first, weights, bias in weighted(model):
        second = _depthwise_after(model, first)
        following = None if second is None else model.by_channel(second)
        if following is None:
            continue
        factor = _factor(observed[first.outputs[0]])
        weights[...] *= _column(factor, weights)
        bias[...] *= factor
        # A depthwise layer can make several channels of one.
        following /= _column(np.repeat(factor, len(following) // len(factor)), following)
        pairs += 1
    return pairs


def _depthwise_after(model: EditableModel, node: Node) -> Node | None:
    """The depthwise convolution that alone reads what `node` makes."""
    if node.activation not in (_NO_ACTIVATION, _RELU) or node.outputs[0] in model.outputs:
        return None
    readers = model.readers(node.outputs[0])
    if len(readers) == 1 and readers[0].name == "DEPTHWISE_CONV_2D" and readers[0].weighted:
        return readers[0]
    return None


def _factor(observed: Observed) -> Floats:
    """What brings each channel to the range of the widest."""
    extent = np.maximum(np.abs(observed.least), np.abs(observed.greatest))
    widest = extent.max()
    factor = np.ones_like(extent)
    np.divide(widest, extent, out=factor, where=extent > 0)
    return factor.clip(1, _MOST)


def _column(factor: Floats, like: Floats) -> Floats:
    return factor.reshape(-1, *(1,) * (like.ndim - 1))
