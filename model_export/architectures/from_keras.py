"""A network out of a Keras model that others made, Keras 3's or tf_keras'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edge_runtime.inference.preprocess import Range
from model_export.architectures.channels import Kind
from model_export.architectures.recognition import Mark, Step, norm_for, recognise
from model_export.architectures.spec import Activation, Input
from model_export.errors import ExportError
from model_export.weights import Floats, Trained

_TOLERANCE = 1e-4
"""By how much a probability may differ after the weights were carried over."""

_SHARE, _NOISE = 0.01, 1e-6
"""Nor may it by more than this share of what a model tells its pictures apart by: one that was
hardly trained tells them apart by little. What is below the other is rounding."""

_OTHER_NAMES = {"hard_silu": Activation.HARD_SWISH}

_WITHOUT_MEANING = frozenset(
    {"InputLayer", "ZeroPadding2D", "Dropout", "Flatten", "Reshape", "Multiply", "SpatialDropout2D"}
)
"""Layers that change no answer, or that another tells of."""


def from_keras(model: Any, name: str, pixel_range: Range) -> Trained:
    """The network in `model`, checked to give the same answers; `name` is for what is said of it.

    Args:
        pixel_range: what black and white are for it, where it does not scale pixels itself.

    Raises:
        ExportError: it is no MobileNet classifier of ours.
    """
    height, width, channels = (int(side) for side in model.input_shape[1:])
    low, high = pixel_range
    picture = Input(height, width, channels, (float(low), float(high)))  # type: ignore[arg-type]
    steps: list[Step] = []
    for layer in model.layers:
        if type(layer).__name__ == "Rescaling":
            picture = _scaled(picture, layer)
        else:
            _append(steps, layer, name)
    trained = recognise(name, steps, picture)
    same_answers(trained, lambda pictures: model(pictures, training=False), name)
    return trained


def _scaled(picture: Input, layer: Any) -> Input:
    low, scale = float(layer.offset), float(layer.scale)
    return replace(picture, pixel_range=(low, low + 255 * scale), scales=True)


def _append(steps: list[Step], layer: Any, model: str) -> None:
    """The layer as one more step, or as what the last one is followed by."""
    match type(layer).__name__:
        case "Conv2D" | "DepthwiseConv2D" | "Dense" as kind:
            steps.append(_weighted(kind, layer))
        case "BatchNormalization" if steps:
            steps[-1] = replace(steps[-1], norm=_norm(layer))
        case "ReLU" | "Activation" | "Softmax" if steps:
            if steps[-1].activation is Activation.LINEAR:
                steps[-1] = replace(steps[-1], activation=_activation(layer))
        case "Add":
            steps.append(Step(Mark.ADD, layer.name))
        case "GlobalAveragePooling2D" | "AveragePooling2D":
            steps.append(Step(Mark.POOL, layer.name))
        case kind if kind not in _WITHOUT_MEANING:
            raise ExportError(
                f"{model} is no MobileNet classifier: it has a layer of the kind {kind} "
                f"({layer.name})"
            )


def _weighted(kind: str, layer: Any) -> Step:
    kernel, *bias = (np.asarray(value, np.float32) for value in layer.get_weights())
    return Step(
        {"Conv2D": Kind.CONV, "DepthwiseConv2D": Kind.DEPTHWISE, "Dense": Kind.DENSE}[kind],
        layer.name,
        kernel,
        bias[0] if bias else None,
        stride=1 if kind == "Dense" else int(layer.strides[0]),
        activation=_activation(layer),
    )


def _norm(layer: Any) -> Any:
    """Where gamma or beta were left out, they are 1 and 0."""
    values = iter(np.asarray(value, np.float32) for value in layer.get_weights())
    gamma = next(values) if layer.scale else None
    beta = next(values) if layer.center else None
    mean, variance = values
    ones = np.ones_like(mean)
    return norm_for(
        float(layer.epsilon),
        ones if gamma is None else gamma,
        0 * ones if beta is None else beta,
        mean,
        variance,
    )


def _activation(layer: Any) -> Activation:
    """Of those that are known; the comparison of the answers finds what is not."""
    if type(layer).__name__ == "ReLU":
        return Activation.RELU6 if layer.max_value is not None else Activation.RELU
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    name = _OTHER_NAMES.get(name, name)
    return Activation(name) if name in set(Activation) else Activation.LINEAR


def same_answers(trained: Trained, answers: Callable[[Floats], Any], name: str) -> None:
    """Hold the network to what it was read from: `answers` of N pictures, for the same noise.

    Raises:
        ExportError: the two differ; `name` is for what is said of it.
    """
    pictures = _noise(trained.network.backbone.input)
    expected = np.asarray(answers(pictures))
    found = np.asarray(trained.model()(pictures, training=False))
    if expected.shape != found.shape:
        raise ExportError(
            f"{name} gives answers of the shape {expected.shape[1:]}, and a classifier gives one "
            f"of {found.shape[1:]}"
        )
    difference = float(np.abs(expected - found).max())
    if not difference <= min(_TOLERANCE, _SHARE * float(np.ptp(expected, axis=0).max()) + _NOISE):
        raise ExportError(
            f"{name} has the layers of a MobileNet, but computes something else with them: "
            f"rebuilt, its answers differ by up to {difference:.2g}"
        )


def _noise(picture: Input) -> Floats:
    """Pictures of rising contrast."""
    low, high = (0.0, 255.0) if picture.scales else picture.pixel_range
    shape = (4, picture.height, picture.width, picture.channels)
    shares = np.random.default_rng(0).random(shape) * np.linspace(0.25, 1, 4).reshape(4, 1, 1, 1)
    return (low + shares * (high - low)).astype(np.float32)
