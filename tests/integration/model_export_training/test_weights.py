"""Weights from others' models: the published ones, and Keras' own networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from model_export.architectures.from_keras import from_keras
from model_export.architectures.from_tflite import from_tflite
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Activation, Hidden, Input
from model_export.errors import ExportError
from model_export.loading import load_keras
from model_export.training.statistics import reestimated, unfolded
from model_export.weights import Trained, largest_difference, load, read, save, write
from tests.integration.model_export_training.networks import random_model, shaken

PHOTOS = ("cat", "cat_720p", "face", "grace_hopper", "parrot", "pets", "squat")


def photos(data_dir: Path, picture: Input) -> np.ndarray:
    low, high = picture.pixel_range
    found = [cv2.imread(str(data_dir / "images" / f"{name}.jpg")) for name in PHOTOS]
    size = (picture.width, picture.height)
    pixels = np.stack(
        [cv2.resize(image, size, interpolation=cv2.INTER_AREA)[..., ::-1] for image in found]
    )
    return (pixels / 255 * (high - low) + low).astype(np.float32)


@pytest.fixture(scope="session")
def vww(data_dir: Path, tf_keras: Any) -> Trained:
    return from_keras(load_keras(data_dir / "models/vww_96.h5"), "vww_96.h5", (0, 1))


def test_a_keras_2_file_gives_the_same_answers_in_our_network(
    vww: Trained, data_dir: Path, keras: Any
) -> None:
    theirs = load_keras(data_dir / "models/vww_96.h5")
    assert (
        largest_difference(theirs, vww.model(), photos(data_dir, vww.network.backbone.input)) < 1e-5
    )
    assert vww.network.classes == 2
    assert [block.channels for block in vww.network.backbone.blocks][-1] == 256


def test_its_tflite_twins_are_recognised_as_the_same_network(vww: Trained, data_dir: Path) -> None:
    plain = from_tflite(data_dir / "models/vww_96_float.tflite", (0, 1))
    int8 = from_tflite(data_dir / "models/vww_96_int8.tflite")
    assert plain.network == int8.network == vww.network
    pictures = photos(data_dir, vww.network.backbone.input)
    assert largest_difference(vww.model(), plain.model(), pictures) < 1e-4
    assert largest_difference(vww.model(), int8.model(), pictures) < 0.1


@pytest.mark.parametrize("name", ["tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v2_1.0_224_quant"])
def test_a_published_quantized_classifier_sees_the_same_when_it_is_dequantized(
    name: str, data_dir: Path, keras: Any
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = data_dir / "models" / f"{name}.tflite"
    trained = from_tflite(path)
    pictures = photos(data_dir, trained.network.backbone.input)
    found = np.asarray(trained.model()(pictures)).argmax(1)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    expected = []
    for picture in pictures:
        pixels = np.rint((picture + 1) * 127.5).astype(np.uint8)
        interpreter.set_tensor(given["index"], pixels[np.newaxis])
        interpreter.invoke()
        expected.append(int(interpreter.get_tensor(answer["index"])[0].argmax()))
    assert found.tolist() == expected


@pytest.mark.parametrize("family", [Family.V1, Family.V3_SMALL])
def test_a_network_survives_conversion_to_tflite_and_back(
    family: Family, tmp_path: Path, keras: Any
) -> None:
    trained = random_model(family, blocks=4)
    path = tmp_path / "model.tflite"
    trained.model().export(str(path), format="litert", verbose=False)
    again = from_tflite(path, (-1, 1))
    assert again.network == trained.network
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    assert largest_difference(trained.model(), again.model(), pictures) < 1e-4


def test_borders_that_are_padded_before_the_convolution_are_read_too(
    keras: Any, tmp_path: Path
) -> None:
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((33, 64, 3)),
            layers.ZeroPadding2D(((1, 1), (0, 1))),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            layers.Conv2D(16, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    theirs.set_weights(shaken(theirs.get_weights()))
    path = tmp_path / "model.tflite"
    theirs.export(str(path), format="litert", verbose=False)
    again = from_tflite(path, (-1, 1))
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 33, 64, 3)).astype(np.float32)
    assert largest_difference(theirs, again.model(), pictures) < 1e-4


def test_borders_that_are_treated_in_another_way_are_told(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    path = tmp_path / "model.tflite"
    theirs.export(str(path), format="litert", verbose=False)
    with pytest.raises(ExportError, match="in another way than TensorFlow's SAME"):
        from_tflite(path, (-1, 1))


def test_a_keras_application_is_recognised_with_the_scaling_in_it(keras: Any) -> None:
    theirs = keras.applications.MobileNetV3Small(
        input_shape=(64, 64, 3), alpha=0.75, weights=None, classes=5
    )
    found = from_keras(theirs, "theirs", (0, 1))
    picture = Input(64, 64, scales=True)
    assert found.network == classifier(Family.V3_SMALL, 0.75, picture, 5)


def test_tf_keras_gets_the_weights_by_layer_and_answers_alike(
    keras: Any, tf_keras: Any, data_dir: Path
) -> None:
    trained = random_model(Family.V2)
    legacy = trained.model(tf_keras)
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    assert largest_difference(trained.model(), legacy, pictures) < 1e-5
    back = read(trained.network, legacy)
    for name, found in trained.weights.items():
        np.testing.assert_array_equal(back.weights[name].kernel, found.kernel)


def test_layers_of_other_names_keep_what_they_have(keras: Any) -> None:
    trained, other = random_model(Family.V2), random_model(Family.V2, classes=7)
    model = other.model()
    write({name: found for name, found in trained.weights.items() if name != "classes"}, model)
    found = read(other.network, model)
    np.testing.assert_array_equal(found.weights["last"].kernel, trained.weights["last"].kernel)
    np.testing.assert_array_equal(found.weights["classes"].kernel, other.weights["classes"].kernel)


def test_unfolding_changes_no_answer_and_makes_training_see_the_same(
    vww: Trained, data_dir: Path
) -> None:
    folded = from_tflite(data_dir / "models/vww_96_float.tflite", (0, 1))
    pictures = np.concatenate(
        [photos(data_dir, vww.network.backbone.input)[:, ::flip] for flip in (1, -1)]
    )
    found = unfolded(folded, pictures)
    assert largest_difference(folded.model(), found.model(), pictures) < 1e-3

    def training_error(trained: Trained) -> float:
        model = trained.model()
        return float(np.abs(model(pictures) - model(pictures, training=True)).mean())

    # Dropout is in training, too.
    assert training_error(found) < 0.1 < training_error(folded)


def test_reestimated_statistics_are_those_of_the_pictures(keras: Any) -> None:
    trained = random_model(Family.V2)
    pictures = np.random.default_rng(0).uniform(-1, 1, (24, 64, 64, 3)).astype(np.float32)
    found = reestimated(trained, pictures)
    model = found.model()
    assert largest_difference(model, model, pictures) == 0
    outputs = keras.Model(model.input, model.get_layer("last_norm").output)(pictures)
    norm = found.weights["last"].norm
    assert norm is not None
    np.testing.assert_allclose(np.mean(outputs, (0, 1, 2)), norm.beta, atol=0.05)
    np.testing.assert_allclose(np.std(outputs, (0, 1, 2)), norm.gamma, rtol=0.05)


def test_no_pictures_to_measure_with_is_told(keras: Any) -> None:
    with pytest.raises(ExportError, match="at least one of 64x64x3 is needed"):
        unfolded(random_model(Family.V2), np.empty((0, 64, 64, 3), np.float32))


def test_what_is_saved_is_loaded(tmp_path: Path, keras: Any) -> None:
    trained = random_model(Family.V3_SMALL)
    save(tmp_path / "network.npz", trained)
    found = load(tmp_path / "network.npz")
    assert found.network == trained.network
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    assert largest_difference(trained.model(), found.model(), pictures) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist"),
        (b"", "is no network that edge-export saved"),
        (b"no network", "is no network that edge-export saved"),
        (b"PK\x03\x04 cut short", "is damaged: copy it again"),
    ],
)
def test_what_cannot_be_loaded_is_told(
    content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "network.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError) as told:
        load(path)
    assert sentence in str(told.value)


def test_any_cut_of_a_saved_network_is_told(tmp_path: Path, keras: Any) -> None:
    path = tmp_path / "network.npz"
    save(path, random_model(Family.V2))
    content = path.read_bytes()
    for length in range(0, len(content), len(content) // 20):
        path.write_bytes(content[:length])
        with pytest.raises(ExportError):
            load(path)


def test_weights_of_another_network_are_told() -> None:
    trained = random_model(Family.V2)
    other = classifier(Family.V2, 1, Input(64, 64), 3)
    with pytest.raises(ExportError, match="those of the layer stem are 3x3x3x16, and 3x3x3x32"):
        Trained(other, trained.weights)
    with_hidden = replace(trained.network, hidden=Hidden(8, Activation.RELU))
    with pytest.raises(ExportError, match="the layer hidden has none"):
        Trained(with_hidden, trained.weights)
    rest = trained.weights | {"last": replace(trained.weights["last"], norm=None)}
    with pytest.raises(ExportError, match="the layer last needs a normalisation of 1280 channels"):
        Trained(trained.network, rest)


def test_a_model_that_is_no_mobilenet_is_told(keras: Any, data_dir: Path) -> None:
    layers = keras.layers
    plain = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(ExportError, match="plain is no MobileNet classifier: where a mean over"):
        from_keras(plain, "plain", (0, 1))
    recurrent = keras.Sequential([keras.Input((32, 32, 3)), layers.MaxPooling2D()])
    with pytest.raises(ExportError, match="it has a layer of the kind MaxPooling2D"):
        from_keras(recurrent, "recurrent", (0, 1))
    with pytest.raises(ExportError, match="it has the operator CONCATENATION"):
        from_tflite(data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite")


def test_a_mobilenet_that_computes_something_else_is_told(keras: Any) -> None:
    theirs = keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), alpha=0.35, weights=None, classes=5, classifier_activation=None
    )
    with pytest.raises(ExportError, match="computes something else with them: rebuilt, its answ"):
        from_keras(theirs, "theirs", (-1, 1))


def test_a_float_model_without_a_range_is_told(data_dir: Path) -> None:
    with pytest.raises(ExportError, match="say what black and white are for it"):
        from_tflite(data_dir / "models/vww_96_float.tflite")
