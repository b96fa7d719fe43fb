"""One number taken from all scores, so that a detector is silent where there is nothing.

The order of scores stays, and so does what a detector is good for; what changes is how often it
speaks at the threshold that boards use.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model_export.architectures.channels import CLASSES, layers
from model_export.architectures.frameworks import keras3
from model_export.architectures.spec import Detector
from model_export.curves import lowest_threshold
from model_export.errors import ExportError
from model_export.training.pictures import as_input
from model_export.weights import Floats, LayerWeights, Trained

_BATCH = 32
_TINY = 1e-6


def best_scores(trained: Trained, pictures: NDArray[np.uint8]) -> Floats:
    """Of each of N pictures (N x height x width x channels) a detector's best score, 0..1."""
    model = trained.model(keras3())
    given = trained.network.backbone.input
    parts = np.array_split(pictures, -(-len(pictures) // _BATCH))
    scores = [np.asarray(model(as_input(part, given), training=False)[1]) for part in parts]
    return np.concatenate([each[..., 1:].max(axis=(1, 2)) for each in scores])


def silenced(
    trained: Trained, empty: NDArray[np.uint8], false_alarms: float, threshold: float = 0.5
) -> Trained:
    """The detector with scores of which as few reach the threshold as are wanted.

    Scores rise where it was more silent than that.

    Args:
        empty: N x height x width x channels pictures without an object. What it is measured on
            afterwards should be others.
        false_alarms: in at most this share of them, 0..1, something is seen.
        threshold: the score from which it counts, between 0 and 1.

    Raises:
        ExportError: it is no detector, there are no pictures, or it is too sure in too many.
    """
    network = trained.network
    if not isinstance(network, Detector):
        raise ExportError("a classifier was given where a detector is needed")
    if not len(empty) or not 0 <= false_alarms < 1 or not 0 < threshold < 1:
        raise ExportError(
            "for silence, pictures without an object, a share of them in 0..1 and a threshold "
            f"between 0 and 1 are needed, not {len(empty)}, {false_alarms:g} and {threshold:g}"
        )
    scores = best_scores(trained, empty)
    found = lowest_threshold(scores, np.zeros(len(scores), bool), false_alarms)
    if found is None:
        raise ExportError(
            f"the detector is wholly sure of something in more than {false_alarms:.1%} of "
            f"{len(empty)} pictures without an object: train it on more such pictures"
        )
    # Of each anchor the background comes first.
    by = np.array([0, *[_logit(threshold) - _logit(found)] * network.classes], np.float32)
    heads = {layer.name: layer.outputs for layer in layers(network) if layer.target == CLASSES}
    moved = {
        name: _moved(trained, name, np.tile(by, outputs // network.scores))
        for name, outputs in heads.items()
    }
    return Trained(network, {**trained.weights, **moved})


def _moved(trained: Trained, name: str, by: Floats) -> LayerWeights:
    found = trained.weights[name]
    assert found.bias is not None  # Trained has seen to it
    return replace(found, bias=found.bias + by)


def _logit(score: float) -> float:
    safe = min(max(score, _TINY), 1 - _TINY)
    return float(np.log(safe / (1 - safe)))
