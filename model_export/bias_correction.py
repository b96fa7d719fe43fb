"""Makes up in the bias for what rounding the weights does to the mean of a layer's output.

Rounded weights are off by a little, each in its own direction. Times the mean of what flows in,
that is a constant, and a constant can be taken from the bias.

Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction
(ICCV 2019), part 4.2, with means that were observed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model_export.flatbuffer import CHANNEL_AXIS, EditableModel, Floats, weighted
from model_export.observation import Observed

_INT8 = 127


def corrections(
    model: EditableModel, observed: Mapping[int, Observed]
) -> Mapping[str, NDArray[np.float32]]:
    """What to add to the bias of each layer when its weights are rounded to int8.

    The layers go by the names of their outputs. One that is left in float needs no correction.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for node, weights, _ in weighted(model):
        mean = observed[node.inputs[0]].mean
        error = rounded(weights, per_channel=node.name != "FULLY_CONNECTED") - weights
        name = model.tensor_name(node.outputs[0])
        if CHANNEL_AXIS[node.name] != 0:
            found[name] = -_sums(error) * np.repeat(mean, len(error) // len(mean))
        elif error.shape[-1] % len(mean) == 0:  # else it is a grouped convolution
            found[name] = -_sums(error * np.tile(mean, error.shape[-1] // len(mean)))
    return found


def correct_bias(model: EditableModel, by: Mapping[str, NDArray[np.float32]]) -> None:
    """Add to the biases of the layers that `by` names."""
    for node, _, bias in weighted(model):
        correction = by.get(model.tensor_name(node.outputs[0]))
        if correction is not None:
            bias[...] += correction


def rounded(weights: Floats, *, per_channel: bool) -> Floats:
    """What the weights (C x rest) are worth after quantization: symmetric int8, -127..127."""
    axes = tuple(range(1 if per_channel else 0, weights.ndim))
    scale = np.abs(weights).max(axis=axes, keepdims=True) / _INT8
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    worth: Floats = np.rint(weights / scale) * scale
    return worth


def _sums(rows: Floats) -> Floats:
    """Over all axes but the first."""
    sums: Floats = rows.reshape(len(rows), -1).sum(axis=1)
    return sums
