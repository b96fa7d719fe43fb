"""Runs a recipe: each step, then measures all models side by side, and bundles the result."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime import __version__
from model_export.errors import ExportError
from model_export.recipes.cache import Cache, file_hash, key_of
from model_export.recipes.data import DataSource, load_data
from model_export.recipes.delivering import Places, make_bundle_of, require_possible
from model_export.recipes.kit import Kit, Tell
from model_export.recipes.measuring import measured
from model_export.recipes.outcome import RecipeOutcome
from model_export.recipes.reading import of_document
from model_export.recipes.recipe import Recipe
from model_export.recipes.step_tables import Step, teacher_of
from model_export.recipes.steps import Made, Result, perform, work
from model_export.report import write_report
from model_export.signing import SigningKey
from model_export.weights import Trained

CACHE = "steps"


class GateError(ExportError):
    """A result that lost more than its recipe allows."""


def run_recipe(
    recipe: Recipe, text: str, places: Places, key: SigningKey | None, tell: Tell
) -> RecipeOutcome:
    """Do all of it; what was done before with the same input is taken as it is.

    The report is written in any case, the bundle only where the gate is passed.

    Args:
        text: the recipe's.
        key: signs the bundle, where the recipe has one.
        tell: told of progress.

    Raises:
        EdgeRuntimeError: something cannot be done. Steps that finished before are kept.
    """
    require_possible(recipe, places, key)
    data = load_data(
        data_source(recipe, places.root, places.folder), partial(tell, "reading the data")
    )
    kit = Kit(recipe, places.root, places.folder, data, tell)
    made = make_steps(kit, places.out)
    outcome = measured(kit, text, made)
    if outcome.passed and recipe.bundle and key:
        tell("signing the bundle", 0)
        result = next(each for each in made if each.name == outcome.result)
        bundle = make_bundle_of(kit, places, outcome, result, key)
        outcome = replace(outcome, bundle=bundle)
    write_report(outcome, places.out)
    return outcome


def single_step(document: dict[str, Any], teacher: Trained | None, tell: Tell) -> Result:
    """Do the one step of a recipe that stands in no file, and write nothing.

    Args:
        document: as TOML would give it; None stands for a key that is not there.

    Raises:
        EdgeRuntimeError: it cannot be done.
    """
    recipe = of_document(_without_none(document), "edge-export")
    here = Path()
    data = load_data(data_source(recipe, here, here), partial(tell, "reading the data"))
    return work(Kit(recipe, here, here, data, tell), recipe.steps[0], None, teacher)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(each) for name, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list | tuple) else value


def require_passed(outcome: RecipeOutcome) -> None:
    """Stop where the gate is not passed.

    Raises:
        GateError: which conditions are not met, and which step lost it.
    """
    missed = [
        f"{check.what} is {check.limit:g} and {check.found:.4g} was found: {check.blame}"
        for check in outcome.checks
        if not check.met
    ]
    if missed:
        raise GateError(
            f"{outcome.result} does not pass the gate, and no bundle is written: "
            + "; ".join(missed)
        )


def data_source(recipe: Recipe, root: Path, folder: Path) -> DataSource:
    """Where the recipe's data lie; arguments as the attributes of `Kit`."""
    table = recipe.data
    return DataSource(
        root / table.folder,
        None if table.annotations is None else root / table.annotations,
        table.split.model_dump(),
        table.train_only,
        None if table.exclude is None else folder / table.exclude,
        recipe.seed,
    )


def make_steps(kit: Kit, out: Path) -> tuple[Made, ...]:
    """Do each step, or take what it made before."""
    cache = Cache(out / CACHE)
    made: dict[str, Made] = {}
    for step in kit.recipe.steps:
        source = _of(made, kit.recipe.source_of(step))
        teacher = _of(made, teacher_of(step))
        key = _key(kit, step, source, teacher)
        folder, reused = cache.folder(key, partial(_perform, kit, step, source, teacher))
        made[step.name] = Made(step.name, folder, key, reused)
    return tuple(made.values())


def _perform(kit: Kit, step: Step, source: Made | None, teacher: Made | None, folder: Path) -> None:
    perform(kit, step, source, teacher.trained() if teacher else None, folder)


def _of(made: dict[str, Made], name: str | None) -> Made | None:
    return None if name is None else made[name]


def _key(kit: Kit, step: Step, source: Made | None, teacher: Made | None) -> str:
    """Over all that decides what the step makes; not its name."""
    recipe = kit.recipe
    parts: dict[str, Any] = {
        "step": step.model_dump(mode="json", exclude={"name", "source", "teacher"}),
        "data": kit.data.sha256,
        "split": recipe.data.model_dump(mode="json", exclude={"folder", "annotations"}),
        "seed": recipe.seed,
        "source": source.key if source else None,
        "teacher": teacher.key if teacher else None,
        "version": __version__,
    }
    if source is None:
        model = recipe.model
        parts["model"] = model.model_dump(mode="json", exclude={"start"})
        parts["start"] = file_hash(kit.root / model.start) if model.start else None
    checkpoint = getattr(step, "checkpoint", None)
    if checkpoint is not None and (kit.folder / checkpoint).exists():
        parts["checkpoint"] = file_hash(kit.folder / checkpoint)
    return key_of(parts)
