"""From a float .tflite model to a smaller one: float16, dynamic, int8 or int16x8.

ai-edge-quantizer rewrites the graph; TensorFlow is not needed. What it is given here are ranges
by min-max (its own calibration is a moving average, which clips) and weights that were made ready
for int8: equalized, their biases corrected.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.litert import brief
from edge_runtime.inference.preprocess import Range
from edge_runtime.inference.trial import trial
from model_export.bias_correction import correct_bias, corrections
from model_export.dead_channels import make_room
from model_export.equalization import equalize
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.observation import Inputs, Observed, observe
from model_export.operator_versions import state_versions
from model_export.saturation import saturated
from model_export.writing import write_whole

_SMALL_WEIGHTS = 1024
"""Fewer weights than these stay float in a dynamic model: they save nothing and cost accuracy."""


class Precision(StrEnum):
    """What the numbers of a model are."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Weights of 16 bits, unpacked when the model is loaded: half the file, the same speed."""
    DYNAMIC = "dynamic"
    """Weights of 8 bits; what flows through is float and is quantized as it comes."""
    INT8 = "int8"
    """8 bits everywhere, by calibration: the fastest, and what an Edge TPU takes."""
    INT16X8 = "int16x8"
    """16 bits flow through weights of 8, by calibration: more exact and slower than int8."""


class Io(StrEnum):
    """What goes into and comes out of an int8 model."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"


_LEAST_RANGE = 1e-5
"""Of a tensor that is nearly always zero, as behind dead channels: with smaller steps, interpreters
refuse the model, for the 6 of a ReLU6 is too many of them for an int32."""

_STEPS = {Precision.INT8: 255, Precision.INT16X8: 65_534}
"""How many steps there are between the least and the greatest value that flows."""

_SCORES = {Precision.INT8: 1 << 8, Precision.INT16X8: 1 << 15}
"""How many values a sigmoid's output has."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a model is to be quantized.

    Attributes:
        precision: what its numbers become.
        io: what goes in and comes out; other than float32 only of an int8 model.
        keep_float: layers that stay float, by the names of their outputs, or by any of the parts
            between semicolons that such a name has.

    Raises:
        ExportError: the two do not go together.
    """

    precision: Precision
    io: Io = Io.FLOAT32
    keep_float: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.io is not Io.FLOAT32 and self.precision is not Precision.INT8:
            raise ExportError(
                f"a {self.precision} model takes and gives float32, and {self.io} is asked for: "
                f"only {Precision.INT8} models have {self.io} inputs"
            )

    @property
    def calibrated(self) -> bool:
        """Whether it needs calibration pictures."""
        return self.precision in _STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Pictures that show which ranges there are.

    Attributes:
        inputs: N x H x W x C float32, as the model wants them; a few hundred.
        pixel_range: the real values of pixels 0 and 255, which the input is quantized for.
    """

    inputs: Inputs
    pixel_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class FloatModel:
    """A float model, made ready for quantization.

    Attributes:
        content: the .tflite file, with a signature.
        ranges: for each tensor's name the least and greatest value; empty: not calibrated.
        corrections: for each layer's name what to add to its bias where it is quantized.
    """

    content: bytes
    ranges: Mapping[str, tuple[float, float]]
    corrections: Mapping[str, NDArray[np.float32]]

    def layers(self) -> tuple[str, ...]:
        """The names of all layers, in the order in which they run."""
        model = EditableModel(self.content)
        return tuple(model.tensor_name(node.outputs[0]) for node in model.nodes if node.outputs)


def quantize(
    content: bytes,
    how: Quantization,
    calibration: Calibration | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> bytes:
    """Quantize a float .tflite model.

    Raises:
        ExportError: it is quantized already, calibration is missing or does not fit, a layer that
            is to stay float does not exist, or ai-edge-quantizer cannot quantize it.
    """
    return apply(prepare(content, calibration if how.calibrated else None, progress), how)


def quantize_file(
    source: Path,
    target: Path,
    how: Quantization,
    calibration: Calibration | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Quantize the float .tflite file `source` into `target`, and load that once.

    Nothing is written where anything fails.

    Raises:
        ModelError: `source` is missing, damaged or no .tflite file.
        ExportError: as `quantize`; or `target` cannot be written.
    """
    write_model(target, quantize(read_float(source), how, calibration, progress))


def read_float(path: Path) -> bytes:
    """The content of a .tflite file that is whole, loads and runs.

    Raises:
        ModelError: it is or does not.
    """
    tflite_file.read(path)
    trial(path)
    return path.read_bytes()


def write_model(path: Path, content: bytes) -> None:
    """Write a model that was just made, after it was loaded and run once in a child process.

    Raises:
        ExportError: it does not run, which is no fault of the user's; or it cannot be written.
    """
    import tempfile

    if path.suffix != ".tflite":
        raise ExportError(f"{path} is to be a TFLite model: give it a name that ends in .tflite")
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / path.name
        tried.write_bytes(content)
        try:
            trial(tried)
        except ModelError as error:
            raise ExportError(
                f"{path} was not written, for what was made does not run: {error}"
            ) from error
    write_whole(path, content)


def prepare(
    content: bytes,
    calibration: Calibration | None,
    progress: Callable[[float], None] = lambda _: None,
) -> FloatModel:
    """Make a float model ready for quantization; with `calibration` for int8 and int16x8.

    Raises:
        ExportError: it is quantized already, or the calibration pictures do not fit.
    """
    model = EditableModel(content)
    if model.quantized():
        raise ExportError(
            "the model is quantized already: quantize the float model that it was made from"
        )
    model.sign()
    if calibration is None:
        return FloatModel(model.pack(), {}, {})
    observed = observe(model, calibration.inputs, lambda done: progress(done / 2))
    equalize(model, observed)
    observed = observe(model, calibration.inputs, lambda done: progress((1 + done) / 2))
    ranges = {model.tensor_name(index): _range(seen) for index, seen in observed.items()}
    # Pixels are quantized exactly, whatever the calibration pictures lack.
    ranges[model.tensor_name(model.inputs[0])] = calibration.pixel_range
    return FloatModel(model.pack(), ranges, corrections(model, observed))


def _range(seen: Observed) -> tuple[float, float]:
    least, greatest = float(seen.least.min()), float(seen.greatest.max())
    return least, max(greatest, least + _LEAST_RANGE)


def apply(model: FloatModel, how: Quantization, only: str | None = None) -> bytes:
    """Quantize what `prepare` made.

    Args:
        model: a float model; calibrated, where `how` needs it.
        how: what is to become of it.
        only: the name of the one layer that is quantized; None: all are but `how.keep_float`.

    Raises:
        ExportError: as `quantize`.
    """
    if how.calibrated and not model.ranges:
        raise ExportError(f"{how.precision} needs calibration pictures, and none were given")
    kept = _kept(model, how.keep_float)
    if how.precision is Precision.FLOAT32:
        return model.content
    ready = EditableModel(model.content)
    ranges = model.ranges
    if how.calibrated:
        ranges = saturated(ready, ranges, _SCORES[how.precision])
        rounded = {only} if only else set(model.layers()) - kept
        correct_bias(ready, {name: by for name, by in model.corrections.items() if name in rounded})
        make_room(ready, ranges, _STEPS[how.precision])
    with _quiet():
        content = _rewritten(ready.pack(), ranges, how, _exactly(only) if only else ".*", kept)
    made = EditableModel(content)
    state_versions(made)
    return made.pack()


def _kept(model: FloatModel, names: tuple[str, ...]) -> set[str]:
    """The full names of the layers that stay float."""
    layers = model.layers()
    kept: set[str] = set()
    for name in names:
        found = [layer for layer in layers if name == layer or name in layer.split(";")]
        if not found:
            known = ", ".join(layer.partition(";")[0] for layer in layers[:5])
            raise ExportError(
                f'there is no layer "{name}" to leave in float: the {len(layers)} layers are '
                f"{known} ..."
            )
        kept.update(found)
    return kept


def _rewritten(
    content: bytes,
    ranges: Mapping[str, tuple[float, float]],
    how: Quantization,
    scope: str,
    kept: Collection[str],
) -> bytes:
    try:
        from ai_edge_quantizer import quantizer
    except ModuleNotFoundError as error:
        raise ExportError(
            "ai-edge-quantizer is not installed, and models are quantized with it: "
            "pip install 'edge-runtime[export]'"
        ) from error

    rewriter = quantizer.Quantizer(content)
    _write_recipe(rewriter, how, scope)
    for name in kept:
        rewriter.update_quantization_recipe(_exactly(name), "*", algorithm_key="no_quantize")
    statistics = {name: _statistics(*limits) for name, limits in ranges.items()}
    try:
        made = rewriter.quantize(
            statistics if how.calibrated else None, enable_progress_report=False
        )
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
        raise ExportError(
            f"ai-edge-quantizer cannot make this model {how.precision}: {brief(error)}"
        ) from error
    if made.quantized_model is None:
        raise ExportError(f"ai-edge-quantizer made no {how.precision} model")
    return bytes(made.quantized_model)


def _write_recipe(rewriter: Any, how: Quantization, scope: str) -> None:
    """Say which operators become what; of several lines for one operator the last counts."""
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    one_scale = QuantGranularity.TENSORWISE
    match how.precision:
        case Precision.FLOAT16:
            for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                rewriter.add_weight_only_config(
                    scope, TFLOperationName(name), 16, algorithm_key="float_casting"
                )
        case Precision.DYNAMIC:
            for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                _add_dynamic(rewriter, scope, TFLOperationName(name))
        case Precision.INT8 | Precision.INT16X8:
            bits = 8 if how.precision is Precision.INT8 else 16
            rewriter.add_static_config(scope, TFLOperationName.ALL_SUPPORTED, bits, 8)
            # Some runtimes know no scale for each output of a fully connected layer.
            rewriter.add_static_config(scope, TFLOperationName.FULLY_CONNECTED, bits, 8, one_scale)
            _add_io(rewriter, how.io)


def _add_dynamic(rewriter: Any, scope: str, operator: Any) -> None:
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        QuantGranularity,
        TensorQuantizationConfig,
    )

    one_scale = operator == "FULLY_CONNECTED"
    rewriter.update_quantization_recipe(
        scope,
        operator,
        OpQuantizationConfig(
            weight_tensor_config=TensorQuantizationConfig(
                8,
                granularity=QuantGranularity.TENSORWISE
                if one_scale
                else QuantGranularity.CHANNELWISE,
            ),
            compute_precision=ComputePrecision.INTEGER,
            min_weight_elements=_SMALL_WEIGHTS,
        ),
    )


def _add_io(rewriter: Any, io: Io) -> None:
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        TensorDataType,
        TensorQuantizationConfig,
        TFLOperationName,
    )

    for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        match io:
            case Io.INT8:
                rewriter.add_static_config(".*", end, 8, 8)
            case Io.UINT8:
                pixels = OpQuantizationConfig(
                    TensorQuantizationConfig(8, symmetric=False, dtype=TensorDataType.UINT),
                    TensorQuantizationConfig(8),
                    ComputePrecision.INTEGER,
                )
                rewriter.update_quantization_recipe(".*", end, pixels)
            case Io.FLOAT32:
                rewriter.update_quantization_recipe(".*", end, algorithm_key="no_quantize")


def _exactly(layer: str) -> str:
    """The pattern of one layer: ai-edge-quantizer looks for it in all outputs, each with a ;."""
    return f"^{re.escape(layer)};?$"


def _statistics(least: float, greatest: float) -> dict[str, Any]:
    shape = 1, 1, 1, 1
    return {
        "min": np.full(shape, least, np.float32),
        "max": np.full(shape, greatest, np.float32),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and warnings that ai-edge-quantizer writes to the terminal."""
    import logging
    import warnings

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().setLevel(level)
