"""A network out of a published .tflite file, float or quantized, to train on from there.

Of a classifier all of it, of an SSD detector the MobileNet that its boxes are looked for in.

Normalisation is folded into the weights of such a file. `training.statistics` brings it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_runtime.inference.preprocess import Range
from model_export import tflite_graph
from model_export.architectures.channels import Kind
from model_export.architectures.mobilenet import Family, backbone
from model_export.architectures.postprocess import OPERATOR
from model_export.architectures.recognition import Mark, Step, recognise, recognise_features
from model_export.architectures.spec import Activation, Backbone, Input
from model_export.errors import ExportError
from model_export.tflite_graph import Graph, Operator, Tensor
from model_export.weights import Floats, Trained, Weights

_KINDS: Mapping[str, Kind] = {
    "CONV_2D": Kind.CONV,
    "DEPTHWISE_CONV_2D": Kind.DEPTHWISE,
    "FULLY_CONNECTED": Kind.DENSE,
}
_FUSED = {0: Activation.LINEAR, 1: Activation.RELU, 3: Activation.RELU6}
"""By the numbers of ActivationFunctionType in schema.fbs."""

_FOLLOWING = {
    "RELU": Activation.RELU,
    "RELU6": Activation.RELU6,
    "HARD_SWISH": Activation.HARD_SWISH,
}
_WITHOUT_MEANING = frozenset(
    {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SOFTMAX", "PAD", "MUL", "SQUEEZE"}
)
_VALID = 1
"""The number of Padding in schema.fbs that says that nothing is padded."""

_USUAL_RANGES: tuple[Range, ...] = ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0))


def from_tflite(path: Path, pixel_range: Range | None = None) -> Trained:
    """The network in the file, its weights as float32.

    Each normalisation adds the layer's bias and does nothing else.

    Args:
        pixel_range: what black and white are for it; None: what its quantization says.

    Raises:
        ModelError: the file is missing, damaged or not TFLite.
        ExportError: it is no MobileNet classifier, or `pixel_range` is needed.
    """
    return from_graph(tflite_graph.read(path).graph, str(path), pixel_range)


def from_graph(graph: Graph, name: str, pixel_range: Range | None = None) -> Trained:
    """The same out of a graph that was read; `name` is for what is said of it."""
    picture = picture_of(graph, name, pixel_range)
    steps: list[Step] = []
    for operator in graph.operators:
        _append(steps, graph, operator, name)
    if "SOFTMAX" not in {operator.name for operator in graph.operators}:
        raise ExportError(f"{name} is no classifier with softmax: its answers are no probabilities")
    return recognise(name, steps, picture)


def ssd_backbone(path: Path) -> tuple[Backbone, Weights]:
    """The MobileNetV1 of a published SSD detector, and its weights as float32.

    What makes its features coarser and looks for boxes in them stays behind. Layers are named as
    `channels.layers` does, and normalised as those of `from_tflite`.

    Raises:
        ModelError: the file is missing, damaged or not TFLite.
        ExportError: it is no SSD detector on a MobileNetV1.
    """
    graph, name = tflite_graph.read(path).graph, str(path)
    if OPERATOR not in {operator.name for operator in graph.operators}:
        raise ExportError(f"{path} is no SSD detector: it does not end in {OPERATOR}")
    steps = [layer_step(graph, found, name) for found in graph.operators if found.name in _KINDS]
    features, weights = recognise_features(name, steps, picture_of(graph, name))
    alpha = features.stem.channels / backbone(Family.V1, 1, features.input).stem.channels
    if features != backbone(Family.V1, alpha, features.input):
        raise ExportError(
            f"{path} is no SSD detector on a MobileNetV1: what its layers begin with is another "
            "network"
        )
    return features, weights


def picture_of(graph: Graph, name: str, pixel_range: Range | None = None) -> Input:
    """The picture that a model takes; the arguments are those of `from_graph`.

    Raises:
        ExportError: it takes something else, or `pixel_range` is needed.
    """
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (1, 3):
        raise ExportError(f"{name} takes {shapes}, and one picture [1, height, width, 3] is needed")
    tensor = graph.tensors[graph.inputs[0]]
    _, height, width, channels = tensor.shape
    pixel_range = pixel_range or _range(tensor)
    if pixel_range is None:
        raise ExportError(f"{name} takes floats: say what black and white are for it, as in -1 1")
    return Input(height, width, channels, pixel_range)  # type: ignore[arg-type]


def _range(tensor: Tensor) -> Range | None:
    """What the quantization says of pixels 0 and 255: the usual range if it is as good as that."""
    found = _held(tensor)
    if found is None:
        return None
    (scale,) = tensor.scales
    for usual in _USUAL_RANGES:
        if np.allclose(found, usual, rtol=0, atol=scale):
            return usual
    return found


def _held(tensor: Tensor) -> Range | None:
    """The least and the greatest value that an 8-bit tensor can hold; None: it is none."""
    if tensor.type not in tflite_graph.EIGHT_BIT or len(tensor.scales) != 1:
        return None
    (scale,), (zero,) = tensor.scales, tensor.zero_points
    low = scale * ((-128 if tensor.type == "int8" else 0) - zero)
    return low, low + 255 * scale


def _append(steps: list[Step], graph: Graph, operator: Operator, path: str) -> None:
    name = operator.name
    if name in _KINDS:
        steps.append(layer_step(graph, operator, path))
    elif name in ("MEAN", "AVERAGE_POOL_2D"):
        steps.append(Step(Mark.POOL, _name(graph, operator)))
    elif name == "ADD":
        # Adding a constant is part of a hard sigmoid.
        if not any(graph.stored(operator, position) for position in (0, 1)):
            steps.append(Step(Mark.ADD, _name(graph, operator)))
    elif name in _FOLLOWING and steps:
        steps[-1] = replace(steps[-1], activation=_FOLLOWING[name])
    elif name == "MUL" and steps and _is_sixth(graph, operator):
        steps[-1] = _before_gate(steps[-1])
    elif name not in _WITHOUT_MEANING or _scales(graph, operator):
        raise ExportError(
            f"{path} is no MobileNet classifier: it has the operator {name} "
            f"({_name(graph, operator)})"
        )


def _is_sixth(graph: Graph, operator: Operator) -> bool:
    """Whether this is the end of a hard sigmoid, relu6(x + 3) / 6."""
    factors = [_real(graph.stored(operator, position), 0) for position in (0, 1)]
    return any(factor is not None and np.allclose(factor, 1 / 6, rtol=0.01) for factor in factors)


def _before_gate(step: Step) -> Step:
    """What goes into the hard sigmoid, where the converter added the 3 to the bias."""
    if step.activation is not Activation.RELU6 or step.bias is None:
        return step
    return replace(step, bias=step.bias - 3, activation=Activation.LINEAR)


def _scales(graph: Graph, operator: Operator) -> bool:
    """Whether it multiplies by constants, which changes an answer."""
    stored = (graph.stored(operator, position) for position in (0, 1))
    return operator.name == "MUL" and any(tensor is not None for tensor in stored)


def layer_step(graph: Graph, operator: Operator, path: str) -> Step:
    """A convolution or a fully connected layer, its weights as float32; `path` is for errors.

    Raises:
        ExportError: its weights cannot be read, or it pads as no MobileNet does.
    """
    kind = _KINDS[operator.name]
    kernel = _real(graph.stored(operator, 1), 3 if kind is Kind.DEPTHWISE else 0)
    bias = _real(graph.stored(operator, 2), 0)
    activation = _activation(graph, operator)
    if kernel is None or activation is None or operator.option("depthMultiplier") > 1:
        raise ExportError(
            f"{path} is no MobileNet that can be trained on: the weights of "
            f"{_name(graph, operator)} cannot be read or are used in another way"
        )
    # Outputs first, a depthwise kernel's after a 1; Keras has both the other way round.
    kernel = kernel.T if kind is Kind.DENSE else kernel.transpose(1, 2, 3, 0)
    stride = max(1, operator.option("strideH"))
    if kernel.shape[0] > 1 and kind is not Kind.DENSE:
        _check_padding(graph, operator, kernel.shape[0], stride, path)
    return Step(kind, _name(graph, operator), kernel, bias, stride=stride, activation=activation)


def _activation(graph: Graph, operator: Operator) -> Activation | None:
    """The one that is part of a layer; None: one that no MobileNet has.

    Some converters wrote none where the output holds nothing but 0..6, and cuts off as ReLU6 does.
    """
    stated = _FUSED.get(operator.option("fusedActivationFunction"))
    output = graph.output(operator)
    held = _held(output) if output and stated is Activation.LINEAR else None
    cuts = held is not None and np.allclose(held, (0, 6), rtol=0, atol=0.01)
    return Activation.RELU6 if cuts else stated


def _real(tensor: Tensor | None, axis: int) -> Floats | None:
    """A constant's real values; its scales run along `axis`."""
    values = None if tensor is None or tensor.sparse else tensor.values()
    if tensor is None or values is None:
        return None
    real = values.reshape(tensor.shape).astype(np.float64)
    if tensor.scales:
        along = [1] * len(tensor.shape)
        along[axis] = len(tensor.scales)
        zeros = np.reshape(tensor.zero_points or (0,) * len(tensor.scales), along)
        real = (real - zeros) * np.reshape(tensor.scales, along)
    return real.astype(np.float32)


def _check_padding(graph: Graph, operator: Operator, kernel: int, stride: int, path: str) -> None:
    """Where the borders are not padded by the convolution, they have to be so before it."""
    if operator.option("padding") != _VALID:
        return
    padding = next((op for op in graph.operators if operator.inputs[0] in op.outputs), None)
    given = graph.input(padding, 0) if padding and padding.name == "PAD" else None
    amounts = graph.stored(padding, 1) if padding and given else None
    values = amounts.values() if amounts else None
    if given is not None and values is not None:
        expected = [[0, 0], *(_same(side, kernel, stride) for side in given.shape[1:3]), [0, 0]]
        if values.reshape(-1, 2).tolist() == expected:
            return
    raise ExportError(
        f"{path} is no MobileNet that can be trained on: {_name(graph, operator)} treats the "
        "picture's borders in another way than TensorFlow's SAME"
    )


def _same(side: int, kernel: int, stride: int) -> list[int]:
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return [total // 2, total - total // 2]


def _name(graph: Graph, operator: Operator) -> str:
    output = graph.output(operator)
    return output.name if output else operator.name
