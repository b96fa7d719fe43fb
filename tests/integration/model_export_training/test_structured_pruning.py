from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_export.architectures.channels import Kind, layers, macs
from model_export.architectures.mobilenet import Family
from model_export.errors import ExportError
from model_export.pruning.structured import (
    Importance,
    channel_scores,
    keep,
    prune,
)
from model_export.weights import Trained, largest_difference
from tests.integration.model_export_training.networks import kill, random_model, without

pytestmark = pytest.mark.usefixtures("keras")

FAMILIES = [Family.V1, Family.V2, Family.V3_SMALL, Family.V3_LARGE_MINIMALISTIC]


def dead_channels(trained: Trained, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = {group: len(s) for group, s in channel_scores(trained, Importance.L1).items()}
    return {
        group: rng.choice(size, size=max(1, size // 3), replace=False)
        for group, size in sizes.items()
    }


def noise() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_channels_that_are_zero_can_go_without_a_change(family: Family) -> None:
    trained = random_model(family)
    dead = dead_channels(trained, seed=1)
    zeroed = kill(trained, dead)
    sizes = {group: len(s) for group, s in channel_scores(trained, Importance.L1).items()}
    smaller = keep(
        zeroed,
        {group: np.setdiff1d(np.arange(sizes[group]), indices) for group, indices in dead.items()},
    )
    assert macs(smaller.network) < 0.6 * macs(trained.network)
    assert np.ptp(zeroed.model()(noise()), axis=0).max() > 1e-3
    assert largest_difference(zeroed.model(), smaller.model(), noise()) < 1e-5


@pytest.mark.parametrize("importance", Importance)
def test_what_is_zero_goes_first(importance: Importance) -> None:
    trained = random_model(Family.V2)
    sizes = {group: len(s) for group, s in channel_scores(trained, Importance.L1).items()}
    rng = np.random.default_rng(3)
    dead = {
        group: rng.choice(size, size=size // 16 * 8, replace=False)
        for group, size in sizes.items()
        if group.endswith("inner")
    }
    zeroed = kill(trained, dead)
    exact = keep(
        zeroed,
        {group: np.setdiff1d(np.arange(sizes[group]), indices) for group, indices in dead.items()},
    )
    found = prune(zeroed, macs(exact.network) / macs(trained.network), importance)
    assert found.trained.network == exact.network
    assert largest_difference(zeroed.model(), found.trained.model(), noise()) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("budget", [0.3, 0.5, 0.8])
def test_the_budget_is_kept_and_nearly_used(family: Family, budget: float) -> None:
    trained = random_model(family)
    found = prune(trained, budget)
    share = macs(found.trained.network) / macs(trained.network)
    assert share == pytest.approx(found.cost)
    assert budget - 0.12 < share <= budget
    before = {layer.name: layer for layer in layers(trained.network)}
    for layer in layers(found.trained.network):
        assert layer.outputs % 8 == 0 or layer.outputs == before[layer.name].outputs
        assert layer.outputs >= min(8, before[layer.name].outputs)


def test_a_measured_cost_can_be_the_budget() -> None:
    trained = random_model(Family.V3_SMALL)
    asked = []

    def milliseconds(network) -> float:  # type: ignore[no-untyped-def]
        asked.append(network)
        return 0.1 + macs(network) / 1e6

    found = prune(trained, 0.7, cost=milliseconds)
    assert milliseconds(found.trained.network) <= 0.7 * milliseconds(trained.network)
    assert len(asked) < 25


def test_a_channel_is_as_dead_as_its_deadest_step() -> None:
    trained = random_model(Family.V2)
    name = "block03_depthwise"
    depthwise = trained.weights[name]
    dead = without(depthwise, Kind.DEPTHWISE, np.array([4]))
    zeroed = replace(trained, weights={**trained.weights, name: dead})
    assert channel_scores(zeroed, Importance.SCALE)["block03_inner"][4] == 0
    assert channel_scores(zeroed, Importance.L1)["block03_inner"][4] == 0


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (0, "a budget of 0 is not between 0 and 1"),
        (1, "a budget of 1 is not between 0 and 1"),
        (0.01, "a budget of 0.01 cannot be reached: 0."),
    ],
)
def test_a_budget_that_cannot_be_kept_is_told(budget: float, sentence: str) -> None:
    with pytest.raises(ExportError) as told:
        prune(random_model(Family.V2), budget)
    assert sentence in str(told.value)


def test_gains_that_tell_nothing_are_told() -> None:
    trained = random_model(Family.V2)
    alike = {
        name: replace(
            found, norm=found.norm and replace(found.norm, gamma=0 * found.norm.gamma + 1)
        )
        for name, found in trained.weights.items()
    }
    untold = Trained(trained.network, alike)
    with pytest.raises(ExportError, match="measure it on pictures or train it first, or go by l1"):
        prune(untold, 0.5)
    assert prune(untold, 0.5, Importance.L1).cost > 0.35
