"""Small .tflite models, written operator by operator."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model_export.observation import Inputs


def dead_channel(bias: float) -> tuple[bytes, Inputs]:
    """One 1 x 1 convolution of three channels to four, the last all zeros but for its bias."""
    weights = np.random.default_rng(0).normal(size=(4, 1, 1, 3)).astype(np.float32)
    weights[3] = 0
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT(), _buffer(weights), _buffer(np.array([0, 0, 0, bias]))]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    model.operatorCodes = [code]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("picture", (1, 8, 8, 3), 0),
        _tensor("weights", weights.shape, 1),
        _tensor("bias", (4,), 2),
        _tensor("found", (1, 8, 8, 4), 0),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = schema.Conv2DOptionsT()
    operator.builtinOptions.strideW = operator.builtinOptions.strideH = 1
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    model.subgraphs = [graph]
    pictures = np.random.default_rng(1).random((20, 8, 8, 3)).astype(np.float32)
    return _packed(model), pictures


def two_graphs() -> bytes:
    content, _ = dead_channel(1)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.subgraphs = [model.subgraphs[0], model.subgraphs[0]]
    return _packed(model)


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(values: Any) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.asarray(values, np.float32).ravel().view(np.uint8)
    return buffer


def _tensor(name: str, shape: tuple[int, ...], buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor
