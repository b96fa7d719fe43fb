"""What the Edge TPU asks of each operator.

Sources: Coral's requirements and table of supported operations
(https://coral.ai/docs/edgetpu/models-intro/), for runtime 14 and compiler 16, the last there is.
Versions: the highest in tensorflow/lite/kernels/register.cc soon after that compiler was made, less
where it was reported to know fewer (google-coral/edgetpu#631, #845).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from edge_runtime.inference.tflite_file import EDGETPU_OP
from model_export.tflite_graph import EIGHT_BIT, Graph, Operator, Tensor

SOFTMAX_MOST = 16_000
RESIZE_MOST_FACTOR = 2
RESIZE_MOST_PIXELS = 128
"""Beyond these two a resize is taken to stay on the CPU.

Coral says only that it depends on the sizes. Doubling to at most 128 x 128 is known to be mapped;
1 x 1 to 33 x 33 and 256 x 256 to 512 x 512 (google-coral/edgetpu#31) are known not to be.
"""


Limit = Callable[[Graph, Operator], str | None]
"""What is wrong with an operator's options or shapes, as one sentence; None: nothing."""


def _any(graph: Graph, operator: Operator) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """What the Edge TPU asks of an operator.

    Attributes:
        version: the highest that the compiler knows.
        limit: what Coral's table says beyond types and ranks.
        activations: positions of the inputs that are computed, 8-bit and of rank 3 in effect;
            None: all that are not named otherwise.
        weights: positions of the 8-bit inputs that have to be constants.
        bias: the position of the int32 constant.
        settings: positions of shapes, axes and the like, which have to be constants.
    """

    version: int
    limit: Limit = _any
    activations: tuple[int, ...] | None = None
    weights: tuple[int, ...] = ()
    bias: int | None = None
    settings: tuple[int, ...] = ()


def _no_fused_activation(graph: Graph, operator: Operator) -> str | None:
    if operator.option("fusedActivationFunction"):
        return "It has a fused activation function, which the Edge TPU does not support here."
    return None


def _concatenation(graph: Graph, operator: Operator) -> str | None:
    constants = [tensor for tensor in _inputs(graph, operator) if tensor.constant]
    if constants and len(operator.inputs) != 2:
        return "It joins a constant with more than one other input; only one is supported."
    if any(tensor.zeros() != tensor.size for tensor in constants):
        return "It joins a constant that is not all zeros, which alone is supported."
    return _no_fused_activation(graph, operator)


def _same_dilation(graph: Graph, operator: Operator) -> str | None:
    x, y = operator.option("dilationWFactor"), operator.option("dilationHFactor")
    if x != y:
        return f"It is dilated by {y} down and {x} across; both have to be the same."
    return None


def _fully_connected(graph: Graph, operator: Operator) -> str | None:
    output = graph.output(operator)
    if operator.option("weightsFormat"):
        return "Its weights are shuffled; only the default format is supported."
    if output and prod(output.shape[:-1]) != 1:
        return f"Its output {output} is not one row of values, which alone is supported."
    return None


def _keeps_batch(graph: Graph, operator: Operator) -> str | None:
    if _touches_batch(graph, operator):
        return "It works over the batch dimension, which the Edge TPU does not support."
    return None


def _mean(graph: Graph, operator: Operator) -> str | None:
    source = graph.input(operator, 0)
    if source and len(source.shape) - 1 in _axes(graph, operator) and source.shape[-1] % 4:
        return (
            f"It takes the mean over {source.shape[-1]} channels; their number has to be a "
            "multiple of 4."
        )
    return _keeps_batch(graph, operator)


def _pack(graph: Graph, operator: Operator) -> str | None:
    output = graph.output(operator)
    if output and len(output.shape) > 3 and operator.option("axis") in (0, -len(output.shape)):
        return "It packs over the batch dimension, which the Edge TPU does not support."
    return None


def _pad(graph: Graph, operator: Operator) -> str | None:
    padding = _values(graph, operator, 1)
    if len(padding) > 6 and any(padding[:2]):
        return "It pads the batch dimension, which the Edge TPU does not support."
    return None


def _prelu(graph: Graph, operator: Operator) -> str | None:
    alpha = graph.input(operator, 1)
    if alpha and prod(alpha.shape[:-1]) != 1:
        return (
            f"Its alpha {alpha} has more than one value a channel: build it with "
            "shared_axes=[1, 2]."
        )
    return None


def _resize(graph: Graph, operator: Operator) -> str | None:
    source, target = graph.input(operator, 0), graph.output(operator)
    if not source or not target or len(source.shape) != 4 or len(target.shape) != 4:
        return "It does not resize a picture of height, width and channels."
    (h, w), (rows, columns) = source.shape[1:3], target.shape[1:3]
    if rows > RESIZE_MOST_FACTOR * h or columns > RESIZE_MOST_FACTOR * w:
        problem = f"more than {RESIZE_MOST_FACTOR} times"
    elif max(rows, columns) > RESIZE_MOST_PIXELS:
        problem = f"beyond {RESIZE_MOST_PIXELS} x {RESIZE_MOST_PIXELS}"
    else:
        return None
    return (
        f"It resizes {h} x {w} to {rows} x {columns}, {problem}: large ones are left to the CPU, "
        "which keeps their precision."
    )


def _softmax(graph: Graph, operator: Operator) -> str | None:
    source = graph.input(operator, 0)
    if source and prod(source.shape[:-1]) != 1:
        return f"Its input {source} is not one row of values, which alone is supported."
    if source and source.size > SOFTMAX_MOST:
        return f"It has {source.size:,} values; at most {SOFTMAX_MOST:,} are supported."
    return None


def _split(graph: Graph, operator: Operator) -> str | None:
    source, axis = graph.input(operator, 1), _values(graph, operator, 0)
    if source and len(source.shape) > 3 and axis[:1] in ((0,), (-len(source.shape),)):
        return "It splits the batch dimension, which the Edge TPU does not support."
    return None


def _strided_slice(graph: Graph, operator: Operator) -> str | None:
    strides = _values(graph, operator, 3)
    if any(stride != 1 for stride in strides):
        return f"Its strides are {list(strides)}; only strides of 1 are supported."
    for option, name in (("ellipsisMask", "an ellipsis"), ("newAxisMask", "a new axis")):
        if operator.option(option):
            return f"It has {name} in its mask, which the Edge TPU does not support."
    return None


_PLAIN = ("LOGISTIC", "TANH", "RELU", "RELU6")
_REDUCES = ("SUM", "REDUCE_MAX", "REDUCE_MIN")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_PLAIN, Rule(3)),
    **dict.fromkeys(("MAXIMUM", "MINIMUM", "ADD"), Rule(4)),
    **dict.fromkeys(("MUL", "SUB"), Rule(5)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), Rule(3, _no_fused_activation)),
    **dict.fromkeys(_REDUCES, Rule(3, _keeps_batch, settings=(1,))),
    **dict.fromkeys(
        ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), Rule(4, _resize, settings=(1,))
    ),
    "CONCATENATION": Rule(3, _concatenation),
    "CONV_2D": Rule(5, _same_dilation, activations=(0,), weights=(1,), bias=2),
    "DEPTHWISE_CONV_2D": Rule(6, _same_dilation, activations=(0,), weights=(1,), bias=2),
    "EXPAND_DIMS": Rule(1, settings=(1,)),
    "FULLY_CONNECTED": Rule(9, _fully_connected, activations=(0,), weights=(1,), bias=2),
    "L2_NORMALIZATION": Rule(2),
    "MEAN": Rule(3, _mean, settings=(1,)),
    "PACK": Rule(3, _pack),
    "PAD": Rule(4, _pad, settings=(1,)),
    "PRELU": Rule(1, _prelu, weights=(1,)),
    "QUANTIZE": Rule(2),
    "RELU_N1_TO_1": Rule(1),
    "RESHAPE": Rule(1, settings=(1,)),
    "RSQRT": Rule(2),
    "SLICE": Rule(5, settings=(1, 2)),
    "SOFTMAX": Rule(3, _softmax),
    "SPACE_TO_DEPTH": Rule(2),
    "SPLIT": Rule(4, _split, settings=(0,)),
    "SQUARED_DIFFERENCE": Rule(2),
    "SQUEEZE": Rule(2),
    "STRIDED_SLICE": Rule(6, _strided_slice, settings=(1, 2, 3)),
    "TRANSPOSE": Rule(5, settings=(1,)),
    "TRANSPOSE_CONV": Rule(3, activations=(2,), weights=(1,), bias=3, settings=(0,)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Rule(3, activations=(0,)),
}
"""Coral's table of supported operations, by TensorFlow Lite's names."""


def unsupported(graph: Graph, operator: Operator) -> str | None:
    """Why the Edge TPU cannot run the operator, as one sentence; None: it can."""
    if operator.custom:
        if operator.name == EDGETPU_OP:
            return None
        return f"{operator.name} is a custom operator, and the Edge TPU knows none."
    rule = RULES.get(operator.name)
    if rule is None:
        return f"{operator.name} is not among the operations that the Edge TPU supports."
    return (
        _wrong_type(graph, operator, rule)
        or _wrong_shape(graph, operator, rule)
        or _not_constant(graph, operator, rule)
        or rule.limit(graph, operator)
    )


def _wrong_type(graph: Graph, operator: Operator, rule: Rule) -> str | None:
    eight_bit = [*_activations(graph, operator, rule), *_at(graph, operator, rule.weights)]
    for tensor in eight_bit:
        if tensor.type not in EIGHT_BIT or not tensor.scales:
            return (
                f"It works on {tensor}, and the Edge TPU only on values quantized to int8 or uint8."
            )
    bias = None if rule.bias is None else graph.input(operator, rule.bias)
    if bias and bias.type != "int32":
        return f"Its bias is {bias}, and the Edge TPU takes only int32."
    return None


def _wrong_shape(graph: Graph, operator: Operator, rule: Rule) -> str | None:
    for tensor in _activations(graph, operator, rule):
        if prod(tensor.shape[:-3]) != 1:
            return (
                f"It works on {tensor}, of which more than the three innermost dimensions are "
                "larger than 1."
            )
    return None


def _not_constant(graph: Graph, operator: Operator, rule: Rule) -> str | None:
    bias = () if rule.bias is None else (rule.bias,)
    for tensor in _at(graph, operator, (*rule.weights, *bias)):
        if not tensor.constant:
            return f"Its weights or bias {tensor.name} are computed, and have to be constants."
    return None


def _activations(graph: Graph, operator: Operator, rule: Rule) -> list[Tensor]:
    """What flows through the operator: its inputs that are no weights or settings, its outputs."""
    positions = rule.activations
    if positions is None:
        others = {*rule.weights, *rule.settings, rule.bias}
        positions = tuple(i for i in range(len(operator.inputs)) if i not in others)
    outputs = [graph.tensors[index] for index in operator.outputs]
    return [*_at(graph, operator, positions), *outputs]


def _inputs(graph: Graph, operator: Operator) -> list[Tensor]:
    return _at(graph, operator, tuple(range(len(operator.inputs))))


def _at(graph: Graph, operator: Operator, positions: tuple[int, ...]) -> list[Tensor]:
    tensors = (graph.input(operator, position) for position in positions)
    return [tensor for tensor in tensors if tensor is not None]


def _values(graph: Graph, operator: Operator, position: int) -> tuple[int, ...]:
    """The constant at that input; empty where there is none."""
    tensor = graph.input(operator, position)
    values = None if tensor is None else tensor.values()
    return () if values is None else tuple(int(value) for value in values)


def _axes(graph: Graph, operator: Operator) -> set[int]:
    """The axes that a reduction works over, counted from 0."""
    source = graph.input(operator, 0)
    rank = len(source.shape) if source else 0
    return {axis % rank for axis in _values(graph, operator, 1)} if rank else set()


def _touches_batch(graph: Graph, operator: Operator) -> bool:
    # Of fewer than four dimensions all are within what the Edge TPU works on.
    source = graph.input(operator, 0)
    return source is not None and len(source.shape) > 3 and 0 in _axes(graph, operator)


def settings(graph: Graph, operator: Operator, rule: Rule) -> list[Tensor]:
    """The operator's shapes, axes and the like, as far as they are given as tensors."""
    return _at(graph, operator, rule.settings)
