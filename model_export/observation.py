"""What flows through a float model when it sees pictures: the ranges to quantize for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.litert import brief
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel, Floats

Inputs = NDArray[np.float32]
"""N x H x W x C float32: pictures as the model wants them."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What one tensor held over all pictures, for each channel (its last dimension).

    Attributes:
        least, greatest, mean: C float32.
    """

    least: Floats
    greatest: Floats
    mean: Floats


def observe(
    model: EditableModel, inputs: Inputs, progress: Callable[[float], None] = lambda _: None
) -> Mapping[int, Observed]:
    """Run the model on each picture and note what every computed tensor holds.

    Raises:
        ExportError: there are no pictures, the model does not run on them, or it computes what is
            no number.
    """
    if not len(inputs):
        raise ExportError("there are no pictures to calibrate with")
    interpreter = _interpreter(model)
    computed = [
        index
        for index in (*model.inputs, *(out for node in model.nodes for out in node.outputs))
        if model.tensor_type(index) == "float32"
    ]
    notes: dict[int, Observed] = {}
    for number, picture in enumerate(inputs, 1):
        try:
            interpreter.set_tensor(model.inputs[0], picture[None])
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ExportError(
                f"the model does not run on the calibration pictures: {brief(error)}"
            ) from error
        for index in computed:
            seen = _look(interpreter.get_tensor(index))
            notes[index] = _joined(notes[index], seen, number) if index in notes else seen
        progress(number / len(inputs))
    for index, seen in notes.items():
        if not (np.isfinite(seen.least).all() and np.isfinite(seen.greatest).all()):
            raise ExportError(
                f"the float model computes what is no number in {model.tensor_name(index)}: "
                "it cannot be quantized"
            )
    return notes


def _interpreter(model: EditableModel) -> Any:
    import warnings

    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        # It warns that to keep all tensors takes memory, which is what is wanted here.
        warnings.simplefilter("ignore")
        interpreter = Interpreter(
            model_content=model.pack(), num_threads=1, experimental_preserve_all_tensors=True
        )
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(
            f"the float model is rejected by the interpreter: {brief(error)}"
        ) from error
    return interpreter


def _look(values: Floats) -> Observed:
    rows = values.reshape(-1, values.shape[-1] if values.ndim else 1)
    return Observed(rows.min(axis=0), rows.max(axis=0), rows.mean(axis=0, dtype=np.float32))


def _joined(before: Observed, seen: Observed, number: int) -> Observed:
    return Observed(
        np.minimum(before.least, seen.least),
        np.maximum(before.greatest, seen.greatest),
        before.mean + (seen.mean - before.mean) / np.float32(number),
    )
