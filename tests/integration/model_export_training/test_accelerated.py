"""The compiled training step; on a machine without an accelerator JAX runs it on the processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.architectures.mobilenet import Family
from model_export.architectures.spec import Input
from model_export.architectures.ssdlite import detector
from model_export.errors import ExportError
from model_export.training.accelerated import train_on_accelerator
from model_export.training.accelerated_plan import AcceleratedPlan
from model_export.training.starting import untrained
from tests.integration.model_export_training.networks import random_model
from tests.integration.model_export_training.test_detector_training import network, red_things

pytestmark = pytest.mark.usefixtures("keras")
ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(240)
def test_a_detector_and_its_pupil_learn_to_find_what_they_are_shown() -> None:
    pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.model_export_training.accelerated_learning"],
        cwd=ROOT,
        # Most of the time it compiles; what is compiled need not be fast.
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["epochs"] == [4, 8]
    assert told["found"][-1] > 0.8
    assert np.isfinite(told["losses"]).all()
    assert told["pupil"] > 0.8
    # The witness of the pupil saw nothing anywhere.
    assert told["sure"][1] < told["sure"][0] - 0.1
    assert told["last_checkpoint"]
    assert told["moved"] > 0


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda: train_on_accelerator(
                random_model(Family.V2), red_things(2, 0), red_things(2, 0), AcceleratedPlan(1)
            ),
            "a classifier was given where a detector is needed",
        ),
        (
            lambda: train_on_accelerator(
                untrained(network(2), 0), red_things(2, 0), red_things(2, 0), AcceleratedPlan(1)
            ),
            "the training pictures have 1 classes, and the detector knows 2",
        ),
        (
            lambda: train_on_accelerator(
                untrained(network(), 0),
                red_things(2, 0),
                red_things(2, 0),
                AcceleratedPlan(1),
                teacher=untrained(detector(Family.V2, 0.35, Input(96, 96), 1), 0),
            ),
            "the teacher is no detector with the same anchors",
        ),
        (
            lambda: train_on_accelerator(
                untrained(network(), 0), red_things(2, 0), red_things(2, 0), AcceleratedPlan(1)
            ),
            "runs on JAX, and Keras on tensorflow: set KERAS_BACKEND=jax",
        ),
        (lambda: AcceleratedPlan(0), "training takes at least 1 epoch"),
        (
            lambda: train_on_accelerator(
                untrained(network(), 0),
                red_things(2, 0),
                red_things(2, 0),
                AcceleratedPlan(1, witness=1.0),
            ),
            "a witness counts 1 in the plan and there is none",
        ),
        (lambda: AcceleratedPlan(1, teaching=2), "so is what a teacher counts"),
        (lambda: AcceleratedPlan(1, witness=-1.0), "a witness count is 0 or more, not 0 and -1"),
    ],
)
def test_what_cannot_be_trained_is_told(attempt: Any, sentence: str) -> None:
    with pytest.raises(ExportError, match=sentence):
        attempt()
