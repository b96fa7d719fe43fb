"""Makes the biases of dead channels fit into int32.

A bias is stored in steps of the input's scale times the weights'. Training leaves channels whose
weights are all but zero: their steps are so small that the bias overflows, and what should be a
constant becomes another one (ai-edge-quantizer 0.10 turns it into the least int32). The largest
weight of such a channel is raised to where the bias fits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_export.flatbuffer import EditableModel, weighted

_INT8 = 127
_INT32 = 2.0**31 - 2.0**24  # float32, which is computed in, rounds what is nearer to 2**31 up to it


def make_room(model: EditableModel, ranges: Mapping[str, tuple[float, float]], steps: int) -> int:
    """Raise one weight of each channel whose bias would overflow; how many channels there are.

    That moves the output by at most 1/65,000 of the bias where the input has 255 `steps`, and
    1/250 where it has 65,534.

    Args:
        model: in float.
        ranges: for each tensor's name the least and greatest value.
        steps: of the quantized input between these two.
    """
    raised = 0
    for node, weights, bias in weighted(model):
        least, greatest = ranges[model.tensor_name(node.inputs[0])]
        extent = max(greatest, 0.0) - min(least, 0.0)
        if steps > 255:  # 16 bits are symmetric
            extent = 2 * max(greatest, -least)
        needed = np.abs(bias) * (_INT8 * steps / _INT32) / (extent or 1.0)
        rows = np.abs(weights).reshape(len(weights), -1)
        for channel in np.flatnonzero(rows.max(axis=1) < needed):
            place = np.unravel_index(int(rows[channel].argmax()), weights.shape[1:])
            sign = -1 if weights[(channel, *place)] < 0 else 1
            weights[(channel, *place)] = sign * needed[channel]
            raised += 1
    return raised
