"""What training starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_export.architectures.channels import layers
from model_export.architectures.frameworks import keras3
from model_export.architectures.keras_model import build
from model_export.architectures.spec import Classifier, Input
from model_export.weights import LayerWeights, Trained, read


def untrained(network: Classifier, seed: int) -> Trained:
    """The network with random weights."""
    keras = keras3()
    keras.utils.set_random_seed(seed)
    return read(network, build(network, keras))


def adapted(
    trained: Trained, *, height: int, width: int, channels: int, classes: int, seed: int
) -> Trained:
    """The network for pictures of another size and other classes, which it has yet to learn.

    A network for colours that is to see grey sees all colours alike.

    Raises:
        ExportError: the size is too small, or there are too few classes or channels.
    """
    backbone, kernel = trained.network.backbone, trained.weights["stem"].kernel
    # Checks what a caller said; the type only knows 1 and 3.
    picture: Input = replace(backbone.input, height=height, width=width, channels=channels)  # type: ignore[arg-type]
    if channels != kernel.shape[2]:
        kernel = kernel.sum(axis=2, keepdims=True).repeat(channels, axis=2) / channels
    network = replace(trained.network, backbone=replace(backbone, input=picture), classes=classes)
    features = network.hidden.channels if network.hidden else backbone.features
    # As Glorot and Bengio 2010, which is Keras' own choice.
    limit = np.sqrt(6 / (features + classes))
    rng = np.random.default_rng(seed)
    fresh = LayerWeights(
        rng.uniform(-limit, limit, (features, classes)).astype(np.float32),
        bias=np.zeros(classes, np.float32),
    )
    stem = replace(trained.weights["stem"], kernel=kernel)
    weights = {layer.name: trained.weights[layer.name] for layer in layers(trained.network)}
    return Trained(network, {**weights, "stem": stem, "classes": fresh})
