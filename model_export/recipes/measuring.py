"""Measures the models of a recipe side by side, as boards run them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from edge_runtime import __version__
from edge_runtime.inference.model import ModelSettings
from edge_runtime.inference.preprocess import Colour
from model_export import tflite_graph
from model_export.benchmark import benchmark
from model_export.comparison import Comparison, compare_pictures
from model_export.detection_evaluation import evaluate_detector
from model_export.edgetpu import check
from model_export.errors import ExportError
from model_export.evaluation import evaluate_classifier
from model_export.recipes.data import ClassifierData
from model_export.recipes.gate import checks
from model_export.recipes.kit import Kit
from model_export.recipes.outcome import Quality, RecipeOutcome, StepOutcome
from model_export.recipes.steps import Made

_TOOLS = ("ai-edge-litert", "ai-edge-quantizer", "keras", "numpy", "tensorflow", "jax")


def measured(kit: Kit, text: str, made: Sequence[Made]) -> RecipeOutcome:
    """Evaluate and time all models, and hold the result to the gate; there is no bundle yet.

    Args:
        text: the recipe's.
        made: by its steps, in their order.

    Raises:
        EdgeRuntimeError: a model cannot be run, or a picture not be read.
    """
    recipe, tell = kit.recipe, kit.tell
    figures = benchmark(
        [each.model for each in made],
        runs=recipe.bench.runs,
        threads=recipe.bench.threads,
        progress=lambda done: tell("measuring time", done),
    )
    baseline = next(each for each in made if each.name == recipe.baseline_name)
    steps = []
    for step, each, weighed in zip(recipe.steps, made, figures.models, strict=True):
        tell(f"{each.name}: evaluating", 0)
        steps.append(
            StepOutcome(
                name=each.name,
                action=step.do,
                source=recipe.source_of(step),
                summary=each.about.summary,
                note=each.about.note,
                model=each.model,
                seconds=each.about.seconds,
                reused=each.reused,
                epochs=each.about.epochs,
                quality=_quality(kit, each),
                figures=weighed,
                against_baseline=None if each is baseline else _compared(kit, baseline, each),
                edgetpu=str(check(tflite_graph.read(each.model))),
            )
        )
    by_name = {step.name: step for step in steps}
    return RecipeOutcome(
        name=recipe.name,
        finished=datetime.now(UTC),
        recipe=text,
        recipe_sha256=hashlib.sha256(text.encode()).hexdigest(),
        seed=recipe.seed,
        baseline=recipe.baseline_name,
        result=recipe.result_name,
        steps=tuple(steps),
        checks=checks(
            recipe.gate,
            by_name[recipe.baseline_name],
            [by_name[name] for name in recipe.chain(recipe.result_name)],
        ),
        benchmark=figures,
        data=kit.data.outcome(),
        tools=tools(),
        card=_card_text(kit),
        bundle=None,
    )


def settings_of(kit: Kit, made: Made) -> ModelSettings:
    """The step's model, as boards are told to run it."""
    bundle = kit.recipe.bundle
    return ModelSettings(
        made.model,
        labels=kit.data.classes,
        device="cpu",
        threshold=bundle.threshold if bundle else 0.5,
        colour=Colour.GREY if kit.recipe.model.colour == "grey" else Colour.RGB,
        range=made.about.pixel_range,
    )


def _quality(kit: Kit, made: Made) -> Quality:
    def tell(done: float) -> None:
        kit.tell(f"{made.name}: evaluating", done)

    settings, data = settings_of(kit, made), kit.data
    if isinstance(data, ClassifierData):
        return evaluate_classifier(
            settings, data.test, data.test_groups, seed=kit.recipe.seed, progress=tell
        )
    return evaluate_detector(settings, data.test, progress=tell)


def _compared(kit: Kit, baseline: Made, made: Made) -> Comparison:
    data = kit.data
    tests = data.test.samples if isinstance(data, ClassifierData) else data.test.pictures
    return compare_pictures(
        settings_of(kit, baseline),
        settings_of(kit, made),
        [(str(test.path), test.read) for test in tests],
        progress=lambda done: kit.tell(f"{made.name}: comparing", done),
    )


def _card_text(kit: Kit) -> str:
    bundle = kit.recipe.bundle
    if bundle is None or bundle.card is None:
        return ""
    path = kit.folder / bundle.card
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ExportError(f"the model card {path} is not text in UTF-8") from error


def tools() -> dict[str, str]:
    """The versions of what made and measured the models."""
    found = {"edge-runtime": __version__, "python": platform.python_version()}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
