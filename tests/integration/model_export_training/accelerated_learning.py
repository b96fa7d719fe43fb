"""Trains small detectors as an accelerator would, in a process whose Keras runs on JAX."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np

from model_export.architectures.mobilenet import Family, backbone
from model_export.architectures.spec import (
    Activation,
    Detector,
    Input,
    Pyramid,
    SingleAnchors,
)
from model_export.training.accelerated import train_on_accelerator
from model_export.training.accelerated_plan import AcceleratedPlan
from model_export.training.classification import Precision
from model_export.training.loop import Epoch
from model_export.training.silence import best_scores
from model_export.training.starting import untrained
from model_export.training.views import Views
from model_export.training.witness import Layer, Witness
from model_export.weights import Trained
from tests.integration.model_export_training.test_detector_training import red_things

EPOCHS = 8
FAINT = Views(0.25, 0.05, (0.8, 1.3), 1.1, (0.2, 24), 0.3, 0, (0.2, 0.05), 0)


def network() -> Detector:
    whole = backbone(Family.V2, 0.35, Input(64, 64))
    features = replace(whole, blocks=whole.blocks[:4], last=None)
    return Detector(features, (), 1, SingleAnchors(((0.4, 0.4),)), pyramid=Pyramid(16))


def plan(epochs: int) -> AcceleratedPlan:
    return AcceleratedPlan(
        epochs, 0.01, 16, 4, FAINT, every=epochs // 2, precision=Precision.FLOAT32
    )


def blind() -> Witness:
    """Has one convolution of 1x1, and sees nothing."""
    layer = Layer(0, 1, 1, False, Activation.LINEAR, True)
    weights = np.zeros((1, 1, 3, 1), np.float32), np.full(1, -4, np.float32)
    return Witness(0, (-1, 1), (layer,), (weights,))


def main() -> None:
    scenes, validation = red_things(192, 1), red_things(64, 2)
    start = untrained(network(), 0)
    told: list[Epoch] = []
    checkpoints: list[Trained] = []
    found = train_on_accelerator(
        start, scenes, validation, plan(EPOCHS), told.append, checkpoint=checkpoints.append
    )
    pupil = train_on_accelerator(
        untrained(network(), 1),
        scenes,
        validation,
        replace(plan(EPOCHS), witness=2.0),
        teacher=found.trained,
        witness=blind(),
    )
    pixels = np.stack([scene.pixels for scene in validation.scenes])
    kernel = "stem"
    sys.stdout.write(
        json.dumps(
            {
                "epochs": [epoch.number for epoch in told],
                "found": [epoch.validation.accuracy for epoch in told],
                "losses": [epoch.validation.loss for epoch in told],
                "sure": [
                    float(best_scores(each.trained, pixels).mean()) for each in (found, pupil)
                ],
                "pupil": pupil.epochs[-1].validation.accuracy,
                "last_checkpoint": bool(
                    np.array_equal(
                        checkpoints[-1].weights[kernel].kernel, found.trained.weights[kernel].kernel
                    )
                ),
                "moved": float(
                    np.abs(
                        found.trained.weights[kernel].kernel - start.weights[kernel].kernel
                    ).max()
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
