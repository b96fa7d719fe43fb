"""What others saved: Keras 2, Keras 3, SavedModel, and what is none of them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError
from model_export.conversion import float_tflite, from_keras
from model_export.errors import ExportError
from model_export.flatbuffer import EditableModel
from model_export.loading import Format, format_of, load_keras
from model_export.observation import Inputs, observe
from model_export.quantization import Calibration, Io, Precision, Quantization, quantize

SIZE = 32


def run(content: bytes, picture: Any) -> Any:
    model = EditableModel(content)
    return observe(model, picture)[model.outputs[0]].mean


@pytest.fixture(scope="module")
def pictures() -> Inputs:
    return np.random.default_rng(0).random((8, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def keras3() -> Any:
    """A V3 block by hand: hard-swish, squeeze and excite, a residual."""
    import keras

    keras.utils.set_random_seed(0)
    given = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(given)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("hard_swish")(x)
    y = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True)(y)
    squeezed = keras.layers.Conv2D(8, 1, activation="hard_sigmoid")(squeezed)
    y = keras.layers.Multiply()([y, squeezed])
    x = keras.layers.Add()([x, y])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def keras2() -> Any:
    """MobileNetV2 as Keras 2 has it, thin and with random weights."""
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    return tf_keras.applications.MobileNetV2((SIZE, SIZE, 3), alpha=0.35, weights=None, classes=3)


def test_the_reference_gives_what_the_published_float_model_gives(
    converted: bytes, float_model: bytes
) -> None:
    picture = np.random.default_rng(0).random((1, 96, 96, 3)).astype(np.float32)
    np.testing.assert_allclose(run(converted, picture), run(float_model, picture), atol=1e-5)
    model = EditableModel(converted)
    assert {node.name for node in model.nodes} == {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "AVERAGE_POOL_2D",
        "FULLY_CONNECTED",
        "SOFTMAX",
    }


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_keras_3_files_are_converted(
    suffix: str, keras3: Any, pictures: Inputs, tmp_path: Path
) -> None:
    path = tmp_path / f"model.{suffix}"
    keras3.save(path)
    content = float_tflite(path)
    for picture in pictures[:3]:
        expected = np.asarray(keras3(picture[None]))[0]
        np.testing.assert_allclose(run(content, picture[None]), expected, atol=1e-5)


def test_a_saved_model_is_converted_and_quantized(
    keras2: Any, pictures: Inputs, tmp_path: Path
) -> None:
    path = tmp_path / "saved"
    keras2.export(str(path))
    assert format_of(path) is Format.SAVED_MODEL
    content = float_tflite(path)
    expected = np.asarray(keras2(pictures[:1]))[0]
    np.testing.assert_allclose(run(content, pictures[:1]), expected, atol=1e-5)
    # ReLU6 is not equalized, residuals and open pads are there: it has to work all the same.
    small = quantize(content, Quantization(Precision.INT8, Io.INT8), Calibration(pictures, (0, 1)))
    assert len(small) < 0.5 * len(content)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=small)
    interpreter.allocate_tensors()
    (given,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.rint(pictures[:1] * 255 - 128).astype(np.int8))
    interpreter.invoke()
    scale, zero = out["quantization"]
    scores = (interpreter.get_tensor(out["index"])[0].astype(np.float32) - zero) * scale
    np.testing.assert_allclose(scores, expected, atol=0.03)


def test_outputs_keep_their_order() -> None:
    import keras

    given = keras.Input((SIZE, SIZE, 3))
    outputs = [
        keras.layers.Conv2D(count, 3, name=name)(given) for count, name in ((5, "z"), (2, "a"))
    ]
    model = EditableModel(from_keras(keras.Model(given, outputs), "heads"))
    assert [model.tensor_shape(index)[-1] for index in model.outputs] == [5, 2]


def test_hard_swish_and_squeeze_and_excite_are_quantized(keras3: Any, pictures: Inputs) -> None:
    content = from_keras(keras3, "model")
    small = EditableModel(
        quantize(content, Quantization(Precision.INT8, Io.INT8), Calibration(pictures, (0, 1)))
    )
    computed = {small.tensor_type(node.inputs[0]) for node in small.nodes}
    assert computed == {"int8"}


def test_quantization_aware_models_keep_the_ranges_of_their_training(
    pictures: Inputs, tmp_path: Path
) -> None:
    tfmot = pytest.importorskip(
        "tensorflow_model_optimization",
        reason="tensorflow-model-optimization is not installed: pip install 'edge-runtime[export]'",
    )
    import tf_keras

    plain = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(8, 3, activation="relu", input_shape=(SIZE, SIZE, 3)),
            tf_keras.layers.GlobalAveragePooling2D(),
            tf_keras.layers.Dense(3, activation="softmax"),
        ]
    )
    aware = tfmot.quantization.keras.quantize_model(plain)
    aware.compile("sgd", "sparse_categorical_crossentropy")
    aware.fit(pictures, np.arange(8) % 3, epochs=2, verbose=0)
    model = EditableModel(from_keras(aware, "model", quantization_aware=True))
    assert {model.tensor_type(index) for index in (*model.inputs, *model.outputs)} == {"int8"}


# What cannot be


def test_what_is_no_model_is_said_in_a_sentence(models: Path, tmp_path: Path) -> None:
    def file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    whole = (models / "vww_96.h5").read_bytes()
    archive = tmp_path / "other.keras"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("readme.txt", "no model")
    (tmp_path / "folder").mkdir()
    for path, sentence in (
        (tmp_path / "none.h5", "does not exist"),
        (tmp_path / "folder", "is no SavedModel: it has no saved_model.pb"),
        (file("empty.h5", b""), "is empty: a Keras .h5 or .keras file, a SavedModel folder or"),
        (file("text.h5", b"no model at all"), "is no model that can be read: a Keras .h5"),
        (file("cut.h5", whole[:100_000]), "is damaged or cut short: copy it again"),
        (file("cut.keras", b"PK\x03\x04 and no more"), "is a zip file and no Keras model, or it"),
        (archive, "is a zip file and no Keras model, or it is damaged"),
    ):
        with pytest.raises(ExportError) as caught:
            float_tflite(path)
        assert sentence in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_damaged_saved_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(ExportError, match=r"the SavedModel .* is damaged"):
        float_tflite(tmp_path)


def test_a_tflite_file_that_is_cut_short_is_said(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((models / "vww_96_float.tflite").read_bytes()[:100_000])
    with pytest.raises(ModelError, match="is damaged or cut short"):
        float_tflite(path)


def test_weights_alone_are_no_model(keras2: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    keras2.save_weights(path)
    with pytest.raises(ExportError, match=r"holds no model, only weights at best: save all of it"):
        load_keras(path)


def test_a_layer_that_is_code_is_not_run(tmp_path: Path) -> None:
    import tf_keras

    path = tmp_path / "model.h5"
    given = tf_keras.Input((SIZE, SIZE, 3))
    tf_keras.Model(given, tf_keras.layers.Lambda(lambda x: x + 1)(given)).save(path)
    with pytest.raises(ExportError, match="has a Lambda layer, which is code that would be run"):
        load_keras(path)


def test_a_layer_that_keras_does_not_know_is_named(keras3: Any, tmp_path: Path) -> None:
    path, changed = tmp_path / "model.keras", tmp_path / "changed.keras"
    keras3.save(path)
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "config.json":
                content = json.dumps(
                    json.loads(content.replace(b'"DepthwiseConv2D"', b'"Special"'))
                ).encode()
            after.writestr(name, content)
    with pytest.raises(ExportError, match=r"cannot be loaded by Keras 3.*Special"):
        load_keras(changed)


def test_a_model_of_something_else_than_one_picture_is_refused(tmp_path: Path) -> None:
    import keras

    words = keras.Sequential([keras.Input((10,)), keras.layers.Dense(2)])
    with pytest.raises(ExportError, match=r"takes \[None, 10\], which is not one picture of a"):
        from_keras(words, "words.keras")
    open_size = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    with pytest.raises(ExportError, match=r"takes \[None, None, None, 3\], which is not one"):
        from_keras(open_size, "open.keras")


def test_what_tensorflow_lite_cannot_do_is_said(tmp_path: Path) -> None:
    import tensorflow as tf

    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3])])
        def __call__(self, image: Any) -> Any:
            return tf.linalg.svd(image, compute_uv=False)

    path = tmp_path / "odd"
    odd = Odd()
    tf.saved_model.save(odd, str(path), signatures={"serving_default": odd.__call__})
    with pytest.raises(ExportError, match=r"TensorFlow cannot convert .*odd: .*Svd"):
        float_tflite(path)
    shutil.rmtree(path)
    tf.saved_model.save(odd, str(path), signatures={"other": odd.__call__})
    with pytest.raises(ExportError, match=r"has no signature serving_default \(it has other\)"):
        float_tflite(path)
