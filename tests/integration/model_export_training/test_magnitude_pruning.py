from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_export.architectures.mobilenet import Family
from model_export.errors import ExportError
from model_export.pruning.magnitude import (
    Fading,
    follows_two_of_four,
    measured,
    prune_magnitude,
    prune_two_of_four,
)
from model_export.training.augmentation import NOTHING
from model_export.training.loop import Schedule
from model_export.weights import Trained, load, save
from tests.integration.model_export_training.networks import random_model, shades

FADING = Fading(Schedule(3, 0.003, 3, False), Schedule(1, 0.001, 1, False), 8, NOTHING)


@pytest.fixture(autouse=True)
def toolkit(tf_keras: Any) -> None:
    pytest.importorskip(
        "tensorflow_model_optimization",
        reason="needs the extra `export`: tensorflow-model-optimization is not installed",
    )


def tiny() -> Trained:
    return random_model(Family.V2, size=32, classes=2, blocks=3)


def test_the_share_that_was_asked_is_zero_in_the_end(tmp_path: Path) -> None:
    data = shades(count=48)
    found = prune_magnitude(tiny(), 0.7, data, data, FADING)
    assert [epoch.number for epoch in found.epochs] == [1, 2, 3, 4]
    for name, share in found.by_layer.items():
        spared = name.endswith("depthwise") or name == "stem"
        assert share == pytest.approx(0 if spared else 0.7, abs=0.02), name
    assert 0.6 < found.sparsity < 0.7
    assert found.gain == "a smaller download, no speed"
    assert found.trained.network == tiny().network
    # Zeros survive being saved, and compress.
    save(tmp_path / "sparse.npz", found.trained)
    again = load(tmp_path / "sparse.npz")
    assert measured(again).sparsity == found.sparsity
    dense, sparse = (
        len(gzip.compress(trained.weights["last"].kernel.tobytes())) for trained in (tiny(), again)
    )
    assert sparse < 0.5 * dense


def test_two_of_four_are_zero() -> None:
    data = shades()
    fading = replace(FADING, ramp=replace(FADING.ramp, epochs=1))
    found = prune_two_of_four(tiny(), data, data, fading)
    pruned = [name for name, share in found.by_layer.items() if share > 0.1]
    assert {"block02_expand", "block03_project", "last", "classes"} <= set(pruned)
    for name in pruned:
        assert found.by_layer[name] == pytest.approx(0.5, abs=0.01)
        assert follows_two_of_four(found.trained.weights[name].kernel)


def test_two_of_four_is_about_each_four_inputs() -> None:
    kernel = np.zeros((1, 1, 8, 2), np.float32)
    kernel[0, 0, [0, 3, 4, 5], :] = 1
    assert follows_two_of_four(kernel)
    kernel[0, 0, 6, 1] = 1
    assert not follows_two_of_four(kernel)
    assert not follows_two_of_four(kernel[:, :, :6])


def test_what_cannot_be_pruned_is_told() -> None:
    data = shades()
    with pytest.raises(ExportError, match="a sparsity of 1 is not between 0 and 1"):
        prune_magnitude(tiny(), 1, data, data, FADING)
    with pytest.raises(ExportError, match="has hard-swish, which tf_keras"):
        swish = random_model(Family.V3_SMALL, size=32, classes=2)
        prune_magnitude(swish, 0.5, data, data, FADING)
