"""The report's page: HTML with all that it shows in itself, and nothing that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_export.curves import Curve
from model_export.detection_evaluation import DetectorQuality
from model_export.errors import ExportError
from model_export.evaluation import ClassifierQuality, ClassQuality
from model_export.recipes.outcome import RecipeOutcome, StepOutcome
from model_export.report import classes, curve_plots, steps, words
from model_export.report.card import card_html
from model_export.report.classes import Judged
from model_export.report.curve_plots import Line
from model_export.report.document import shown_path
from model_export.report.pictures import thumbnail
from model_export.report.svg import Ink
from model_export.report.trade_offs import Mark, trade_off
from model_export.report.training_plots import training
from model_export.report.verdict import verdict

MOST_CURVES = 6
"""Classes whose curves are drawn."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing.

    Attributes:
        svg: it.
        caption: what is to be known of it.
    """

    svg: str
    caption: str


def page(outcome: RecipeOutcome, folder: Path) -> bytes:
    """The page as UTF-8: the same of the same outcome.

    Args:
        folder: where it will lie: paths of what lies in it are relative to it.

    Raises:
        ExportError: jinja2, matplotlib or markdown-it-py is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError as error:
        raise ExportError(
            "jinja2 is not installed, and the report's page is made with it: "
            "pip install 'edge-runtime[export]'"
        ) from error
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        # What we drew ourselves, and what `card_html` made sure of.
        "drawn": Markup,
    }
    text = environment.get_template("page.html").render(_content(outcome, folder.absolute()))
    # What is no Unicode is in names of files only.
    return text.encode(errors="replace")


def _content(outcome: RecipeOutcome, folder: Path) -> dict[str, Any]:
    """What the template names."""
    quality = outcome.step(outcome.result).quality
    return {
        "outcome": outcome,
        "benchmark": outcome.benchmark,
        "verdict": verdict(outcome, steps.first_measure(outcome)),
        "tiles": steps.tiles(outcome),
        "groups": steps.groups(outcome),
        "trade_offs": tuple(_trade_offs(outcome)),
        "quality": quality,
        "is_classifier": isinstance(quality, ClassifierQuality),
        "classes": _classes(outcome),
        "curves": tuple(_curves(outcome)),
        "training": tuple(_training(outcome)),
        "worst": tuple((mistake, thumbnail(mistake)) for mistake in _worst(outcome)),
        "card": card_html(outcome.card) if outcome.card.strip() else "",
        "paths": {step.name: shown_path(step.model, folder) for step in outcome.steps},
        "bundle": shown_path(outcome.bundle, folder) if outcome.bundle else "",
    }


def _judged(outcome: RecipeOutcome) -> tuple[tuple[Judged, StepOutcome], ...]:
    """The steps that are shown in detail: the baseline, then the result."""
    baseline, result = outcome.step(outcome.baseline), outcome.step(outcome.result)
    if baseline is result:
        return ((Judged("baseline and result", result.name), result),)
    return (
        (Judged("baseline", baseline.name), baseline),
        (Judged("result", result.name), result),
    )


def _of_classifiers(outcome: RecipeOutcome) -> list[classes.Pair]:
    return [
        (model, step.quality)
        for model, step in _judged(outcome)
        if isinstance(step.quality, ClassifierQuality)
    ]


def _classes(outcome: RecipeOutcome) -> dict[str, Any]:
    pairs = _of_classifiers(outcome)
    if pairs:
        found = (classes.confusion(model, quality) for model, quality in pairs)
        return {
            "tables": (classes.by_class(pairs), classes.by_lighting(pairs)),
            "confusions": tuple(item for item in found if item),
        }
    boxed = [
        (model, step.quality)
        for model, step in _judged(outcome)
        if isinstance(step.quality, DetectorQuality)
    ]
    return {"tables": (classes.by_size(boxed),), "confusions": ()}


def _worst(outcome: RecipeOutcome) -> tuple[Any, ...]:
    quality = outcome.step(outcome.result).quality
    return quality.worst if isinstance(quality, ClassifierQuality) else ()


def _trade_offs(outcome: RecipeOutcome) -> Iterator[Plot]:
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


def _curves(outcome: RecipeOutcome) -> Iterator[tuple[str, tuple[Plot, ...]]]:
    """ROC and precision over recall of each class by its name; of many, of the least found."""
    pairs = _of_classifiers(outcome)
    if not pairs:
        return
    for number in classes.shown_classes(pairs[-1][1], MOST_CURVES):
        found = [(model, quality.classes[number]) for model, quality in pairs]
        lines = [line for model, item in found if (line := _line(model, item))]
        if lines:
            label = found[-1][1].label
            roc = curve_plots.roc(lines, f"roc-{number}", f"ROC of {label}")
            title = f"Precision over recall of {label}"
            over_recall = curve_plots.precision_recall(lines, f"pr-{number}", title)
            yield label, (Plot(roc, "ROC"), Plot(over_recall, "precision over recall"))


def _line(model: Judged, found: ClassQuality) -> Line | None:
    curve: Curve | None = found.curve
    if curve is None:
        return None
    baseline = model.role == "baseline"
    return Line(
        model.role,
        curve,
        (found.recall.value, found.false_alarms.value, found.precision.value),
        Ink.BASELINE if baseline else Ink.RESULT,
        baseline,
    )


def _training(outcome: RecipeOutcome) -> Iterator[Plot]:
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
