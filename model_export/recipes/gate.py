"""Lets a result through, or says which step lost what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from model_export.recipes.outcome import Check, StepOutcome
from model_export.recipes.recipe import GateTable


def checks(
    gate: GateTable, baseline: StepOutcome, chain: Sequence[StepOutcome]
) -> tuple[Check, ...]:
    """Each condition that the recipe states.

    Args:
        baseline: what the result is compared with.
        chain: the steps that lead to the result, that one last.
    """
    return tuple(_checks(gate, baseline, chain))


def _checks(
    gate: GateTable, baseline: StepOutcome, chain: Sequence[StepOutcome]
) -> Iterator[Check]:
    result = chain[-1]
    if gate.max_accuracy_drop is not None:
        drop = baseline.accuracy - result.accuracy
        met = drop <= gate.max_accuracy_drop + 1e-9
        yield Check("max_accuracy_drop", gate.max_accuracy_drop, drop, met, _loss(chain, met))
    if gate.min_accuracy is not None:
        met = result.accuracy >= gate.min_accuracy - 1e-9
        yield Check("min_accuracy", gate.min_accuracy, result.accuracy, met, _loss(chain, met))
    if gate.max_size is not None:
        size = result.figures.bytes
        met = size <= gate.max_size
        blame = "" if met else _least_won(chain, _bytes, lambda step: f"{_bytes(step):,.0f} bytes")
        yield Check("max_size", gate.max_size, size, met, blame)
    if gate.max_latency_ratio is not None:
        ratio = _milliseconds(result) / _milliseconds(baseline)
        met = ratio <= gate.max_latency_ratio
        blame = (
            "" if met else _least_won(chain, _milliseconds, lambda s: f"{_milliseconds(s):.3f} ms")
        )
        yield Check("max_latency_ratio", gate.max_latency_ratio, ratio, met, blame)


def _loss(chain: Sequence[StepOutcome], met: bool) -> str:
    """The step after which most accuracy was gone."""
    if met:
        return ""
    if len(chain) == 1:
        return f"{chain[0].name} has {chain[0].accuracy:.1%} from the start"
    before, after = max(_pairs(chain), key=lambda pair: pair[0].accuracy - pair[1].accuracy)
    points = 100 * (before.accuracy - after.accuracy)
    return (
        f"{after.name} lost most: {points:.1f} points, from {before.accuracy:.1%} ({before.name}) "
        f"to {after.accuracy:.1%}"
    )


def _least_won(
    chain: Sequence[StepOutcome],
    cost: Callable[[StepOutcome], float],
    say: Callable[[StepOutcome], str],
) -> str:
    """The step that made least of its source smaller or faster."""
    if len(chain) == 1:
        return f"{chain[0].name} has {say(chain[0])} from the start"
    before, after = max(_pairs(chain), key=lambda pair: cost(pair[1]) / cost(pair[0]))
    return f"{after.name} won least: from {say(before)} ({before.name}) to {say(after)}"


def _pairs(chain: Sequence[StepOutcome]) -> list[tuple[StepOutcome, StepOutcome]]:
    return list(pairwise(chain))


def _bytes(step: StepOutcome) -> float:
    return float(step.figures.bytes)


def _milliseconds(step: StepOutcome) -> float:
    """Of one inference on one thread."""
    return step.figures.invokes[0].p50
