"""What each operator of a model costs and holds: multiplications, weights, number format, zeros."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from model_export.tflite_graph import EIGHT_BIT, FLOATS, UNPACKS, Graph, Operator, Tensor


class Format(StrEnum):
    """The numbers that an operator works on."""

    FLOAT = "float32"
    """Values and weights in floating point."""
    FLOAT16_WEIGHTS = "float32, float16 weights"
    """The weights are stored in half of the bytes and unpacked when the model is loaded."""
    DYNAMIC = "dynamic int8"
    """int8 weights; values are float and are quantized anew at each inference."""
    INT8 = "int8"
    """Values and weights of 8 bits, int8 or uint8."""
    INT16 = "int16x8"
    """Values of 16 bits, weights of 8."""
    OTHER = "other"
    """Shapes, indexes, truth values, and the steps from one format to another."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator.

    Attributes:
        index: its place in the order of execution.
        operator: ``CONV_2D`` ...
        output: the name of its first output.
        shape: of that output.
        format: the numbers it works on.
        macs: multiply-accumulates an inference; 0 for what multiplies no weights or matrices.
        parameters: its weights and biases.
        weight_bytes: of these in the file.
        sparsity: the share of its weights that is 0, biases not counted; None: it has none.
    """

    index: int
    operator: str
    output: str
    shape: tuple[int, ...]
    format: Format
    macs: int
    parameters: int
    weight_bytes: int
    sparsity: float | None


def layer(graph: Graph, operator: Operator) -> Layer:
    """What the operator costs and holds."""
    # What is unpacked belongs to the operator that works with it.
    positions = range(0 if operator.name in UNPACKS else len(operator.inputs))
    stored = [graph.stored(operator, position) for position in positions]
    parameters = [tensor for tensor in stored if tensor is not None and tensor.is_parameter]
    weights = [tensor for tensor in parameters if len(tensor.shape) > 1]
    output = graph.output(operator)
    return Layer(
        index=operator.index,
        operator=operator.name,
        output=output.name if output else "",
        shape=output.shape if output else (),
        format=_format(graph, operator, weights),
        macs=macs(graph, operator),
        parameters=sum(tensor.size for tensor in parameters),
        weight_bytes=sum(len(tensor.data) for tensor in parameters if tensor.data is not None),
        sparsity=sparsity(weights),
    )


def sparsity(weights: list[Tensor]) -> float | None:
    """The share of zeros in the weights; None where there are none."""
    total = sum(tensor.size for tensor in weights)
    return sum(tensor.zeros() for tensor in weights) / total if total else None


def _format(graph: Graph, operator: Operator, weights: list[Tensor]) -> Format:
    given = [graph.tensors[i] for i in operator.inputs if i >= 0 and not graph.tensors[i].constant]
    values = {tensor.type for tensor in (*given, *(graph.tensors[i] for i in operator.outputs))}
    stored = {tensor.type for tensor in weights}
    if values <= FLOATS:
        if stored & EIGHT_BIT:
            return Format.DYNAMIC
        return Format.FLOAT16_WEIGHTS if "float16" in stored else Format.FLOAT
    quantized = all(tensor.scales for tensor in given)
    if values <= EIGHT_BIT and quantized:
        return Format.INT8
    return Format.INT16 if values == {"int16"} and quantized else Format.OTHER


# Multiply-accumulates


def _conv(graph: Graph, operator: Operator) -> int:
    # The filter is out x height x width x in; grouped convolution has a smaller `in`.
    return _outputs(graph, operator) * prod(_shape(graph, operator, 1)[1:])


def _depthwise(graph: Graph, operator: Operator) -> int:
    return _outputs(graph, operator) * prod(_shape(graph, operator, 1)[1:3])


def _fully_connected(graph: Graph, operator: Operator) -> int:
    return _outputs(graph, operator) * prod(_shape(graph, operator, 1)[-1:])


def _transpose_conv(graph: Graph, operator: Operator) -> int:
    # Each value of the input meets each weight of its channel: the filter is out x h x w x in.
    return prod(_shape(graph, operator, 2)) * prod(_shape(graph, operator, 1)[:3])


def _batch_matmul(graph: Graph, operator: Operator) -> int:
    left = _shape(graph, operator, 0)
    inner = left[-2:-1] if operator.option("adjX") else left[-1:]
    return _outputs(graph, operator) * prod(inner)


_MACS: Mapping[str, Callable[[Graph, Operator], int]] = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
}


def macs(graph: Graph, operator: Operator) -> int:
    """The operator's multiply-accumulates at one inference, zeros among the weights included."""
    count = _MACS.get(operator.name)
    return count(graph, operator) if count and not operator.custom else 0


def _outputs(graph: Graph, operator: Operator) -> int:
    output = graph.output(operator)
    return output.size if output else 0


def _shape(graph: Graph, operator: Operator, position: int) -> tuple[int, ...]:
    tensor = graph.input(operator, position)
    return tensor.shape if tensor else (0,)
