"""The end of a detector: TFLite_Detection_PostProcess, put behind the boxes and scores of a file.

The operator decodes boxes, leaves out what scores low and what overlaps with better ones, and gives
boxes, classes, scores and their count: what all readers of TFLite detectors know.

Source: tensorflow/lite/kernels/detection_postprocess.cc for options, inputs and outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model_export.architectures.box_coding import SCALES
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.weights import Floats

OPERATOR = "TFLite_Detection_PostProcess"

_OUTPUTS = ("output_3", "output_2", "output_1", "output_0")
"""What a signature calls boxes, classes, scores and count. TensorFlow 2's detectors are exported
with these names, and readers such as pycoral ask for them where a model has a signature."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the operator lets through.

    Attributes:
        most: detections at most.
        score: the least score, 0..1. Above 0 there may be fewer than `most`; the operator then
            leaves in the other rows what it found in an earlier picture, and readers that look at
            all rows and not at the count see it again. 0 costs a tenth of a millisecond.
        overlap: two boxes are one object above this intersection over union, of whatever class.
    """

    most: int = 25
    score: float = 0.0
    overlap: float = 0.5

    def __post_init__(self) -> None:
        if self.most < 1 or not 0 <= self.score < 1 or not 0 < self.overlap <= 1:
            raise ExportError(
                "a detector gives at least 1 box, of a score and an overlap in 0..1, not "
                f"{self.most}, {self.score:g} and {self.overlap:g}"
            )


def with_postprocess(content: bytes, anchors: Floats, selection: Selection = Selection()) -> bytes:
    """A .tflite detector with the operator at its end; quantized outputs are made float for it.

    Args:
        content: gives boxes [1, N, 4], coded as in `box_coding`, and scores [1, N, 1 + classes], of
            which the first is the background's.
        anchors: N x 4 float32 (y centre, x centre, height, width).

    Raises:
        ExportError: it gives something else, or boxes of other anchors.
    """
    from ai_edge_litert import schema_py_generated as schema

    # Packed anew, all data of the file is inside of its flatbuffer.
    model: Any = schema.ModelT.InitFromPackedBuf(EditableModel(content).pack(), 0)
    graph = model.subgraphs[0]
    boxes, scores = _outputs(graph, len(anchors))
    classes = int(graph.tensors[scores].shape[2]) - 1
    inputs = [_as_float(model, graph, index) for index in (boxes, scores)]
    inputs.append(_constant(model, graph, anchors))
    outputs = [
        _tensor(graph, f"{OPERATOR}:{number}" if number else OPERATOR, shape)
        for number, shape in enumerate(
            ([1, selection.most, 4], [1, selection.most], [1, selection.most], [1])
        )
    ]
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, custom=OPERATOR)
    operator.inputs, operator.outputs = inputs, outputs
    operator.customOptions = np.frombuffer(_options(classes, selection), np.uint8)
    graph.operators.append(operator)
    graph.outputs = outputs
    for signature in model.signatureDefs or ():
        signature.outputs = [
            _entry(name, index) for name, index in zip(_OUTPUTS, outputs, strict=True)
        ]
    return _packed(model)


def _outputs(graph: Any, anchors: int) -> tuple[int, int]:
    """The tensors of boxes and scores."""
    shapes = {int(i): tuple(map(int, graph.tensors[i].shape)) for i in graph.outputs}
    rows = [index for index, shape in shapes.items() if len(shape) == 3 and shape[0] == 1]
    boxes = [index for index in rows if shapes[index][2] == 4]
    # With three classes the order tells: boxes come first.
    scores = [index for index in rows if boxes and index != boxes[0]]
    if len(rows) != 2 or len(scores) != 1:
        found = ", ".join(str(list(shape)) for shape in shapes.values())
        raise ExportError(
            f"the model gives {found}: a detector gives boxes [1, N, 4] and "
            "scores [1, N, 1 + classes]"
        )
    if {shapes[boxes[0]][1], shapes[scores[0]][1]} != {anchors}:
        raise ExportError(
            f"the model gives {shapes[boxes[0]][1]} boxes and {shapes[scores[0]][1]} scores, and "
            f"there are {anchors} anchors: they are of another detector"
        )
    return boxes[0], scores[0]


def _as_float(model: Any, graph: Any, index: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    if graph.tensors[index].type == schema.TensorType.FLOAT32:
        return index
    name = graph.tensors[index].name.decode() + "_real"
    real = _tensor(graph, name, list(graph.tensors[index].shape))
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, builtin=schema.BuiltinOperator.DEQUANTIZE)
    operator.inputs, operator.outputs = [index], [real]
    graph.operators.append(operator)
    return real


def _tensor(graph: Any, name: str, shape: list[int], buffer: int = 0) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), [int(side) for side in shape], buffer
    tensor.type = schema.TensorType.FLOAT32
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, values: Floats) -> int:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return _tensor(graph, "anchors", list(values.shape), len(model.buffers) - 1)


def _code(model: Any, *, builtin: int | None = None, custom: str | None = None) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    if custom is None:
        code.builtinCode = code.deprecatedBuiltinCode = builtin
    else:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = custom.encode()
    code.version = 2 if builtin == schema.BuiltinOperator.DEQUANTIZE else 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _options(classes: int, selection: Selection) -> bytes:
    from flatbuffers import flexbuffers

    y, x, height, width = SCALES
    builder: Any = flexbuffers.Builder()
    with builder.Map():
        builder.Key("max_detections")
        builder.Int(selection.most)
        builder.Key("max_classes_per_detection")
        builder.Int(1)
        builder.Key("num_classes")
        builder.Int(classes)
        for name, value in (
            ("nms_score_threshold", selection.score),
            ("nms_iou_threshold", selection.overlap),
            ("y_scale", y),
            ("x_scale", x),
            ("h_scale", height),
            ("w_scale", width),
        ):
            builder.Key(name)
            builder.Float(value)
    return bytes(builder.Finish())


def _entry(name: str, index: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    # Which aligns the buffers.
    return EditableModel(bytes(builder.Output())).pack()
