"""A sigmoid's input is not spread over what its output cannot show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_export.conversion import from_keras
from model_export.flatbuffer import EditableModel
from model_export.observation import Inputs
from model_export.quantization import Calibration, Precision, Quantization, prepare, quantize
from model_export.saturation import saturated

SIZE = 16


@pytest.fixture(scope="module")
def pictures() -> Inputs:
    return np.random.default_rng(0).random((12, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    """Scores from two maps, of which one has a channel with a logit of 100."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    given = keras.Input((SIZE, SIZE, 3))
    first = layers.Conv2D(4, 3, padding="same", name="first")(given)
    second = layers.Conv2D(2, 1)(layers.AveragePooling2D(2)(given))
    rows = [layers.Reshape((-1, 2))(maps) for maps in (first, second)]
    scores = layers.Activation("sigmoid")(layers.Concatenate(axis=1)(rows))
    made = keras.Model(given, scores)
    kernel, bias = made.get_layer("first").get_weights()
    made.get_layer("first").set_weights([4 * kernel, bias + np.array([0, 0, 0, 100], np.float32)])
    return made


def scores(content: bytes, picture: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT16X8])
def test_one_wild_value_does_not_make_all_scores_coarse(
    model: Any, pictures: Inputs, precision: Precision
) -> None:
    content = from_keras(model, "model")
    small = quantize(content, Quantization(precision), Calibration(pictures, (0, 1)))
    moved = [
        np.abs(scores(small, picture) - np.asarray(model(picture[None]))[0])
        for picture in pictures[:4]
    ]
    # In steps of 100 / 255, it would be 0.06 and 0.018.
    assert np.max(moved) < 0.02
    assert np.mean(moved) < 0.005


def test_only_what_nothing_else_reads_is_cut_off(model: Any, pictures: Inputs) -> None:
    import keras

    given = keras.Input((SIZE, SIZE, 3))
    layers = keras.layers
    x = layers.Conv2D(4, 1, name="gated", kernel_initializer="ones")(layers.Rescaling(50)(given))
    swish = keras.Model(given, layers.Activation("swish")(x))
    for network, cut in ((model, True), (swish, False)):
        ready = prepare(from_keras(network, "model"), Calibration(pictures, (0, 1)))
        editable = EditableModel(ready.content)
        before = {node.inputs[0] for node in editable.nodes if node.name == "LOGISTIC"}
        (logits,) = (editable.tensor_name(tensor) for tensor in before)
        ranges = saturated(editable, ready.ranges, 256)
        assert max(map(abs, ready.ranges[logits])) > 50
        assert (max(map(abs, ranges[logits])) == pytest.approx(np.log(512))) == cut
        assert ranges.keys() == ready.ranges.keys()
