"""The reference model in every precision, from its Keras source and from float alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.litert import LiteRtEngine
from model_export import quantization
from model_export.architectures.mobilenet import Family
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel, weighted
from model_export.networks import float_model
from model_export.observation import observe
from model_export.quantization import (
    Calibration,
    Io,
    Precision,
    Quantization,
    quantize,
    quantize_file,
    write_model,
)
from model_export.scoring import Scored
from model_export.weights import LayerWeights, Norm, Trained
from tests.integration.model_export_tf.conftest import agreement
from tests.integration.model_export_training.networks import random_model

ROOT = Path(__file__).parents[3]
TFLITE_PYTHON = Path(os.environ.get("EDGE_TFLITE_PYTHON", ROOT / ".venv-tflite/bin/python"))

ALL = [
    *(Quantization(precision) for precision in Precision),
    *(Quantization(Precision.INT8, io) for io in (Io.INT8, Io.UINT8)),
]
INT8 = Quantization(Precision.INT8, Io.INT8)


def name(how: Quantization) -> str:
    return f"{how.precision}_{how.io}"


@pytest.fixture(scope="module")
def made(
    converted: bytes,
    float_model: bytes,
    calibrated: Calibration,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """All of them: keras_* from the Keras source, float_* from the float file."""
    folder = tmp_path_factory.mktemp("made")
    for source, content in (("keras", converted), ("float", float_model)):
        for how in ALL:
            write_model(folder / f"{source}_{name(how)}.tflite", quantize(content, how, calibrated))
    return folder


@pytest.fixture(scope="module")
def reference(models: Path, scores: Callable[[Path], Scored]) -> Scored:
    return scores(models / "vww_96_float.tflite")


def test_the_pictures_are_enough_to_tell(reference: Scored) -> None:
    assert np.bincount(reference.labels).min() > 200


@pytest.mark.parametrize("source", ["keras", "float"])
@pytest.mark.parametrize(
    ("how", "least"),
    [
        (Quantization(Precision.FLOAT32), 1.0),
        (Quantization(Precision.FLOAT16), 0.995),
        (Quantization(Precision.DYNAMIC), 0.99),
        (Quantization(Precision.INT16X8), 0.985),
    ],
)
def test_it_decides_as_the_float_model_does(
    source: str,
    *,
    how: Quantization,
    least: float,
    made: Path,
    reference: Scored,
    scores: Callable[[Path], Scored],
) -> None:
    assert agreement(scores(made / f"{source}_{name(how)}.tflite"), reference) >= least


@pytest.mark.parametrize("source", ["keras", "float"])
@pytest.mark.parametrize("io", list(Io))
def test_int8_agrees_with_float_at_least_as_often_as_the_published_int8_does(
    source: str,
    *,
    io: Io,
    made: Path,
    models: Path,
    reference: Scored,
    scores: Callable[[Path], Scored],
) -> None:
    published = agreement(scores(models / "vww_96_int8.tflite"), reference)
    path = made / f"{source}_{name(Quantization(Precision.INT8, io))}.tflite"
    assert agreement(scores(path), reference) >= published
    assert path.stat().st_size <= (models / "vww_96_int8.tflite").stat().st_size


def test_sizes_and_types_are_what_the_precision_says(made: Path) -> None:
    size = {path.stem: path.stat().st_size for path in made.iterdir()}
    assert size["keras_float16_float32"] < 0.55 * size["keras_float32_float32"]
    assert size["keras_dynamic_float32"] < 0.35 * size["keras_float32_float32"]
    for how in ALL:
        engine = LiteRtEngine(made / f"keras_{name(how)}.tflite")
        assert engine.input.dtype == np.dtype(how.io)
        assert engine.output_specs[0].dtype == np.dtype(how.io)
        assert engine.input.shape == (1, 96, 96, 3)


def test_pixels_become_int8_without_a_table(made: Path) -> None:
    spec = LiteRtEngine(made / "keras_int8_int8.tflite").input
    assert (spec.scale, spec.zero_point) == (pytest.approx(1 / 255), -128)


def test_an_int8_model_is_int8_throughout_with_versions_that_say_so(made: Path) -> None:
    model = EditableModel((made / "float_int8_int8.tflite").read_bytes())
    for node in model.nodes:
        assert node.name not in {"QUANTIZE", "DEQUANTIZE"}
        assert model.tensor_type(node.inputs[0]) == "int8"
    versions = {
        node.name: int(model._model.operatorCodes[node.code].version) for node in model.nodes
    }
    # What TensorFlow's own converter states of the published int8 model.
    assert versions == {
        "CONV_2D": 3,
        "DEPTHWISE_CONV_2D": 3,
        "AVERAGE_POOL_2D": 2,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 4,
        "SOFTMAX": 2,
    }


def test_a_dense_layer_has_one_scale(made: Path) -> None:
    model = EditableModel((made / "float_int8_int8.tflite").read_bytes())
    (dense,) = [node for node in model.nodes if node.name == "FULLY_CONNECTED"]
    assert len(model._graph.tensors[dense.inputs[1]].quantization.scale) == 1
    (first, *_) = [node for node in model.nodes if node.name == "CONV_2D"]
    assert len(model._graph.tensors[first.inputs[1]].quantization.scale) == 8


def test_weights_begin_where_processors_like_them(made: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    content = (made / "float_int8_int8.tflite").read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    starts = []
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        if buffer.DataLength():
            assert buffer.Offset() == 0
            starts.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(starts) > 50
    assert not any(start % 16 for start in starts)


@pytest.mark.timeout(120)
def test_tflite_runtime_loads_them_and_decides_alike(
    made: Path,
    parts: object,
    calibrated: Calibration,
    tmp_path: Path,
) -> None:
    if not TFLITE_PYTHON.exists():
        pytest.skip(f"{TFLITE_PYTHON} is not there: `make test` makes it, with tflite-runtime")
    pictures = calibrated.inputs[:100]
    np.save(tmp_path / "pictures.npy", pictures)
    answer = subprocess.run(
        [TFLITE_PYTHON, "-c", OLD_RUNTIME, tmp_path / "pictures.npy", *sorted(made.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    decided = {Path(path).stem: said for path, said in json.loads(answer.stdout).items()}
    assert len(decided) == 2 * len(ALL)
    for model, said in decided.items():
        alike = np.mean(np.array(said) == decided["float_float32_float32"])
        assert alike >= 0.95, model


OLD_RUNTIME = """
import json, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
answers = {}
for path in sys.argv[2:]:
    model = Interpreter(path)
    model.allocate_tensors()
    (given,), (out,) = model.get_input_details(), model.get_output_details()
    scale, zero = given["quantization"]
    decided = []
    for picture in np.load(sys.argv[1]):
        if scale:
            picture = np.rint(picture / scale + zero).astype(given["dtype"])
        model.set_tensor(given["index"], picture[None])
        model.invoke()
        decided.append(int(model.get_tensor(out["index"]).argmax()))
    answers[path] = decided
print(json.dumps(answers))
"""


def test_the_same_pictures_make_the_same_file(
    float_model: bytes, calibrated: Calibration, made: Path
) -> None:
    again = quantize(float_model, INT8, calibrated)
    assert again == (made / "float_int8_int8.tflite").read_bytes()


def test_layers_that_are_named_stay_float(float_model: bytes, calibrated: Calibration) -> None:
    model = EditableModel(float_model)
    first = model.tensor_name(model.nodes[0].outputs[0])
    # All of the name, or any part of it.
    for names in ((first,), (first.split(";")[0],)):
        mixed = EditableModel(
            quantize(float_model, Quantization(Precision.INT8, Io.INT8, names), calibrated)
        )
        kinds = [
            (node.name, mixed.tensor_type(node.inputs[0]))
            for node in mixed.nodes
            if node.name in {"CONV_2D", "DEPTHWISE_CONV_2D"}
        ]
        assert kinds[0] == ("CONV_2D", "float32")
        assert {kind for _, kind in kinds[1:]} == {"int8"}


def test_a_dead_channel_keeps_its_bias() -> None:
    """All of its weights are zero, and its bias is all that it is: as int32 it has to fit."""
    from tests.integration.model_export_tf.graphs import dead_channel

    content, pictures = dead_channel(bias=0.7)
    from ai_edge_litert.interpreter import Interpreter

    for precision in (Precision.INT8, Precision.INT16X8):
        small = quantize(content, Quantization(precision), Calibration(pictures, (0, 1)))
        outputs = []
        for each in (content, small):
            interpreter = Interpreter(model_content=each)
            interpreter.allocate_tensors()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pictures[:1])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        np.testing.assert_allclose(outputs[1], outputs[0], atol=0.02)
        assert np.abs(outputs[1][..., -1]).min() > 0.6


def test_equalization_changes_weights_and_not_what_they_compute(
    float_model: bytes, calibrated: Calibration
) -> None:
    from model_export.equalization import equalize

    plain, equal = EditableModel(float_model), EditableModel(float_model)
    seen = observe(equal, calibrated.inputs[:20])
    assert equalize(equal, seen) == 13
    outputs = [
        observe(model, calibrated.inputs[20:21])[model.outputs[0]].mean for model in (plain, equal)
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    moved = [
        not np.array_equal(before, after)
        for (_, before, _), (_, after, _) in zip(weighted(plain), weighted(equal), strict=True)
    ]
    assert sum(moved) == 26


# What cannot be


def test_calibration_is_asked_for(float_model: bytes) -> None:
    with pytest.raises(ExportError, match="int8 needs calibration pictures, and none were given"):
        quantize(float_model, INT8)


def test_no_pictures_are_no_calibration(float_model: bytes) -> None:
    nothing = Calibration(np.empty((0, 96, 96, 3), np.float32), (0, 1))
    with pytest.raises(ExportError, match="there are no pictures to calibrate with"):
        quantize(float_model, INT8, nothing)


def test_pictures_of_another_size_are_no_calibration(float_model: bytes) -> None:
    other = Calibration(np.zeros((2, 64, 64, 3), np.float32), (0, 1))
    with pytest.raises(ExportError, match=r"does not run on the calibration pictures: .*Dimension"):
        quantize(float_model, INT8, other)


def test_a_quantized_model_is_not_quantized_again(models: Path, calibrated: Calibration) -> None:
    with pytest.raises(ExportError, match="is quantized already: quantize the float model that"):
        quantize((models / "vww_96_int8.tflite").read_bytes(), INT8, calibrated)


def test_a_layer_that_is_not_there_is_named(float_model: bytes, calibrated: Calibration) -> None:
    how = Quantization(Precision.INT8, keep_float=("head",))
    with pytest.raises(ExportError, match=r'no layer "head" to leave in float: the 31 layers are'):
        quantize(float_model, how, calibrated)


def test_only_int8_models_take_int8() -> None:
    with pytest.raises(ExportError, match="a float16 model takes and gives float32, and uint8 is"):
        Quantization(Precision.FLOAT16, Io.UINT8)


def test_a_model_of_several_graphs_is_refused() -> None:
    from tests.integration.model_export_tf.graphs import two_graphs

    with pytest.raises(ExportError, match="has 2 graphs: only one without control flow"):
        quantize(two_graphs(), Quantization(Precision.FLOAT16))


@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_what_is_no_model_leaves_nothing_behind(
    content: bytes | None, models: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source.tflite"
    if content is None:
        content = (models / "vww_96_float.tflite").read_bytes()[:300_000]
    source.write_bytes(content)
    with pytest.raises(ModelError, match=r"empty|not a TFLite model|damaged or cut short"):
        quantize_file(source, tmp_path / "out.tflite", Quantization(Precision.FLOAT16))
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.tflite"]


def test_what_does_not_run_is_not_written(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.tflite"
    broken = (models / "bad_invoking_error.tflite").read_bytes()
    with pytest.raises(ExportError, match=r"was not written, for what was made does not run"):
        write_model(target, broken)
    with pytest.raises(ExportError, match=r"give it a name that ends in \.tflite"):
        write_model(tmp_path / "out.bin", broken)
    assert not list(tmp_path.iterdir())


def test_the_rewriter_stays_silent(
    float_model: bytes, calibrated: Calibration, capfd: pytest.CaptureFixture[str]
) -> None:
    few = Calibration(calibrated.inputs[:3], calibrated.pixel_range)
    quantization.quantize(float_model, INT8, few)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "it/s" not in shown.err
    assert "Warning" not in shown.err


def test_without_the_rewriter_it_is_said_what_to_install(
    float_model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(ExportError, match="ai-edge-quantizer is not installed, and models are"):
        quantize(float_model, Quantization(Precision.FLOAT16))


def test_the_edge_tpu_would_run_all_of_it(made: Path) -> None:
    from model_export import tflite_graph
    from model_export.edgetpu import check

    for io in ("int8", "uint8"):
        verdict = check(tflite_graph.read(made / f"keras_int8_{io}.tflite"))
        assert verdict.mapped
        assert not verdict.on_cpu
        assert not verdict.refusals


def test_a_layer_that_is_nearly_zero_gets_steps_that_interpreters_take() -> None:
    """Of steps below 3e-9, the 6 of a ReLU6 overflows an int32: such a model is refused."""
    trained = random_model(Family.V1, size=32, classes=2)
    name = "block03_project"
    kernel = trained.weights[name].kernel
    dead = LayerWeights(
        kernel * np.float32(1e-9), norm=Norm.adding(np.zeros(kernel.shape[-1], np.float32))
    )
    content = float_model(Trained(trained.network, {**trained.weights, name: dead}))
    noise = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)
    ranges = quantization.prepare(content, Calibration(noise, (-1, 1))).ranges
    (found,) = (high - low for tensor, (low, high) in ranges.items() if name in tensor)
    assert 6 / (found / 255) < 2**31
