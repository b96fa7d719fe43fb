"""Which version of an operator a model asks for, so that no runtime runs what it cannot.

A runtime that lacks a version says so; one that is asked for too old a version runs what it has,
which may be wrong. Quantization changes the types that operators work on, and with them the
version.

Source: tensorflow/lite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from model_export.flatbuffer import EditableModel, Node

_INT8 = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
    "FULLY_CONNECTED": 4,
    "LOGISTIC": 2,
    "MAXIMUM": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "RELU": 2,
    "RESIZE_BILINEAR": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "SOFTMAX": 2,
    "SPLIT": 2,
    "STRIDED_SLICE": 2,
    "SUB": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
}

# Float values and int8 weights; fully connected layers have one scale for all of their weights.
_DYNAMIC = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 3}

_FLOAT16_DEQUANTIZE = 3


def state_versions(model: EditableModel) -> None:
    """Raise the version of each operator to what its types need."""
    for node in model.nodes:
        model.raise_version(node, _version(model, node))


def _version(model: EditableModel, node: Node) -> int:
    if not node.inputs or node.inputs[0] < 0:
        return 1
    first = model.tensor_type(node.inputs[0])
    if node.name == "DEQUANTIZE" and first == "float16":
        return _FLOAT16_DEQUANTIZE
    if first in {"int8", "int16"}:
        return _INT8.get(node.name, 1)
    if node.weighted and model.tensor_type(node.inputs[1]) == "int8":
        return _DYNAMIC[node.name]
    return 1
