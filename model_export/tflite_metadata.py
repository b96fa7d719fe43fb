"""Standard TFLite Model Metadata: what lets MediaPipe Tasks and others load a model as it is.

The metadata are a FlatBuffer of their own in one of the model's buffers, and the labels a file in
a zip that follows the model's last byte. Interpreters look at neither.
Sources: metadata_schema.fbs 1.5.0 of TensorFlow Lite Support; names and properties as MediaPipe's
object_detector_graph.cc and classification_postprocessing_graph.cc ask for them.
"""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.tflite_file import DETECTION_OP
from model_export.errors import ExportError

LABELS_FILE = "labels.txt"
BUFFER_NAME = b"TFLITE_METADATA"

_MODEL_ID, _METADATA_ID = b"TFL3", b"M001"
_PARSER_VERSION = "1.2.0"  # the first with tensor groups, the newest thing that is written here
_BUFFER_ALIGNMENT = 16  # schema.fbs, table Buffer: force_align

# Numbers of metadata_schema.fbs: enums, and members of unions.
_TENSOR_AXIS_LABELS, _TENSOR_VALUE_LABELS = 2, 3
_RGB, _GREYSCALE = 1, 2
_BOUNDARIES, _RATIO = 1, 0
_FEATURE, _IMAGE, _BOUNDING_BOX = 1, 2, 3
_NORMALIZATION = 1

_DETECTION_NAMES = ("location", "category", "score", "number of detections")


class MetadataError(ExportError):
    """Metadata that cannot be written for this model."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the metadata say of a model.

    Attributes:
        name: the model's name.
        version: its version.
        text: what it does, in a sentence.
        licence: its licence; "": not stated.
        labels: the class names.
        kind: of its outputs, as edge_runtime.inference.outputs calls it. Of ``ssd`` and
            ``classifier`` it is said what each output means; nothing else reads other kinds.
        pixel_range: the real values of a pixel of 0 and of 255; None: as the input's quantization
            has it for pixels that are taken as they are.
    """

    name: str
    version: str
    text: str
    labels: tuple[str, ...]
    kind: str
    pixel_range: tuple[float, float] | None = None
    licence: str = ""


def write(content: bytes, description: Description) -> bytes:
    """The model `content` with metadata and labels; what it had of either is replaced.

    Weights and operators stay what they are.

    Raises:
        MetadataError: the model's input or outputs are not of the kind that is described.
    """
    model = _unpack(content)
    graph = model.subgraphs[0]
    metadata = _Metadata(graph, description).content(_output_names(model, description))
    _set_metadata(model, metadata)
    labels = "".join(f"{label}\n" for label in description.labels)
    return _with_file(_pack(model), LABELS_FILE, labels.encode())


def associated_files(content: bytes) -> dict[str, bytes]:
    """The files that follow a model, by name; none for a model without metadata."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


def with_uint8_interface(content: bytes) -> bytes:
    """The model with uint8 in the place of int8 at its inputs and outputs.

    MediaPipe Tasks feed pixels to uint8 and float32 only. A QUANTIZE operator at each end adds
    128 and changes no answer. Metadata have to be written anew.
    """
    model = _unpack(content)
    graph = model.subgraphs[0]
    code = _quantize_code(model)
    shifted = {
        int(index): _add_uint8(graph, index)
        for index in (*graph.inputs, *graph.outputs)
        if graph.tensors[index].type == schema.TensorType.INT8
    }
    before = [_operator(code, shifted[i], i) for i in graph.inputs if i in shifted]
    after = [_operator(code, i, shifted[i]) for i in graph.outputs if i in shifted]
    graph.operators = [*before, *graph.operators, *after]
    graph.inputs = [shifted.get(i, i) for i in graph.inputs]
    graph.outputs = [shifted.get(i, i) for i in graph.outputs]
    for signature in model.signatureDefs or ():
        for tensor in (*signature.inputs, *signature.outputs):
            tensor.tensorIndex = shifted.get(tensor.tensorIndex, tensor.tensorIndex)
    return _pack(model)


def _quantize_code(model: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2  # the first that goes from int8 to uint8 and back
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _add_uint8(graph: Any, index: int) -> int:
    """A tensor with the same real values as the int8 tensor `index`."""
    tensor = copy.deepcopy(graph.tensors[index])
    tensor.name += b"_uint8"
    tensor.type = schema.TensorType.UINT8
    tensor.buffer = 0  # by the schema the empty one: the values are computed
    tensor.quantization.zeroPoint = [int(zero) + 128 for zero in tensor.quantization.zeroPoint]
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(code: int, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


# Reading and writing a model


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer that is aligned as the schema asks for; the generated code does not do that."""

    def Pack(self, builder: Any) -> int:  # noqa: N802  # the generated name
        data = np.frombuffer(bytes(self.data), np.uint8)
        builder.StartVector(1, len(data), _BUFFER_ALIGNMENT)
        builder.head = builder.Head() - len(data)
        builder.Bytes[builder.Head() : builder.Head() + len(data)] = data.tobytes()
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def _unpack(content: bytes) -> Any:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise MetadataError("a model with weights outside of its FlatBuffer is too large for this")
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data):
            buffer.__class__ = _AlignedBuffer
    return model


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _MODEL_ID)
    return bytes(builder.Output())


def _set_metadata(model: Any, content: bytes) -> None:
    buffer = _AlignedBuffer(data=content)
    entries = [entry for entry in model.metadata or () if entry.name == BUFFER_NAME]
    if entries:
        model.buffers[entries[0].buffer] = buffer
        return
    model.buffers.append(buffer)
    entry = schema.MetadataT(name=BUFFER_NAME, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or ()), entry]


def _with_file(model: bytes, name: str, content: bytes) -> bytes:
    """`model` with a zip behind it, whose offsets count from the model's first byte."""
    buffer = io.BytesIO()
    buffer.write(model)
    with zipfile.ZipFile(buffer, "a") as archive:
        # With a fixed date, so that the same model gives the same bytes.
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


# The metadata


def _output_names(model: Any, description: Description) -> tuple[str, ...]:
    """The name that tells what it is for each output, in the model's order.

    Raises:
        MetadataError: they are not of the described kind.
    """
    graph = model.subgraphs[0]
    outputs = [int(index) for index in graph.outputs]
    if description.kind == "classifier":
        if len(outputs) != 1:
            raise MetadataError(f"a classifier has one output, and this model has {len(outputs)}")
        return ("probability",)
    if description.kind == "ssd":
        if len(outputs) != 4:
            raise MetadataError(
                f"an SSD detector has four outputs, and this model has {len(outputs)}"
            )
        order = _detection_outputs(model) or outputs
        return tuple(_DETECTION_NAMES[order.index(index)] for index in outputs)
    return tuple(graph.tensors[index].name.decode() for index in outputs)


def _detection_outputs(model: Any) -> list[int] | None:
    """The tensors of boxes, classes, scores and count, where an operator of the model says so."""
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if code.customCode == DETECTION_OP.encode():
            tensors = [int(index) for index in operator.outputs[:4]]
            if set(tensors) == set(map(int, model.subgraphs[0].outputs)):
                return tensors
    return None


class _Metadata:
    """Builds the FlatBuffer of a ModelMetadata; fields are numbered as in the schema."""

    def __init__(self, graph: Any, description: Description) -> None:
        self._graph = graph
        self._about = description
        self._builder: Any = flatbuffers.Builder(1 << 12)

    def content(self, output_names: Sequence[str]) -> bytes:
        """The metadata; `output_names` says what each output is."""
        about = self._about
        inputs = self._vector([self._input()])
        outputs = self._vector([self._output(name) for name in output_names])
        subgraph = {2: inputs, 3: outputs}
        if set(output_names) == set(_DETECTION_NAMES):
            grouped = self._vector([self._text(name) for name in _DETECTION_NAMES[:3]])
            group = self._table(2, {0: self._text("detection_result"), 1: grouped})
            subgraph[8] = self._vector([group])
        elif about.kind != "classifier":
            subgraph[4] = self._vector([self._labels(_TENSOR_AXIS_LABELS)])
        fields = {
            0: self._text(about.name),
            1: self._text(about.text),
            2: self._text(about.version),
            3: self._vector([self._table(10, subgraph)]),
            7: self._text(_PARSER_VERSION),
        }
        if about.licence:
            fields[5] = self._text(about.licence)
        self._builder.Finish(self._table(8, fields), _METADATA_ID)
        return bytes(self._builder.Output())

    def _input(self) -> int:
        tensor = self._graph.tensors[self._graph.inputs[0]]
        low, high = self._about.pixel_range or _quantized_range(tensor)
        std = 255 / (high - low)
        options = self._table(2, {0: self._floats([(0 - low) * std]), 1: self._floats([std])})
        unit = self._table(2, {1: options}, {0: _NORMALIZATION})
        colours = _GREYSCALE if tensor.shape[-1] == 1 else _RGB
        image = self._table(2, {}, {0: colours})
        return self._tensor("image", self._content(_IMAGE, image), {4: self._vector([unit])})

    def _output(self, name: str) -> int:
        feature = self._content(_FEATURE, self._table(0, {}))
        if name == "probability":
            return self._tensor(
                name, feature, {6: self._vector([self._labels(_TENSOR_AXIS_LABELS)])}
            )
        if name == "category":
            return self._tensor(
                name, feature, {6: self._vector([self._labels(_TENSOR_VALUE_LABELS)])}
            )
        if name == "location":
            # Where left, top, right and bottom stand in (ymin, xmin, ymax, xmax).
            index = self._builder.CreateNumpyVector(np.array([1, 0, 3, 2], np.uint32))
            box = self._table(3, {0: index}, {1: _BOUNDARIES, 2: _RATIO})
            return self._tensor(name, self._content(_BOUNDING_BOX, box))
        return self._tensor(name, feature)

    def _tensor(self, name: str, content: int, more: Mapping[int, int] | None = None) -> int:
        return self._table(7, {0: self._text(name), 3: content, **(more or {})})

    def _content(self, kind: int, properties: int) -> int:
        return self._table(3, {1: properties}, {0: kind})

    def _labels(self, kind: int) -> int:
        return self._table(5, {0: self._text(LABELS_FILE)}, {2: kind})

    def _text(self, text: str) -> int:
        return int(self._builder.CreateString(text))

    def _floats(self, values: Sequence[float]) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, np.float32)))

    def _vector(self, tables: Sequence[int]) -> int:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return int(self._builder.EndVector())

    def _table(
        self, slots: int, objects: Mapping[int, int], enums: Mapping[int, int] | None = None
    ) -> int:
        """A table of `slots` fields: other objects by their offsets, and enums of one byte."""
        self._builder.StartObject(slots)
        for slot, offset in objects.items():
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, value in (enums or {}).items():
            self._builder.PrependUint8Slot(slot, value, 0)
        return int(self._builder.EndObject())


def _quantized_range(tensor: Any) -> tuple[float, float]:
    """The real values of the pixels 0 and 255 where pixels are taken as they are."""
    quantization = tensor.quantization
    if tensor.type == schema.TensorType.FLOAT32:
        raise MetadataError(
            "the model takes float32, and nothing says which values it expects: "
            "give the range that it was trained with, as [-1, 1]"
        )
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return 0.0, 255.0
    least = -128 if tensor.type == schema.TensorType.INT8 else 0
    scale, zero = float(quantization.scale[0]), int(quantization.zeroPoint[0])
    return scale * (least - zero), scale * (least + 255 - zero)
