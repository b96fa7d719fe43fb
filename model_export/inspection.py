"""Everything that a .tflite file tells of itself, without running it."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.inference.preprocess import Range
from model_export import edgetpu, layers, tflite_graph
from model_export.edgetpu import Verdict
from model_export.layers import Layer
from model_export.tflite_graph import Graph, TfliteModel

_LABELS_MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output.

    Attributes:
        name, type, shape: as the file has them.
        signature: the shape with -1 for each dimension that a caller may choose.
        scale, zero_point: real value = scale * (value - zero_point); None: not quantized.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """How often an operator comes in one version."""

    operator: str
    version: int
    custom: bool
    count: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the file carries beside the graph.

    Attributes:
        version: of the model, as TFLite metadata state it; or "".
        input_range: the real values of a pixel of 0 and of 255, where the metadata state them.
        files: the names of the files that are packed with the model, as labels are, and how many
            lines each has; 0 for one that is too large to be labels.
    """

    version: str
    input_range: Range | None
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A .tflite file, inspected.

    Attributes:
        path, bytes, sha256: of the file.
        description: what the converter wrote about itself.
        inputs, outputs: of the main graph.
        operators: by name and version, the most frequent first.
        layers: each operator of the main graph, in the order of execution.
        parameters: all weights and biases, in numbers.
        weight_bytes: and in bytes of the file, by type.
        macs: multiply-accumulates of one inference.
        sparsity: the share of the weights that is 0, biases not counted; None: no weights.
        sparse_encoded: how many tensors store only what is not 0.
        graphs: more than 1 where there is control flow; only the main one is shown by layer.
        metadata: labels, normalisation.
        edgetpu: what Coral's compiler would make of it.
    """

    path: Path
    bytes: int
    sha256: str
    description: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[OperatorCount, ...]
    layers: tuple[Layer, ...]
    parameters: int
    weight_bytes: Mapping[str, int]
    macs: int
    sparsity: float | None
    sparse_encoded: int
    graphs: int
    metadata: Metadata
    edgetpu: Verdict

    @property
    def custom_operators(self) -> tuple[str, ...]:
        """The names of the operators that are not TensorFlow Lite's own."""
        return tuple(sorted({count.operator for count in self.operators if count.custom}))

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine; the paths as texts."""
        return asdict(self) | {
            "path": str(self.path),
            "custom_operators": self.custom_operators,
            "edgetpu": self.edgetpu.as_dict(),
        }


def inspect(path: Path) -> Inspection:
    """Read the file and count.

    Raises:
        ModelError: it is missing, unreadable, not TFLite, or damaged.
    """
    model = tflite_graph.read(path)
    graph = model.graph
    by_operator = tuple(layers.layer(graph, operator) for operator in graph.operators)
    parameters = tuple(model.parameters())
    weight_bytes: Counter[str] = Counter()
    for tensor in parameters:
        weight_bytes[tensor.type] += 0 if tensor.data is None else len(tensor.data)
    return Inspection(
        path=path,
        bytes=model.bytes,
        sha256=model.file.sha256,
        description=model.description,
        inputs=_infos(graph, graph.inputs),
        outputs=_infos(graph, graph.outputs),
        operators=_counts(model),
        layers=by_operator,
        parameters=sum(tensor.size for tensor in parameters),
        weight_bytes=dict(weight_bytes.most_common()),
        macs=sum(layer.macs for layer in by_operator),
        sparsity=layers.sparsity([tensor for tensor in parameters if len(tensor.shape) > 1]),
        sparse_encoded=sum(tensor.sparse for tensor in parameters),
        graphs=len(model.graphs),
        metadata=Metadata(model.file.version, model.file.input_range, _packed_files(path)),
        edgetpu=edgetpu.check(model),
    )


def _infos(graph: Graph, indexes: tuple[int, ...]) -> tuple[TensorInfo, ...]:
    tensors = (graph.tensors[index] for index in indexes)
    return tuple(
        TensorInfo(
            name=tensor.name,
            type=tensor.type,
            shape=tensor.shape,
            signature=tensor.signature,
            scale=tensor.scales[0] if tensor.scales else None,
            zero_point=next(iter(tensor.zero_points), 0) if tensor.scales else None,
        )
        for tensor in tensors
    )


def _counts(model: TfliteModel) -> tuple[OperatorCount, ...]:
    counts = Counter(
        (op.name, op.version, op.custom) for graph in model.graphs for op in graph.operators
    )
    return tuple(OperatorCount(*which, count) for which, count in counts.most_common())


def _packed_files(path: Path) -> dict[str, int]:
    """TFLite metadata keep labels and the like in a zip archive behind the model."""
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename: len(archive.read(member).splitlines())
                if member.file_size <= _LABELS_MOST_BYTES
                else 0
                for member in archive.infolist()
            }
    # What happens to look like an archive is none of ours.
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError):
        return {}
