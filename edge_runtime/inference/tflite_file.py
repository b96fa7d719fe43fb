"""What a .tflite file says of itself, read without an interpreter.

The file is a FlatBuffer (https://flatbuffers.dev/internals/) of TensorFlow Lite's schema
(tensorflow/lite/schema/schema.fbs); its metadata is a FlatBuffer of TensorFlow Lite Support's
metadata_schema.fbs. Only plain bounds-checked reads are done, so that a damaged file ends in an
error and nothing worse.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.inference.engine import ModelError

EDGETPU_OP = "edgetpu-custom-op"
DETECTION_OP = "TFLite_Detection_PostProcess"

# Numbers of schema.fbs, enum BuiltinOperator.
_DEQUANTIZE, _LOGISTIC, _RESHAPE, _SOFTMAX, _QUANTIZE = 6, 14, 22, 25, 114
_PASSES_ON = frozenset({_DEQUANTIZE, _RESHAPE, _QUANTIZE})
_MAKES_SCORES = frozenset({_LOGISTIC, _SOFTMAX})


@dataclass(frozen=True, slots=True)
class DetectionOp:
    """Where the outputs of TFLite_Detection_PostProcess stand among the model's outputs.

    Attributes:
        boxes, classes, scores, count: indexes of the model's outputs.
        class_count: how many classes the model tells apart, the background not counted.
    """

    boxes: int
    classes: int
    scores: int
    count: int
    class_count: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A .tflite file that is whole, as far as can be seen without running it.

    Attributes:
        path: where it is.
        sha256: of all its bytes, in hexadecimal.
        custom_ops: the names of the operators that are not TensorFlow Lite's own.
        detection: the detection operator, where it has one.
        scores: for each output whether a softmax or logistic operator makes it.
        version: the version that its metadata states, or "".
        input_range: the real values of a pixel of 0 and of 255, where the metadata state them.
    """

    path: Path
    sha256: str
    custom_ops: frozenset[str]
    detection: DetectionOp | None
    scores: tuple[bool, ...]
    version: str
    input_range: tuple[float, float] | None

    @property
    def for_edgetpu(self) -> bool:
        """Whether the Edge TPU's compiler made it, so that no CPU can run it."""
        return EDGETPU_OP in self.custom_ops


def read(path: Path) -> ModelFile:
    """Check the file as far as that can be done without running it.

    Raises:
        ModelError: it is missing, a directory, unreadable, not TFLite, or cut short.
    """
    content = _content(path)
    try:
        return _parse(path, content)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ModelError(
            f"model {path} is damaged or cut short ({len(content)} bytes): copy it again"
        ) from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"model {path} does not exist") from error
    except IsADirectoryError as error:
        raise ModelError(f"model {path} is a directory: name the .tflite file in it") from error
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from error
    if content[4:8] != b"TFL3":
        raise ModelError(
            f"model {path} is not a TFLite model: 'TFL3' is missing at its fifth byte"
            if content
            else f"model {path} is empty"
        )
    return content


@dataclass(frozen=True, slots=True)
class _Table:
    """A FlatBuffer table; fields are numbered as in the schema, from 0."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, _u32(data, 0))

    def _field(self, number: int) -> int | None:
        vtable = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if vtable < 0:
            raise IndexError(vtable)
        slot = 4 + 2 * number
        if slot >= struct.unpack_from("<H", self.data, vtable)[0]:
            return None
        offset: int = struct.unpack_from("<H", self.data, vtable + slot)[0]
        return self.at + offset if offset else None

    def number(self, number: int, code: str = "<i", default: int = 0) -> int:
        at = self._field(number)
        return default if at is None else int(struct.unpack_from(code, self.data, at)[0])

    def table(self, number: int) -> _Table | None:
        at = self._field(number)
        return None if at is None else _Table(self.data, at + _u32(self.data, at))

    def _vector(self, number: int, item_size: int) -> tuple[int, int]:
        """Where the items begin, and how many there are."""
        at = self._field(number)
        if at is None:
            return 0, 0
        at += _u32(self.data, at)
        length = _u32(self.data, at)
        if at + 4 + length * item_size > len(self.data):
            raise IndexError(at)
        return at + 4, length

    def tables(self, number: int) -> list[_Table]:
        at, length = self._vector(number, 4)
        places = range(at, at + 4 * length, 4)
        return [_Table(self.data, place + _u32(self.data, place)) for place in places]

    def numbers(self, number: int, code: str = "i") -> tuple[float, ...]:
        at, length = self._vector(number, 4)
        return struct.unpack_from(f"<{length}{code}", self.data, at)

    def integers(self, number: int) -> tuple[int, ...]:
        return tuple(int(value) for value in self.numbers(number))

    def bytes(self, number: int) -> bytes:
        at, length = self._vector(number, 1)
        return self.data[at : at + length]

    def text(self, number: int) -> str:
        return self.bytes(number).decode()


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


# Field numbers of schema.fbs.
_MODEL_OPERATOR_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS, _MODEL_METADATA = 1, 2, 4, 6
_CODE_DEPRECATED, _CODE_CUSTOM, _CODE_BUILTIN = 0, 1, 3
_GRAPH_TENSORS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 2, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_TENSOR_SHAPE, _BUFFER_DATA, _METADATA_NAME, _METADATA_BUFFER = 0, 0, 0, 1


def _parse(path: Path, content: bytes) -> ModelFile:
    model = _Table.root(content)
    # Reading them all shows whether the file ends before its weights do.
    buffers = [buffer.bytes(_BUFFER_DATA) for buffer in model.tables(_MODEL_BUFFERS)]
    graph = model.tables(_MODEL_SUBGRAPHS)[0]
    operators = [_Operator.of(model, table) for table in graph.tables(_GRAPH_OPERATORS)]
    outputs = graph.integers(_GRAPH_OUTPUTS)
    metadata = _metadata(model, buffers)
    return ModelFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        custom_ops=frozenset(op.custom for op in operators if op.custom),
        detection=_detection(graph, operators, outputs),
        scores=tuple(_is_score(tensor, operators) for tensor in outputs),
        version=metadata.text(2) if metadata else "",
        input_range=_input_range(path, metadata) if metadata else None,
    )


@dataclass(frozen=True, slots=True)
class _Operator:
    builtin: int
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, model: _Table, table: _Table) -> _Operator:
        code = model.tables(_MODEL_OPERATOR_CODES)[table.number(_OPERATOR_CODE, "<I")]
        return cls(
            # Codes above 127 are in the newer field only, those below may be in either.
            builtin=max(code.number(_CODE_DEPRECATED, "<b"), code.number(_CODE_BUILTIN)),
            custom=code.text(_CODE_CUSTOM),
            inputs=table.integers(_OPERATOR_INPUTS),
            outputs=table.integers(_OPERATOR_OUTPUTS),
        )


def _detection(
    graph: _Table, operators: list[_Operator], outputs: tuple[int, ...]
) -> DetectionOp | None:
    for op in operators:
        if op.custom == DETECTION_OP and set(op.outputs[:4]) <= set(outputs):
            boxes, classes, scores, count = (outputs.index(tensor) for tensor in op.outputs[:4])
            # The second input is the score of each anchor for each class and the background.
            per_anchor = graph.tables(_GRAPH_TENSORS)[op.inputs[1]].integers(_TENSOR_SHAPE)
            return DetectionOp(boxes, classes, scores, count, per_anchor[-1] - 1)
    return None


def _is_score(tensor: int, operators: list[_Operator]) -> bool:
    """Whether softmax or logistic makes `tensor`, looked at through what only passes it on."""
    for op in reversed(operators):
        if tensor in op.outputs:
            if op.builtin in _PASSES_ON and not op.custom:
                tensor = op.inputs[0]
                continue
            return op.builtin in _MAKES_SCORES
    return False


def _metadata(model: _Table, buffers: list[bytes]) -> _Table | None:
    for entry in model.tables(_MODEL_METADATA):
        if entry.text(_METADATA_NAME) == "TFLITE_METADATA":
            return _Table.root(buffers[entry.number(_METADATA_BUFFER, "<I")])
    return None


def _input_range(path: Path, metadata: _Table) -> tuple[float, float] | None:
    """Source: metadata_schema.fbs, NormalizationOptions: real = (pixel - mean) / std."""
    for mean, std in _normalizations(metadata):
        if len(set(mean)) != 1 or len(set(std)) != 1 or not std[0]:
            raise ModelError(
                f"model {path} states normalisation by mean {list(mean)} and std {list(std)}: "
                "one mean and one std for all channels is what can be done"
            )
        return -mean[0] / std[0], (255 - mean[0]) / std[0]
    return None


def _normalizations(metadata: _Table) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    subgraphs = 3
    input_tensors = 2
    process_units = 4
    options_type, options, normalization = 0, 1, 1
    for subgraph in metadata.tables(subgraphs)[:1]:
        for tensor in subgraph.tables(input_tensors)[:1]:
            for unit in tensor.tables(process_units):
                table = unit.table(options)
                if unit.number(options_type, "<B") == normalization and table:
                    yield table.numbers(0, "f"), table.numbers(1, "f")
