"""The check against what Coral's compiler did: its published models before and after."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.inference.tflite_file import EDGETPU_OP
from model_export import tflite_graph
from model_export.edgetpu import Status, check

PAIRS = (
    "mobilenet_v1_0.25_128_quant",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "movenet_single_pose_lightning_ptq",
)


@pytest.mark.parametrize("name", PAIRS)
def test_what_the_compiler_left_on_the_cpu_is_what_the_check_says(
    name: str, data_dir: Path
) -> None:
    before = tflite_graph.read(data_dir / "models" / f"{name}.tflite")
    after = tflite_graph.read(data_dir / "models" / f"{name}_edgetpu.tflite")
    expected = Counter(
        (op.name, str(after.graph.output(op)))
        for op in after.graph.operators
        if op.name != EDGETPU_OP
    )
    found = Counter(
        (op.name, str(before.graph.output(before.graph.operators[op.index])))
        for op in check(before).on_cpu
    )
    assert found == expected


@pytest.mark.parametrize("name", PAIRS)
def test_the_mapped_part_takes_and_gives_what_the_compiled_operator_does(
    name: str, data_dir: Path
) -> None:
    graph = tflite_graph.read(data_dir / "models" / f"{name}.tflite").graph
    after = tflite_graph.read(data_dir / "models" / f"{name}_edgetpu.tflite").graph
    verdict = check(tflite_graph.read(data_dir / "models" / f"{name}.tflite"))
    mapped = {op.index for op in verdict.operators if op.status is Status.MAPPED}
    inside = [op for op in graph.operators if op.index in mapped]
    outside = [op for op in graph.operators if op.index not in mapped]
    made = {i for op in inside for i in op.outputs}
    used = {i for op in outside for i in op.inputs} | set(graph.outputs)
    needed = {i for op in inside for i in op.inputs if i >= 0 and not graph.tensors[i].constant}
    (compiled,) = (op for op in after.operators if op.name == EDGETPU_OP)

    def shapes(graph: tflite_graph.Graph, indexes: set[int]) -> list[str]:
        return sorted(str(graph.tensors[index]) for index in indexes)

    assert shapes(graph, made & used) == shapes(after, set(compiled.outputs))
    assert shapes(graph, needed - made) == shapes(after, set(compiled.inputs))


def test_a_compiled_model_is_seen_as_such(data_dir: Path) -> None:
    path = data_dir / "models" / "deeplabv3_mnv2_dm05_pascal_quant_edgetpu.tflite"
    verdict = check(tflite_graph.read(path))
    assert verdict.compiled
    assert str(verdict) == ("compiled for the Edge TPU already; 8 operators are left to the CPU")


@pytest.mark.parametrize(
    ("name", "mapped", "on_cpu"),
    [
        # Coral publishes these compiled, and says that all but the post-processing is mapped.
        ("mobilenet_v2_1.0_224_quant", 66, []),
        ("tf2_mobilenet_v2_1.0_224_ptq", 68, []),
        ("ssd_mobilenet_v1_coco_quant_300", 63, ["TFLite_Detection_PostProcess"]),
        ("vww_96_float", 0, None),
        ("face_detection_short_range", 0, None),
    ],
)
def test_other_models_are_mapped_as_far_as_they_are_quantized(
    name: str, mapped: int, on_cpu: list[str] | None, data_dir: Path
) -> None:
    verdict = check(tflite_graph.read(data_dir / "models" / f"{name}.tflite"))
    assert verdict.mapped == mapped
    if on_cpu is not None:
        assert [op.name for op in verdict.on_cpu] == on_cpu
