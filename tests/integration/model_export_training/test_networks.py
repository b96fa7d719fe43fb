"""Whatever holds a network is opened, and becomes what boards run."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import tflite_file
from edge_runtime.inference.litert import LiteRtEngine
from model_export.architectures.anchors import anchors_of
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Detector, Input
from model_export.architectures.ssdlite import detector
from model_export.cli import main
from model_export.compression import CalibrationSource, quantize_model
from model_export.conversion import float_tflite
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.loading import Format, format_of
from model_export.networks import finished, float_model, open_network
from model_export.quantization import Io, Precision, Quantization
from model_export.weights import Trained, largest_difference, save
from tests.integration.model_export_training.networks import random_model, random_weights

pytestmark = pytest.mark.usefixtures("keras")

SIZE = 64


def small_detector(classes: int = 1) -> Trained:
    whole = detector(Family.V2, 0.35, Input(SIZE, SIZE), classes)
    features = replace(whole.backbone, blocks=whole.backbone.blocks[:5], last=None)
    return random_weights(Detector(features, whole.extras[:1], classes))


def noise(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, SIZE, SIZE, 3)).astype(np.float32)


def outputs(content: bytes, picture: np.ndarray) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[np.newaxis])
    interpreter.invoke()
    return [interpreter.get_tensor(out["index"])[0] for out in interpreter.get_output_details()]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of noise in several shades."""
    import cv2

    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 20 * (number + 1), (SIZE, SIZE, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


# From a network to a file


def test_a_classifier_answers_as_its_keras_model_does_and_needs_no_end() -> None:
    trained = random_model(Family.V1, blocks=4)
    content = float_model(trained)
    expected = np.asarray(trained.model()(noise()))
    for picture, wanted in zip(noise(), expected, strict=True):
        np.testing.assert_allclose(outputs(content, picture)[0], wanted, atol=1e-5)
    assert finished(content, trained.network) == content
    model = EditableModel(content)
    assert model.tensor_shape(model.inputs[0]) == (1, SIZE, SIZE, 3)
    assert "SHAPE" not in {node.name for node in model.nodes}


def test_a_network_that_scales_pixels_itself_leaves_that_to_the_quantized_input() -> None:
    trained = random_model(Family.V1, blocks=2)
    picture = replace(trained.network.backbone.input, scales=True)
    backbone = replace(trained.network.backbone, input=picture)
    scaling = Trained(replace(trained.network, backbone=backbone), trained.weights)
    content = float_model(scaling)
    (pixels,) = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.float32)
    expected = np.asarray(scaling.model()(pixels[np.newaxis]))[0]
    np.testing.assert_allclose(outputs(content, pixels / 127.5 - 1)[0], expected, atol=1e-5)
    assert "MUL" not in {node.name for node in EditableModel(content).nodes}


def test_a_detector_gives_raw_boxes_and_scores_until_it_is_finished(tmp_path: Path) -> None:
    trained = small_detector(classes=3)
    content = float_model(trained)
    expected = [np.asarray(output)[0] for output in trained.model()(noise(1))]
    for found, wanted in zip(outputs(content, noise(1)[0]), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    path = tmp_path / "detector.tflite"
    path.write_bytes(finished(content, trained.network))
    assert tflite_file.read(path).detection is not None
    other = small_detector().network
    with pytest.raises(ExportError, match="they are of another detector"):
        finished(content, replace(other, extras=()))


def test_a_finished_detector_fills_all_rows_whatever_it_saw_before() -> None:
    """What the operator does not write stays as it was, and some readers look at all rows."""
    trained = small_detector()
    from ai_edge_litert.interpreter import Interpreter

    content = finished(float_model(trained), trained.network)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    # Contrast makes the random network find more or less.
    for contrast in (1, 0, 0.3):
        interpreter.set_tensor(given["index"], noise(1) * np.float32(contrast))
        interpreter.invoke()
        *_, scores, count = (
            interpreter.get_tensor(out["index"]) for out in interpreter.get_output_details()
        )
        assert count[0] == scores.shape[1] < len(anchors_of(trained.network))  # type: ignore[arg-type]


def test_a_keras_on_another_backend_makes_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow converts in a process of its own."""
    trained = random_model(Family.V3_SMALL, blocks=2)
    content = float_model(trained)
    on_jax = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setattr("model_export.networks.keras3", lambda: on_jax)
    assert float_model(trained) == content
    monkeypatch.setattr("sys.executable", "false")
    with pytest.raises(ExportError, match="cannot be converted by Keras on TensorFlow: it ended w"):
        float_model(trained)


# From the file of a network to a quantized one


@pytest.mark.parametrize("precision", list(Precision))
def test_a_file_of_ours_is_quantized_without_being_told_its_range(
    precision: Precision, pictures: Path, tmp_path: Path
) -> None:
    trained = small_detector()
    save(tmp_path / "network.npz", trained)
    how = Quantization(precision)
    source = CalibrationSource(pictures) if how.calibrated else None
    quantize_model(tmp_path / "network.npz", tmp_path / "small.tflite", how, source)
    assert tflite_file.read(tmp_path / "small.tflite").detection is not None
    coarse = LiteRtEngine(tmp_path / "small.tflite")
    exact = tmp_path / "exact.tflite"
    exact.write_bytes(finished(float_model(trained), trained.network))
    fine = LiteRtEngine(exact)
    for engine in (coarse, fine):
        engine.input_view()[...] = noise(1)[0] * 0.5
        engine.invoke()
    scores = [np.array(engine.outputs()[2]) for engine in (coarse, fine)]
    np.testing.assert_allclose(*scores, atol=0.15)


def test_the_command_quantizes_a_detector_and_a_classifier(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, trained in (("boxes", small_detector()), ("class", random_model(Family.V1))):
        source, made = tmp_path / f"{name}.npz", tmp_path / f"{name}.tflite"
        save(source, trained)
        arguments = ["quantize", source, "--to", "int8", "--io", "uint8", "--out", made]
        more = ["--calibrate", pictures, "--range", "-1", "1"]
        assert main([str(argument) for argument in (*arguments, *more)]) == 0
        spec = LiteRtEngine(made).input
        assert (spec.dtype, spec.scale) == (np.uint8, pytest.approx(2 / 255))
        assert (tflite_file.read(made).detection is not None) == (name == "boxes")
    assert "uint8 in and out, calibrated with 12 pictures" in capsys.readouterr().out


def test_a_range_that_is_not_the_networks_is_told(pictures: Path, tmp_path: Path) -> None:
    source = tmp_path / "network.npz"
    save(source, random_model(Family.V1, blocks=1))
    how = Quantization(Precision.INT8, Io.INT8)
    with pytest.raises(ExportError, match="and not 0 and 1: leave the range out"):
        quantize_model(
            source, tmp_path / "made.tflite", how, CalibrationSource(pictures, (0.0, 1.0))
        )
    assert not (tmp_path / "made.tflite").exists()


def test_a_file_that_does_not_know_its_range_has_to_be_told(
    pictures: Path, tmp_path: Path, data_dir: Path
) -> None:
    how = Quantization(Precision.INT8, Io.INT8)
    source = data_dir / "models" / "vww_96_float.tflite"
    with pytest.raises(ExportError, match="does not say what black and white are for it: give it"):
        quantize_model(source, tmp_path / "made.tflite", how, CalibrationSource(pictures))


# From any model to a network


def test_every_kind_of_file_gives_the_same_network(keras: Any, tmp_path: Path) -> None:
    trained = random_model(Family.V2, blocks=4)
    save(tmp_path / "ours.npz", trained)
    (tmp_path / "ours.tflite").write_bytes(float_model(trained))
    trained.model().save(tmp_path / "theirs.keras")
    trained.model().export(str(tmp_path / "saved"), verbose=False)
    formats = {
        "ours.npz": (Format.NETWORK, None),
        "ours.tflite": (Format.TFLITE, (-1.0, 1.0)),
        "theirs.keras": (Format.KERAS, (-1.0, 1.0)),
        "saved": (Format.SAVED_MODEL, (-1.0, 1.0)),
    }
    for name, (kind, pixel_range) in formats.items():
        assert format_of(tmp_path / name) is kind
        found = open_network(tmp_path / name, pixel_range)
        assert replace(found.network, dropout=0.2) == trained.network
        assert largest_difference(found.model(), trained.model(), noise()) < 1e-4


def test_published_files_are_opened(data_dir: Path) -> None:
    keras2 = open_network(data_dir / "models/vww_96.h5", (0.0, 1.0))
    int8 = open_network(data_dir / "models/vww_96_int8.tflite")
    assert keras2.network == int8.network
    uint8 = open_network(data_dir / "models/mobilenet_v1_0.25_128_quant.tflite")
    assert uint8.network.classes == 1001


def test_a_keras_model_that_scales_says_what_its_range_is(keras: Any, tmp_path: Path) -> None:
    network = classifier(Family.V1, 0.25, Input(SIZE, SIZE, scales=True), 3)
    trained = random_weights(network)
    trained.model().save(tmp_path / "scales.keras")
    found = open_network(tmp_path / "scales.keras")
    assert found.network.backbone.input == network.backbone.input


def test_a_float_file_that_computes_something_else_is_told(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    given = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(given)
    # The sum is of what came in and what was made of it three layers later.
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 1)(y)
    x = layers.Add()([y, y])
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    keras.Model(given, x).export(str(tmp_path / "odd"), verbose=False)
    with pytest.raises(ExportError, match="odd has the layers of a MobileNet, but computes some"):
        open_network(tmp_path / "odd", (-1.0, 1.0))


def test_what_cannot_be_opened_is_told_in_a_sentence(
    keras: Any, data_dir: Path, tmp_path: Path
) -> None:
    save(tmp_path / "whole.npz", random_model(Family.V1, blocks=2))
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    # Also under another name: the content tells.
    (tmp_path / "cut.model").write_bytes(content[:2000])
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    (tmp_path / "text.npz").write_text("no model")
    (tmp_path / "folder").mkdir()
    tflite = (data_dir / "models/vww_96_float.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(tflite[:100_000])
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")
    layers = keras.layers
    pooled = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.MaxPooling2D()])
    pooled.save(tmp_path / "pooled.keras")
    pooled.export(str(tmp_path / "pooled"), verbose=False)
    keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 1)]).save(
        tmp_path / "open.keras"
    )
    ssd = data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite"
    for path, sentence in (
        (tmp_path / "none.npz", "does not exist"),
        (tmp_path / "cut.npz", "is damaged: copy it again"),
        (tmp_path / "cut.model", "is damaged: copy it again"),
        (tmp_path / "other.npz", "is no network that edge-export saved"),
        (tmp_path / "text.npz", "is no model that can be read: a Keras .h5 or .keras file, a Sav"),
        (tmp_path / "folder", "is no SavedModel"),
        (tmp_path / "cut.tflite", "is damaged or cut short"),
        (tmp_path / "other.keras", "is a zip file and no Keras model"),
        (tmp_path / "pooled.keras", "has a layer of the kind MaxPooling2D"),
        (tmp_path / "pooled", "has the operator MAX_POOL_2D"),
        (tmp_path / "open.keras", "which is not one picture of a fixed size"),
        (ssd, "has the operator CONCATENATION"),
    ):
        with pytest.raises(EdgeRuntimeError) as told:
            open_network(path, (-1.0, 1.0))
        assert sentence in str(told.value)
        assert str(path) in str(told.value)
    with pytest.raises(ExportError, match="takes floats: say what black and white are for it"):
        open_network(data_dir / "models/vww_96.h5")


def test_the_float_file_of_a_detector_of_ours_is_raw(tmp_path: Path) -> None:
    trained = small_detector()
    save(tmp_path / "network.npz", trained)
    assert float_tflite(tmp_path / "network.npz") == float_model(trained)
