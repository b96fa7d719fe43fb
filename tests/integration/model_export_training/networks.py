"""Small networks with weights of which each counts, and pictures that are easily learned."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from model_export.architectures.channels import Kind, Layer, layers
from model_export.architectures.mobilenet import Family, classifier
from model_export.architectures.spec import Input, Network
from model_export.training.pictures import Pictures
from model_export.weights import LayerWeights, Norm, Trained


def shaken(weights: list[Any]) -> list[Any]:
    """Values for a Keras model: gains and variances near 1, kernels that keep the scale."""
    rng = np.random.default_rng(5)
    return [
        rng.uniform(0.5, 1.5, value.shape)
        if value.ndim == 1
        else rng.normal(0, np.sqrt(2 / prod(value.shape[:-1])), value.shape)
        for value in weights
    ]


def random_model(family: Family, size: int = 64, classes: int = 3, blocks: int = 99) -> Trained:
    """With the first `blocks` of the family's blocks."""
    network = classifier(family, 0.35, Input(size, size), classes)
    features = replace(network.backbone, blocks=network.backbone.blocks[:blocks])
    network = replace(network, backbone=features)
    return random_weights(network)


def random_weights(network: Network) -> Trained:
    rng = np.random.default_rng(5)
    return Trained(network, {layer.name: _random(layer, rng) for layer in layers(network)})


def shades(
    greys: tuple[int, ...] = (30, 220), count: int = 24, names: tuple[str, ...] = ("dark", "bright")
) -> Pictures:
    """Noisy pictures of 32 x 32 whose brightness is their class."""
    labels = np.arange(count) % len(greys)
    noise = np.random.default_rng(0).integers(-20, 20, (count, 32, 32, 3))
    pixels = np.array(greys)[labels][:, np.newaxis, np.newaxis, np.newaxis] + noise
    return Pictures(np.clip(pixels, 0, 255).astype(np.uint8), labels, names)


def _random(layer: Layer, rng: np.random.Generator) -> LayerWeights:
    """Weights that let through as much as comes in, so that each picture has its own answer."""
    fan_in = layer.kernel**2 * (1 if layer.kind is Kind.DEPTHWISE else layer.inputs)

    def uniform(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, layer.outputs).astype(np.float32)

    kernel = rng.normal(0, np.sqrt(2 / fan_in), layer.shape).astype(np.float32)
    if not layer.normalised:
        return LayerWeights(kernel, bias=uniform(-0.5, 0.5))
    norm = Norm(uniform(0.5, 1.5), uniform(-0.5, 0.5), uniform(-0.1, 0.1), uniform(0.5, 1.5))
    return LayerWeights(kernel, norm=norm)


def kill(trained: Trained, dead: dict[str, np.ndarray]) -> Trained:
    """The network with nothing but zeros in these channels, wherever they are written."""
    weights = dict(trained.weights)
    for layer in layers(trained.network):
        if layer.target in dead and not layer.name.endswith("_excite"):
            weights[layer.name] = without(weights[layer.name], layer.kind, dead[layer.target])
    return Trained(trained.network, weights)


def without(found: LayerWeights, kind: Kind, dead: np.ndarray) -> LayerWeights:
    kernel = found.kernel.copy()
    kernel[(slice(None), slice(None), dead) if kind is Kind.DEPTHWISE else (..., dead)] = 0
    zero = np.ones(len(dead) and _channels(found), np.float32)
    zero[dead] = 0
    norm, bias = found.norm, found.bias
    if norm is not None:
        norm = Norm(norm.gamma * zero, norm.beta * zero, norm.mean, norm.variance)
    return LayerWeights(kernel, None if bias is None else bias * zero, norm)


def _channels(found: LayerWeights) -> int:
    values = found.bias if found.norm is None else found.norm.beta
    assert values is not None
    return len(values)
