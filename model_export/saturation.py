"""What goes into a sigmoid gets the range that the sigmoid's rounded scores tell apart, no wider.

All places of a detector's maps share one scale. One anchor that is background beyond doubt, with a
100 where others have a 2, would leave these with steps of which each moves a score by a tenth.
Beyond the limit nothing is lost: the rounded score is the same for all values.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_export.flatbuffer import EditableModel

_PASSES_ON = frozenset({"CONCATENATION", "RESHAPE"})


def saturated(
    model: EditableModel, ranges: Mapping[str, tuple[float, float]], scores: int
) -> dict[str, tuple[float, float]]:
    """The ranges, cut off for what nothing but sigmoids see.

    Args:
        model: in float.
        ranges: for each tensor's name the least and greatest value.
        scores: how many a sigmoid's output tells apart.
    """
    # Here a sigmoid is half a step away from 0 or 1.
    limit = float(np.log(2 * scores))
    found = dict(ranges)
    for tensor in _before_sigmoids(model):
        name = model.tensor_name(tensor)
        if name in found:
            least, greatest = found[name]
            found[name] = max(least, -limit), min(greatest, limit)
    return found


def _before_sigmoids(model: EditableModel) -> set[int]:
    """The computed tensors that reach only sigmoids, through what passes values on."""
    reached: set[int] = set()
    # From the end, so that all readers of a tensor are judged before it.
    for node in reversed(model.nodes):
        passes = node.name in _PASSES_ON and set(node.outputs) <= reached
        if node.name != "LOGISTIC" and not passes:
            continue
        for tensor in node.inputs:
            readers = model.readers(tensor)
            alone = all(
                reader.name == "LOGISTIC"
                or (reader.name in _PASSES_ON and set(reader.outputs) <= reached)
                for reader in readers
            )
            if alone and tensor not in model.outputs:
                reached.add(tensor)
    return reached
