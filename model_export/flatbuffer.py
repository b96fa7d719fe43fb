"""A .tflite model that can be changed: its operators, and the numbers in its weights.

`tflite_graph` reads models of every kind to look at them. This is for the float models that are
about to be quantized, and for what was just made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ExportError

Floats = NDArray[np.float32]

CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""Operators with weights, and the axis of their weights that runs over the output's channels."""

SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator of the main graph.

    Attributes:
        name: ``CONV_2D`` ...; "" for a custom operator.
        inputs, outputs: indexes of tensors; -1 is an input that is left out.
        activation: the activation that is fused into it, 0: none, 1: ReLU (enum
            ActivationFunctionType of schema.fbs).
        code: the index of its operator code.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: int
    code: int

    @property
    def weighted(self) -> bool:
        """Whether it has weights and a bias of the usual layout."""
        return self.name in CHANNEL_AXIS and len(self.inputs) == 3 and self.inputs[2] >= 0


class EditableModel:
    """A model with one graph, unpacked.

    Args:
        content: a .tflite file that `edge_runtime.inference.tflite_file` found whole.

    Raises:
        ExportError: it has several graphs, or several inputs.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
        if len(self._model.subgraphs) != 1:
            raise ExportError(
                f"the model has {len(self._model.subgraphs)} graphs: "
                "only one without control flow can be quantized"
            )
        for buffer in self._model.buffers:
            _take_in(buffer, content)
        self._graph: Any = self._model.subgraphs[0]
        self._users: dict[int, int] = {}
        for tensor in self._graph.tensors:
            self._users[tensor.buffer] = self._users.get(tensor.buffer, 0) + 1

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The operators in the order in which they run."""
        return tuple(map(self._node, self._graph.operators))

    @property
    def inputs(self) -> tuple[int, ...]:
        """The indexes of the tensors that go in."""
        return tuple(map(int, self._graph.inputs))

    @property
    def outputs(self) -> tuple[int, ...]:
        """The indexes of the tensors that come out."""
        return tuple(map(int, self._graph.outputs))

    def tensor_name(self, index: int) -> str:
        """What the converter called it."""
        name: bytes = self._graph.tensors[index].name
        return name.decode()

    def tensor_shape(self, index: int) -> tuple[int, ...]:
        """All dimensions, the batch included."""
        return _integers(self._graph.tensors[index].shape)

    def tensor_type(self, index: int) -> str:
        """``float32``, ``int8`` ..."""
        return _names("TensorType")[int(self._graph.tensors[index].type)].lower()

    def quantized(self) -> bool:
        """Whether any tensor is: of 8 or 16 bits, weights included."""
        narrow = {"int8", "uint8", "int16", "float16", "int4"}
        return any(self.tensor_type(index) in narrow for index in range(len(self._graph.tensors)))

    def readers(self, tensor: int) -> tuple[Node, ...]:
        """The operators that read the tensor."""
        return tuple(node for node in self.nodes if tensor in node.inputs)

    def constant(self, tensor: int) -> Floats | None:
        """The float values of a constant, to be changed in place; None where there are none.

        Nor are there any where several tensors share them: a change would reach too far.
        """
        found = self._graph.tensors[tensor]
        buffer = self._model.buffers[found.buffer]
        if self.tensor_type(tensor) != "float32" or buffer.data is None or not len(buffer.data):
            return None
        if self._users[found.buffer] > 1 or len(self.readers(tensor)) > 1:
            return None
        if not (isinstance(buffer.data, np.ndarray) and buffer.data.flags.writeable):
            buffer.data = np.array(buffer.data, np.uint8)
        values: Floats = buffer.data.view(np.float32).reshape(tuple(found.shape))
        return values

    def by_channel(self, node: Node) -> Floats | None:
        """The weights of a weighted operator as C x rest, to be changed in place, or None."""
        weights = self.constant(node.inputs[1])
        return None if weights is None else np.moveaxis(weights, CHANNEL_AXIS[node.name], 0)

    def sign(self) -> None:
        """Give it the signature that tools ask for, where it has none."""
        from ai_edge_litert import schema_py_generated as schema

        if self._model.signatureDefs:
            return
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
        signature.inputs = [_entry(f"input_{n}", at) for n, at in enumerate(self.inputs)]
        signature.outputs = [_entry(f"output_{n}", at) for n, at in enumerate(self.outputs)]
        self._model.signatureDefs = [signature]

    def raise_version(self, node: Node, version: int) -> None:
        """State that the node needs `version` of its operator, where it does not need a later."""
        code = self._model.operatorCodes[node.code]
        code.version = max(int(code.version), version)

    def pack(self) -> bytes:
        """The model as a file."""
        builder = _sharing_builder()
        plain = self._model.buffers
        self._model.buffers = [_AlignedBuffer(buffer.data) for buffer in plain]
        builder.Finish(self._model.Pack(builder), b"TFL3")
        self._model.buffers = plain
        return bytes(builder.Output())

    def _node(self, operator: Any) -> Node:
        code = self._model.operatorCodes[operator.opcodeIndex]
        # Codes above 127 are in the newer field only, those below may be in either.
        number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
        return Node(
            name="" if code.customCode else _names("BuiltinOperator")[number],
            inputs=_integers(operator.inputs),
            outputs=_integers(operator.outputs),
            activation=int(getattr(operator.builtinOptions, "fusedActivationFunction", 0)),
            code=int(operator.opcodeIndex),
        )


def _sharing_builder() -> Any:
    """A builder that writes equal vectors once, which the format allows: several may refer to one.

    A tenth of a quantized MobileNet are zero points, eight bytes a channel, and all of them zero.
    """
    import flatbuffers

    class Sharing(flatbuffers.Builder):  # type: ignore[misc]  # which ships no types
        def __init__(self) -> None:
            super().__init__(1 << 20)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 - the name that it overrides
            key = x.dtype.str, x.tobytes()
            if key not in self._written:
                self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

    return Sharing()


@dataclass(frozen=True, slots=True, eq=False)
class _AlignedBuffer:
    """A buffer whose data begins at a multiple of 16, as the schema asks for.

    The generated class ignores that, and a processor can be slow or fail on what stands elsewhere.
    """

    data: Any

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that the generated classes call
        from ai_edge_litert import schema_py_generated as schema

        data = None
        if self.data is not None and len(self.data):
            content = np.asarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(content), 16)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        packed: int = schema.BufferEnd(builder)
        return packed


def _take_in(buffer: Any, content: bytes) -> None:
    """Bring data that stands behind the flatbuffer into it, where every reader finds it."""
    if buffer.offset > 1:  # 0 and 1 say that there is none
        buffer.data = np.frombuffer(content, np.uint8, int(buffer.size), int(buffer.offset))
        buffer.offset = buffer.size = 0


def weighted(model: EditableModel) -> Iterator[tuple[Node, Floats, Floats]]:
    """Each weighted operator with its weights (C x rest) and bias (C), to be changed in place."""
    for node in model.nodes:
        if node.weighted:
            weights, bias = model.by_channel(node), model.constant(node.inputs[2])
            if weights is not None and bias is not None:
                yield node, weights, bias


def _entry(name: str, tensor: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), tensor
    return entry


def _integers(vector: Any) -> tuple[int, ...]:
    return () if vector is None else tuple(map(int, vector))


@cache
def _names(enum: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    values = vars(getattr(schema, enum))
    return {number: name for name, number in values.items() if not name.startswith("_")}
