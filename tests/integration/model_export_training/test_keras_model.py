"""The networks as keras.applications has them: the same weights give the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_export.architectures.keras_model import build
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Input
from model_export.errors import ExportError
from tests.integration.model_export_training.networks import shaken

SIZE = 64
PICTURE = Input(SIZE, SIZE)


def published(keras: Any, family: Family, alpha: float) -> Any:
    make, options = {
        Family.V1: ("MobileNet", {}),
        Family.V2: ("MobileNetV2", {}),
        Family.V3_SMALL: ("MobileNetV3Small", {"include_preprocessing": False}),
        Family.V3_LARGE: ("MobileNetV3Large", {"include_preprocessing": False}),
        Family.V3_SMALL_MINIMALISTIC: (
            "MobileNetV3Small",
            {"include_preprocessing": False, "minimalistic": True},
        ),
    }[family]
    return getattr(keras.applications, make)(
        input_shape=(SIZE, SIZE, 3), alpha=alpha, weights=None, classes=7, **options
    )


@pytest.mark.parametrize(
    ("family", "alpha"),
    [
        (Family.V1, 0.35),
        (Family.V2, 0.35),
        (Family.V2, 1.3),
        (Family.V3_SMALL, 0.75),
        (Family.V3_LARGE, 0.35),
        (Family.V3_SMALL_MINIMALISTIC, 0.5),
    ],
)
def test_with_the_published_weights_the_answers_are_the_published_ones(
    keras: Any, family: Family, alpha: float
) -> None:
    theirs, ours = published(keras, family, alpha), build(classifier(family, alpha, PICTURE, 7))
    assert ours.count_params() == theirs.count_params()
    weights = shaken(theirs.get_weights())
    theirs.set_weights(weights)
    ours.set_weights(
        [value.reshape(own.shape) for value, own in zip(weights, ours.get_weights(), strict=True)]
    )
    pictures = np.random.default_rng(2).uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    expected, found = (np.asarray(model(pictures, training=False)) for model in (theirs, ours))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_that_scales_takes_pixels_and_answers_alike(keras: Any) -> None:
    outside = build(classifier(Family.V2, 0.35, Input(32, 48, 1), 3))
    inside = build(classifier(Family.V2, 0.35, Input(32, 48, 1, scales=True), 3))
    inside.set_weights(outside.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 1)).astype(np.float32)
    np.testing.assert_allclose(inside(pixels), outside(pixels / 127.5 - 1), atol=1e-5)


def test_a_model_that_computes_in_bfloat16_holds_and_gives_float32(keras: Any) -> None:
    model = build(classifier(Family.V3_SMALL, 0.35, PICTURE, 3), dtype="mixed_bfloat16")
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert model.get_layer("stem").compute_dtype == "bfloat16"
    assert model.get_layer("probabilities").compute_dtype == "float32"


@pytest.mark.parametrize("family", [Family.V1, Family.V2, Family.V3_SMALL_MINIMALISTIC])
def test_tf_keras_builds_the_same(keras: Any, tf_keras: Any, family: Family) -> None:
    network = classifier(family, 0.35, PICTURE, 3)
    modern, legacy = build(network), build(network, tf_keras)
    legacy.set_weights(shaken(modern.get_weights()))
    modern.set_weights(legacy.get_weights())
    pictures = np.random.default_rng(2).uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    np.testing.assert_allclose(modern(pictures), legacy(pictures), atol=1e-5)


def test_what_tf_keras_lacks_is_told(tf_keras: Any) -> None:
    with pytest.raises(ExportError, match="has hard-swish, which tf_keras and"):
        build(classifier(Family.V3_SMALL, 1, PICTURE, 3), tf_keras)
