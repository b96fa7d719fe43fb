"""What training starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_export.architectures.channels import CLASSES, layers
from model_export.architectures.frameworks import keras3
from model_export.architectures.keras_model import build
from model_export.architectures.spec import Classifier, Input, Network
from model_export.errors import ExportError
from model_export.weights import LayerWeights, Trained, Weights, read

_RARE = -np.log(1 / 0.01 - 1)
"""What a sigmoid makes 0.01 of. Source: Lin et al. 2017, arXiv 1708.02002, part 4.1: without it the
thousands of anchors without an object drown the others."""


def untrained(network: Network, seed: int) -> Trained:
    """The network with random weights; a detector's say that hardly any anchor has an object."""
    keras = keras3()
    keras.utils.set_random_seed(seed)
    found = read(network, build(network, keras))
    if isinstance(network, Classifier):
        return found
    # Of each anchor the background comes first, and it is everywhere.
    of_anchor = np.array([-_RARE, *[_RARE] * network.classes], np.float32)
    rare = {
        layer.name: replace(
            found.weights[layer.name],
            bias=np.tile(of_anchor, layer.outputs // network.scores),
        )
        for layer in layers(network)
        if layer.target == CLASSES
    }
    return Trained(network, {**found.weights, **rare})


def adapted(
    trained: Trained, *, height: int, width: int, channels: int, classes: int, seed: int
) -> Trained:
    """The network for pictures of another size and other classes, which it has yet to learn.

    A network for colours that is to see grey sees all colours alike.

    Raises:
        ExportError: the size is too small, or there are too few classes or channels; or it is no
            classifier.
    """
    if not isinstance(trained.network, Classifier):
        raise ExportError("a detector was given where a classifier is needed")
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


def with_layers_of(start: Trained, source: Weights) -> Trained:
    """`start` with the weights of all layers that `source` has, too, under one name and shape.

    So a detector begins with the backbone of a classifier.
    """
    shared = {
        name: source[name]
        for name, found in start.weights.items()
        if name in source and source[name].kernel.shape == found.kernel.shape
    }
    return Trained(start.network, {**start.weights, **shared})
