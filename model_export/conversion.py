"""From Keras, SavedModels and our own networks to a float .tflite file with a fixed batch of one.

An open batch would bring shape arithmetic into the graph, which an Edge TPU cannot run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_export.errors import ExportError
from model_export.loading import Format, format_of, load_keras, tensorflow
from model_export.quantization import Io, read_float
from model_export.weights import load


def float_tflite(path: Path) -> bytes:
    """The model in `path` as a float .tflite file: converted, or read where it is one.

    Of a detector of ours these are the raw boxes and scores; `networks.finished` adds its end.

    Raises:
        ExportError: it is no model, TensorFlow is needed and missing, it does not take one
            picture, or TensorFlow cannot convert it.
        ModelError: it is a .tflite file that is damaged or does not run.
    """
    match format_of(path):
        case Format.TFLITE:
            return read_float(path)
        case Format.SAVED_MODEL:
            return _from_saved_model(path)
        case Format.NETWORK:
            # Which converts by this module.
            from model_export.networks import float_model

            return float_model(load(path))
        case _:
            return from_keras(load_keras(path), str(path))


def from_keras(
    model: Any, name: str, *, quantization_aware: bool = False, io: Io = Io.INT8
) -> bytes:
    """A Keras 2 or Keras 3 model as a float .tflite file; `name` is for what is said of it.

    A tf_keras model that was trained `quantization_aware` becomes an int8 one, with the ranges
    that training found; what goes in and comes out is `io`.

    Raises:
        ExportError: it does not take one picture, or TensorFlow cannot convert it.
    """
    tf = tensorflow()
    shape = one_shape(name, model.inputs)

    def call(image: Any) -> Any:
        return _named(model(image, training=False))

    function = tf.function(call, input_signature=[tf.TensorSpec([1, *shape], name="image")])
    return _convert(tf, name, function, io if quantization_aware else None)


def _from_saved_model(path: Path) -> bytes:
    tf = tensorflow()
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ExportError(f"the SavedModel {path} is damaged: {_said(error)}") from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        known = ", ".join(loaded.signatures) or "none"
        raise ExportError(
            f"the SavedModel {path} has no signature serving_default (it has {known}): "
            "save it with one, as model.export() does"
        )
    arguments = signature.structured_input_signature[1]
    shape = one_shape(str(path), list(arguments.values()))
    (argument,) = arguments

    def call(image: Any) -> Any:
        return _named(signature(**{argument: image}))

    function = tf.function(call, input_signature=[tf.TensorSpec([1, *shape], name="image")])
    return _convert(tf, str(path), function)


def one_shape(name: str, inputs: list[Any]) -> tuple[int, int, int]:
    """Height, width and channels of the one picture that goes into a model.

    Raises:
        ExportError: something else goes in; `name` is for what is said of it.
    """
    if len(inputs) == 1 and len(inputs[0].shape) == 4:
        height, width, channels = tuple(inputs[0].shape)[1:]
        if height and width and channels in (1, 3):
            return int(height), int(width), int(channels)
    shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
    raise ExportError(
        f"{name} takes {shapes or 'nothing'}, which is not one picture of a fixed size: "
        "[batch, height, width, 1 or 3] is needed"
    )


def _named(outputs: Any) -> dict[str, Any]:
    """The outputs with names that sort in their order, which a SavedModel would change."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    if not isinstance(outputs, list | tuple):
        outputs = [outputs]
    return {f"output_{number:02}": output for number, output in enumerate(outputs)}


def _convert(tf: Any, name: str, function: Any, io: Io | None = None) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        # The converter would leave the variables of Keras 3 variables.
        frozen = convert_variables_to_constants_v2(function.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], frozen)
        if io is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            ends = tf.as_dtype(io.value)
            converter.inference_input_type = converter.inference_output_type = ends
            # Some runtimes know no scale for each output of a fully connected layer.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        with warnings.catch_warnings():
            # It misses what only its own quantization needs.
            warnings.simplefilter("ignore")
            return bytes(converter.convert())
    except (ConverterError, ValueError, TypeError, RuntimeError, tf.errors.OpError) as error:
        raise ExportError(f"TensorFlow cannot convert {name}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(". ")
