"""The gate lets a result through, or names the step that lost it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_export.benchmark import Figures, Invoke
from model_export.evaluation import ClassifierQuality, Rate
from model_export.recipes.gate import checks
from model_export.recipes.outcome import Check, StepOutcome
from model_export.recipes.recipe import GateTable


def step(name: str, accuracy: float, size: int, p50: float) -> StepOutcome:
    quality = ClassifierQuality(
        model=name,
        sha256="",
        pictures=100,
        groups=100,
        threshold=0.5,
        accuracy=Rate(accuracy, accuracy, accuracy, 100),
        classes=(),
        confusion=(),
        lighting=(),
        worst=(),
    )
    invoke = Invoke(threads=1, runs=100, p50=p50, p95=p50, ratio=1.0)
    figures = Figures(Path(name), size, size, 1, 1, 1, (invoke,))
    return StepOutcome(
        name=name,
        action="train",
        source=None,
        summary="",
        note="",
        model=Path(name),
        seconds=1.0,
        reused=False,
        epochs=(),
        quality=quality,
        figures=figures,
        against_baseline=None,
        edgetpu="",
    )


WHOLE = step("whole", 0.98, 9_000_000, 1.2)
HALF = step("half", 0.96, 4_500_000, 0.5)
INT8 = step("int8", 0.955, 1_200_000, 0.2)
CHAIN = (WHOLE, HALF, INT8)


def only(gate: GateTable, chain: tuple[StepOutcome, ...] = CHAIN) -> Check:
    (found,) = checks(gate, WHOLE, chain)
    return found


def test_a_recipe_without_a_gate_has_nothing_to_pass() -> None:
    assert checks(GateTable(), WHOLE, CHAIN) == ()


def test_what_is_allowed_passes_and_blames_nobody() -> None:
    gate = GateTable(
        max_accuracy_drop=0.025, min_accuracy=0.955, max_size=1_200_000, max_latency_ratio=0.2
    )
    found = checks(gate, WHOLE, CHAIN)
    assert [check.what for check in found] == [
        "max_accuracy_drop",
        "min_accuracy",
        "max_size",
        "max_latency_ratio",
    ]
    assert all(check.met and not check.blame for check in found)


def test_the_step_that_lost_most_accuracy_is_named() -> None:
    found = only(GateTable(max_accuracy_drop=0.01))
    assert not found.met
    assert found.found == pytest.approx(0.025)
    assert found.blame == "half lost most: 2.0 points, from 98.0% (whole) to 96.0%"
    assert only(GateTable(min_accuracy=0.97)).blame == found.blame


def test_the_step_that_won_least_is_named() -> None:
    size, time = only(GateTable(max_size=1_000_000)), only(GateTable(max_latency_ratio=0.1))
    assert size.blame == "half won least: from 9,000,000 bytes (whole) to 4,500,000 bytes"
    assert time.blame == "half won least: from 1.200 ms (whole) to 0.500 ms"
    assert time.found == pytest.approx(1 / 6)


def test_a_result_that_is_the_first_step_says_what_it_has() -> None:
    found = only(GateTable(min_accuracy=0.99), (WHOLE,))
    assert found.blame == "whole has 98.0% from the start"
    assert only(GateTable(max_size=1), (WHOLE,)).blame == "whole has 9,000,000 bytes from the start"
