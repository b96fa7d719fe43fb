"""Which plots the page has, of what, and what is said below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_export.recipes.outcome import RecipeOutcome
from model_export.report import steps, words
from model_export.report.svg import Ink
from model_export.report.trade_offs import Mark, trade_off
from model_export.report.training_plots import training


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing.

    Attributes:
        svg: it.
        caption: what is to be known of it.
    """

    svg: str
    caption: str


def trade_offs(outcome: RecipeOutcome) -> Iterator[Plot]:
    """How good each step's model is over its time, where it was measured, and over its size."""
    gain = steps.first_measure(outcome)
    names = [step.name for step in outcome.steps]
    arrows = "An arrow leads from a step's model to the one made from it."
    times = [steps.invoke(step, 1) for step in outcome.steps]
    if all(times):
        svg = trade_off(
            _marks(outcome, names, [time.p50 for time in times if time]),
            "ms an inference, p50 on 1 thread",
            gain,
            "latency",
            f"{gain} of each step over the time of an inference",
        )
        yield Plot(svg, f"Better is to the upper left. {arrows}")
    svg = trade_off(
        _marks(outcome, names, [step.figures.bytes / 1000 for step in outcome.steps]),
        "kB of the model's file",
        gain,
        "size",
        f"{gain} of each step over the size of its file",
    )
    yield Plot(svg, "Vertical lines are 95% intervals, where there are any.")


def _marks(outcome: RecipeOutcome, names: Sequence[str], costs: Sequence[float]) -> list[Mark]:
    inks = {outcome.baseline: Ink.BASELINE, outcome.result: Ink.RESULT}
    found = []
    for step, cost in zip(outcome.steps, costs, strict=True):
        share = next(iter(steps.measures(step.quality).values()))
        source = names.index(step.source) if step.source in names else None
        ink = inks.get(step.name, Ink.OTHER)
        found.append(Mark(step.name, cost, step.accuracy, share.low, share.high, source, ink))
    return found


def trainings(outcome: RecipeOutcome) -> Iterator[Plot]:
    """Each step's training, where it has one."""
    for number, step in enumerate(outcome.steps):
        if step.epochs:
            title = f"Training of {step.name} by epoch"
            best = min(step.epochs, key=lambda epoch: epoch.validation.loss)
            yield Plot(
                training(step.epochs, f"training-{number}", title),
                f"{step.name}: {len(step.epochs)} epochs, least validation loss "
                f"{best.validation.loss:.4g} in epoch {best.number}, then "
                f"{words.share(best.validation.accuracy)} right",
            )
