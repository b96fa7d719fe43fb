"""Small networks with weights of which each counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from model_export.architectures.keras_model import build
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Input
from model_export.weights import Trained, read


def shaken(weights: list[Any]) -> list[Any]:
    """Weights of which each counts: gains near 1, and kernels that keep the scale."""
    rng = np.random.default_rng(5)
    return [
        rng.uniform(0.5, 1.5, value.shape)
        if value.ndim == 1
        else rng.normal(0, np.sqrt(2 / np.prod(value.shape[:-1])), value.shape)
        for value in weights
    ]


def random_model(family: Family, size: int = 64, classes: int = 3, blocks: int = 99) -> Trained:
    """With the first `blocks` of the family's blocks."""
    network = classifier(family, 0.35, Input(size, size), classes)
    features = replace(network.backbone, blocks=network.backbone.blocks[:blocks])
    network = replace(network, backbone=features)
    model = build(network)
    model.set_weights(shaken(model.get_weights()))
    return read(network, model)
