"""A .tflite file's graph as plain values: tensors, operators, and what their constants hold.

Source: tensorflow/lite/schema/schema.fbs, read by the classes that ai-edge-litert generates from
it. Those trust the file, so `edge_runtime.inference.tflite_file` has to find it whole first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.tflite_file import ModelFile
from model_export.errors import ExportError

_NUMPY = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint64": np.uint64,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "uint8": np.uint8,
    "bool": np.bool_,
}

FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})
EIGHT_BIT = frozenset({"int8", "uint8"})

UNPACKS = frozenset({"DEQUANTIZE", "DENSIFY"})
"""Operators that, behind a constant, only unpack what it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor of a graph.

    Attributes:
        name, shape, type: as the file has them; the type in small letters, ``int8``.
        scales, zero_points: its quantization, one value or one a channel; empty: none.
        signature: the shape with -1 for each dimension that a caller may choose.
        data: the bytes of a constant; None where the value is computed or given.
        buffer: which of the file's buffers that is: tensors can share one.
        sparse: whether only the values that are not zero are stored.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    signature: tuple[int, ...]
    data: NDArray[np.uint8] | None
    buffer: int
    sparse: bool

    @property
    def constant(self) -> bool:
        """Whether its value stands in the file."""
        return self.data is not None

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)

    @property
    def is_parameter(self) -> bool:
        """Whether it is a weight or a bias: shapes and axes are neither float nor quantized."""
        return self.constant and (self.type in FLOATS or bool(self.scales))

    def values(self) -> NDArray[Any] | None:
        """The stored values in their own type, flat; None where numpy has no such type."""
        dtype = _NUMPY.get(self.type)
        if self.data is None or dtype is None or self.data.nbytes % np.dtype(dtype).itemsize:
            return None
        return self.data.view(dtype)

    def zeros(self) -> int:
        """How many of its values stand for 0, those that are left out included."""
        values = self.values()
        if values is None:
            return 0
        zero_points = np.asarray(self.zero_points or (0,))
        zero = int(zero_points[0]) if len(set(zero_points.tolist())) == 1 else 0
        return self.size - int(np.count_nonzero(values != zero))

    def __str__(self) -> str:
        return f"{self.type}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operator of a graph.

    Attributes:
        index: its place in the order of execution.
        name: ``CONV_2D``, or what a custom operator calls itself.
        version: of the operator, from 1.
        custom: whether it is not TensorFlow Lite's own.
        inputs, outputs: indexes into the graph's tensors; -1 is an input that is left out.
        options: by the names of the schema, ``stride_w`` as ``strideW``; empty where there are
            none.
    """

    index: int
    name: str
    version: int
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]

    def option(self, name: str) -> int:
        """The value of a numeric option, 0 where it is not stated, as in the schema."""
        return int(self.options.get(name) or 0)


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The computation of a model.

    Attributes:
        tensors: all, constants included.
        operators: in the order in which they run.
        inputs, outputs: indexes into `tensors`.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def input(self, operator: Operator, position: int) -> Tensor | None:
        """The tensor at `position` of the operator's inputs; None where it is left out."""
        if position >= len(operator.inputs) or operator.inputs[position] < 0:
            return None
        return self.tensors[operator.inputs[position]]

    def output(self, operator: Operator) -> Tensor | None:
        """The operator's first output."""
        return self.tensors[operator.outputs[0]] if operator.outputs else None

    def stored(self, operator: Operator, position: int) -> Tensor | None:
        """The constant behind an input, looked at through what only unpacks it."""
        tensor = self.input(operator, position)
        while tensor is not None and not tensor.constant:
            index = operator.inputs[position]
            makers = (op for op in self.operators if index in op.outputs and op.name in UNPACKS)
            maker = next(makers, None)
            if maker is None or maker is operator:
                return None
            operator, position = maker, 0
            tensor = self.input(operator, position)
        return tensor


@dataclass(frozen=True, slots=True, eq=False)
class TfliteModel:
    """A .tflite file, read.

    Attributes:
        file: what `edge_runtime` knows of it: path, hash, custom operators, metadata.
        bytes: its size.
        description: what the converter wrote about itself.
        graphs: the main one first.
    """

    file: ModelFile
    bytes: int
    description: str
    graphs: tuple[Graph, ...]

    @property
    def graph(self) -> Graph:
        """The main graph."""
        return self.graphs[0]

    def parameters(self) -> Iterator[Tensor]:
        """All weights and biases; one that several tensors share comes once."""
        seen: set[int] = set()
        for graph in self.graphs:
            for tensor in graph.tensors:
                if tensor.is_parameter and tensor.buffer not in seen:
                    seen.add(tensor.buffer)
                    yield tensor


def read(path: Path) -> TfliteModel:
    """Read the file.

    Raises:
        ModelError: it is missing, unreadable, not TFLite, or damaged.
        ExportError: ai-edge-litert is not installed.
    """
    file = tflite_file.read(path)
    content = path.read_bytes()
    try:
        return _model(file, content)
    # What the generated classes raise on a file whose bytes were changed.
    except (struct.error, TypeError, ValueError, LookupError, AttributeError) as error:
        raise ModelError(
            f"model {path} is damaged or cut short ({len(content)} bytes): copy it again"
        ) from error


def _model(file: ModelFile, content: bytes) -> TfliteModel:
    model = _schema().ModelT.InitFromPackedBuf(content, 0)
    buffers = [_bytes(buffer.data) for buffer in model.buffers or ()]
    codes = [_code(code) for code in model.operatorCodes or ()]
    return TfliteModel(
        file=file,
        bytes=len(content),
        description=_text(model.description),
        graphs=tuple(_graph(graph, codes, buffers) for graph in model.subgraphs),
    )


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError as error:
        raise ExportError(
            "ai-edge-litert is not installed, and without it no model can be looked into: "
            "pip install 'edge-runtime[export]'"
        ) from error
    return schema_py_generated


@dataclass(frozen=True, slots=True)
class _Code:
    name: str
    version: int
    custom: bool


def _code(code: Any) -> _Code:
    if code.customCode is not None:
        return _Code(_text(code.customCode), int(code.version), True)
    # Codes above 127 are in the newer field only, those below may be in either.
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    return _Code(_operator_names()[number], int(code.version), False)


def _graph(graph: Any, codes: list[_Code], buffers: list[NDArray[np.uint8]]) -> Graph:
    tensors = tuple(_tensor(tensor, buffers) for tensor in graph.tensors)
    operators = tuple(
        _operator(index, operator, codes) for index, operator in enumerate(graph.operators or ())
    )
    inputs, outputs = _integers(graph.inputs), _integers(graph.outputs)
    used = {*inputs, *outputs}.union(*({*op.inputs, *op.outputs} for op in operators))
    if used and not -1 <= min(used) <= max(used) < len(tensors):
        raise IndexError(max(used))
    return Graph(tensors, operators, inputs, outputs)


def _tensor(tensor: Any, buffers: list[NDArray[np.uint8]]) -> Tensor:
    # By convention the first buffer is empty; a model without constants may even lack it.
    data = buffers[tensor.buffer] if tensor.buffer else np.empty(0, np.uint8)
    quantization = tensor.quantization
    shape = _integers(tensor.shape)
    scales = () if quantization is None or quantization.scale is None else quantization.scale
    zeros = () if quantization is None or quantization.zeroPoint is None else quantization.zeroPoint
    return Tensor(
        name=_text(tensor.name),
        shape=shape,
        type=_type_names()[int(tensor.type)],
        scales=tuple(float(scale) for scale in scales),
        zero_points=tuple(int(zero) for zero in zeros),
        signature=_integers(tensor.shapeSignature) or shape,
        data=data if len(data) else None,
        buffer=int(tensor.buffer),
        sparse=tensor.sparsity is not None,
    )


def _operator(index: int, operator: Any, codes: list[_Code]) -> Operator:
    code = codes[operator.opcodeIndex]
    return Operator(
        index=index,
        name=code.name,
        version=code.version,
        custom=code.custom,
        inputs=_integers(operator.inputs),
        outputs=_integers(operator.outputs),
        options=vars(operator.builtinOptions) if operator.builtinOptions else {},
    )


def _bytes(data: Any) -> NDArray[np.uint8]:
    return np.empty(0, np.uint8) if data is None else np.asarray(data, np.uint8)


def _integers(vector: Any) -> tuple[int, ...]:
    return () if vector is None else tuple(int(value) for value in vector)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


@cache
def _operator_names() -> Mapping[int, str]:
    return _names(_schema().BuiltinOperator)


@cache
def _type_names() -> Mapping[int, str]:
    return {number: name.lower() for number, name in _names(_schema().TensorType).items()}


def _names(enum: type) -> dict[int, str]:
    return {number: name for name, number in vars(enum).items() if not name.startswith("_")}
