from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edge_runtime.inference.engine import InvokeError, ModelError
from model_export import tflite_graph
from model_export.arena import arena_bytes
from model_export.benchmark import benchmark
from model_export.errors import ExportError


def test_models_are_weighed_and_timed_side_by_side(data_dir: Path) -> None:
    small = data_dir / "models" / "vww_96_int8.tflite"
    large = data_dir / "models" / "mobilenet_v2_1.0_224_quant.tflite"
    shares: list[float] = []
    found = benchmark([small, large], runs=12, threads=2, progress=shares.append)
    first, second = found.models
    assert [(at.threads, at.runs) for at in first.invokes] == [(1, 12), (2, 12)]
    assert first.invokes[0].ratio == 1
    # Forty times as many MACs: no noise of a machine turns that round.
    assert second.invokes[0].ratio > 3
    assert all(0 < at.p50 <= at.p95 for model in found.models for at in model.invokes)
    assert first.bytes == small.stat().st_size
    assert first.gzip_bytes == len(gzip.compress(small.read_bytes(), 9)) < first.bytes
    assert (found.backend, shares[-1]) == ("litert-cpu", 1.0)
    assert shares == sorted(shares)


@pytest.mark.parametrize("name", ["vww_96_int8", "vww_96_float", "mobilenet_v1_0.25_128_quant"])
def test_the_arena_holds_the_largest_layer_and_is_smaller_than_all_of_them(
    name: str, data_dir: Path
) -> None:
    model = tflite_graph.read(data_dir / "models" / f"{name}.tflite")
    graph = model.graph
    width = 4 if name.endswith("float") else 1
    sizes = {i: t.size * width for i, t in enumerate(graph.tensors) if not t.constant}
    largest = max(sum(sizes.get(i, 0) for i in (*op.inputs, *op.outputs)) for op in graph.operators)
    arena = arena_bytes(model)
    assert largest <= arena < sum(sizes.values())


def test_a_float_model_needs_four_times_the_arena_of_its_int8_twin(data_dir: Path) -> None:
    float32, int8 = (
        arena_bytes(tflite_graph.read(data_dir / "models" / f"vww_96_{kind}.tflite"))
        for kind in ("float", "int8")
    )
    assert float32 / int8 == pytest.approx(4, rel=0.01)


def test_what_cannot_be_measured_is_told_of(data_dir: Path, tmp_path: Path) -> None:
    models = data_dir / "models"
    good = models / "vww_96_int8.tflite"
    with pytest.raises(ExportError, match="there is no model to measure: name one or more"):
        benchmark([])
    with pytest.raises(ExportError, match="runs and threads are 1 or more"):
        benchmark([good], runs=0)
    with pytest.raises(ModelError, match=r"none\.tflite does not exist"):
        benchmark([good, tmp_path / "none.tflite"])
    with pytest.raises(ModelError, match="is rejected by the interpreter"):
        benchmark([models / "bad_quantized_dimension.tflite"])
    with pytest.raises((ModelError, InvokeError), match="bad_invoking_error"):
        benchmark([models / "bad_invoking_error.tflite"])
    with pytest.raises(ModelError, match="needs the operator edgetpu-custom-op"):
        benchmark([models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"])
