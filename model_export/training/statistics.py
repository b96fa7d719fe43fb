"""The statistics of normalisation, measured on pictures.

Layers are normalised by what their outputs have as mean and variance. A published .tflite has this
folded into its weights, and a pruned or averaged network has that of another network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from model_export.architectures.channels import layers
from model_export.architectures.frameworks import keras3
from model_export.architectures.keras_model import EPSILON
from model_export.errors import ExportError
from model_export.weights import Floats, Norm, Trained

_BATCH = 32


def unfolded(trained: Trained, pictures: Floats) -> Trained:
    """The same function, with normalisations that measure what they normalise.

    Where they were folded into the weights, training would begin by normalising outputs that
    nobody scales back. Here gain and offset are chosen to undo what mean and variance do, so that
    training starts from the network that was published.

    Args:
        pictures: N x height x width x channels as the network wants them, like those it is to be
            trained on; 50 or more.

    Raises:
        ExportError: there are no pictures, or of another size.
    """
    measured = _measure(trained, pictures, training=False)

    def unfold(norm: Norm, mean: Floats, variance: Floats) -> Norm:
        deviation = np.sqrt(variance + EPSILON)
        gamma = norm.gain * deviation
        return Norm(gamma, norm.offset + mean * norm.gain, mean, variance)

    return _with_norms(
        trained,
        {name: unfold(_norm(trained, name), *found) for name, found in measured.items()},
    )


def reestimated(trained: Trained, pictures: Floats) -> Trained:
    """The same gains and offsets, with the mean and variance that the outputs now have.

    Arguments and errors are those of `unfolded`.
    """
    measured = _measure(trained, pictures, training=True)
    return _with_norms(
        trained,
        {
            name: replace(_norm(trained, name), mean=mean, variance=variance)
            for name, (mean, variance) in measured.items()
        },
    )


def _norm(trained: Trained, name: str) -> Norm:
    norm = trained.weights[name].norm
    assert norm is not None  # Trained has seen to it
    return norm


def _with_norms(trained: Trained, norms: Mapping[str, Norm]) -> Trained:
    weights = {
        name: replace(found, norm=norms.get(name, found.norm))
        for name, found in trained.weights.items()
    }
    return Trained(trained.network, weights)


def _measure(
    trained: Trained, pictures: Floats, *, training: bool
) -> dict[str, tuple[Floats, Floats]]:
    """Mean and variance of each channel that is normalised.

    In `training`, each layer sees what the ones before it make of a batch by the batch's own
    statistics, as in training; else by those that the network has.
    """
    given = trained.network.backbone.input
    if pictures.shape[1:] != (given.height, given.width, given.channels) or not len(pictures):
        raise ExportError(
            f"pictures of the shape {pictures.shape} were given to measure with, and at least one "
            f"of {given.height}x{given.width}x{given.channels} is needed"
        )
    names = [layer.name for layer in layers(trained.network) if layer.normalised]
    model = _moments(trained, names)
    # Batches of one size: each counts the same, and none is too small to have a variance.
    parts = np.array_split(pictures, -(-len(pictures) // _BATCH))
    shares = np.array([len(part) for part in parts], np.float32) / len(pictures)
    found = [[np.asarray(value) for value in model(part, training=training)] for part in parts]
    # Of each layer the mean and the mean square.
    moments = [
        np.average(np.stack(layer), axis=0, weights=shares) for layer in zip(*found, strict=True)
    ]
    return {
        name: (mean.astype(np.float32), np.maximum(square - mean**2, 0).astype(np.float32))
        for name, mean, square in zip(names, moments[0::2], moments[1::2], strict=True)
    }


def _moments(trained: Trained, names: list[str]) -> Any:
    """A model of the mean and the mean square of each channel of those layers."""
    keras = keras3()
    model = trained.model(keras)
    outputs = []
    for name in names:
        output = model.get_layer(name).output
        outputs += [
            keras.ops.mean(output, (0, 1, 2)),
            keras.ops.mean(keras.ops.square(output), (0, 1, 2)),
        ]
    return keras.Model(model.input, outputs)
