"""Which layers lose most when they are quantized: each alone, the others left in float."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ExportError
from model_export.flatbuffer import CHANNEL_AXIS, EditableModel
from model_export.observation import Inputs
from model_export.quantization import (
    Calibration,
    FloatModel,
    Precision,
    Quantization,
    apply,
    prepare,
)

_PICTURES = 50


@dataclass(frozen=True, slots=True)
class LayerError:
    """What it costs to quantize one layer.

    Attributes:
        layer: its name, as `Quantization.keep_float` takes it.
        operator: ``CONV_2D`` ...
        error: the root of the mean square by which it moves the model's outputs.
        greatest: the largest by which it moves any.
    """

    layer: str
    operator: str
    error: float
    greatest: float


def layer_errors(
    content: bytes,
    calibration: Calibration,
    precision: Precision = Precision.INT8,
    *,
    pictures: int = _PICTURES,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[LayerError, ...]:
    """Quantize each layer that has weights alone and see what becomes of the outputs.

    Args:
        content: a float .tflite file.
        calibration: of which the first `pictures` are looked at, too.
        precision: int8 or int16x8.
        pictures: how many are looked at.
        progress: told the share that is done.

    Returns:
        The layers, those that lose most first.

    Raises:
        ExportError: as `quantization.quantize`.
    """
    how = Quantization(precision)
    if not how.calibrated:
        raise ExportError(f"the error of layers is measured for int8 and int16x8, not {precision}")
    model = prepare(content, calibration)
    inputs = calibration.inputs[:pictures]
    wanted = _outputs(model.content, inputs)
    layers = _layers(model)
    found = []
    for number, (layer, operator) in enumerate(layers, 1):
        moved = _outputs(apply(model, how, only=layer), inputs) - wanted
        error, greatest = float(np.sqrt(np.mean(moved**2))), float(np.abs(moved).max())
        found.append(LayerError(layer, operator, error, greatest))
        progress(number / len(layers))
    return tuple(sorted(found, key=lambda item: -item.error))


def _layers(model: FloatModel) -> list[tuple[str, str]]:
    editable = EditableModel(model.content)
    return [
        (editable.tensor_name(node.outputs[0]), node.name)
        for node in editable.nodes
        if node.name in CHANNEL_AXIS
    ]


def _outputs(content: bytes, inputs: Inputs) -> NDArray[np.float64]:
    """What the model makes of each input, all of its outputs in one row."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (details,) = interpreter.get_input_details()
    outputs: list[dict[str, Any]] = interpreter.get_output_details()
    rows = []
    for picture in inputs:
        interpreter.set_tensor(details["index"], picture[None])
        interpreter.invoke()
        rows.append(
            np.concatenate([interpreter.get_tensor(out["index"]).ravel() for out in outputs])
        )
    return np.array(rows, np.float64)
