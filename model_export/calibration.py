"""From pictures to what a model is calibrated with, by the boards' own preprocessing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edge_runtime.frame import Image
from edge_runtime.inference.engine import TensorSpec
from edge_runtime.inference.preprocess import Colour, Preprocessor, Range, Resize
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.quantization import Calibration


def calibration(
    content: bytes,
    pictures: Iterable[Image],
    pixel_range: Range,
    *,
    resize: Resize = Resize.STRETCH,
    colour: Colour = Colour.RGB,
) -> Calibration:
    """What the float .tflite model `content` sees of `pictures` (H x W x 3 BGR).

    Raises:
        ExportError: the model does not take one float picture.
        ModelError: its channels are not those of `colour`.
    """
    spec = input_spec(content)
    colour = Colour.GREY if spec.shape[3] == 1 else colour
    preprocessor = Preprocessor(spec, resize, colour, pixel_range)
    inputs = []
    for picture in pictures:
        view = np.empty(spec.shape[1:], np.float32)
        preprocessor.write(picture, view)
        inputs.append(view)
    return Calibration(np.array(inputs, np.float32).reshape(-1, *spec.shape[1:]), pixel_range)


def input_spec(content: bytes) -> TensorSpec:
    """The input of a float model: 1 x H x W x C float32.

    Raises:
        ExportError: it is something else.
    """
    model = EditableModel(content)
    specs = [
        TensorSpec(
            model.tensor_name(index),
            model.tensor_shape(index),
            np.dtype(model.tensor_type(index)),
        )
        for index in model.inputs
    ]
    if len(specs) == 1 and specs[0].dtype == np.float32 and len(specs[0].shape) == 4:
        return specs[0]
    raise ExportError(
        f"the model takes {', '.join(map(str, specs)) or 'nothing'}: a float model of one picture, "
        "float32 [1, height, width, channels], is needed"
    )
