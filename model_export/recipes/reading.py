"""From a file, or from a document, to a recipe: all of it, or all that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_runtime.config.errors import ConfigError, Finding, Problem, closest, dotted
from edge_runtime.config.findings import findings
from edge_runtime.config.lines import Key
from edge_runtime.config.loading import located, parse, read_text
from model_export.recipes.recipe import Recipe, schema
from model_export.recipes.step_tables import rounds, teacher_of


def load_recipe(path: Path) -> tuple[Recipe, str]:
    """Read and validate a recipe; the recipe, and its text.

    Raises:
        ConfigError: with everything that is wrong, each with its line.
    """
    text = read_text(path)
    recipe, found = _validated(parse(text, path))
    if recipe is None or found:
        raise ConfigError(located(found, text, path))
    return recipe, text


def of_document(document: dict[str, Any], called: str) -> Recipe:
    """A recipe that stands in no file, as one that is made of arguments; errors as above."""
    recipe, found = _validated(document)
    if recipe is None or found:
        raise ConfigError(Problem(called, None, dotted(each.key), each.text) for each in found)
    return recipe


def _validated(document: dict[str, Any]) -> tuple[Recipe | None, list[Finding]]:
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        return None, list(findings(error.errors(include_url=False), document, schema()))
    return recipe, _check_names(recipe) or _check_steps(recipe)


def _check_names(recipe: Recipe) -> list[Finding]:
    """Each step has a name of its own, and names only steps before it."""
    found: list[Finding] = []
    known: list[str] = []
    for place, step in enumerate(recipe.steps):
        key: Key = ("steps", place)
        if step.name in known:
            found.append(
                Finding(
                    (*key, "name"),
                    f"'{step.name}' is there twice; each step needs a name of its own",
                )
            )
        for name, word in ((step.source, "from"), (teacher_of(step), "teacher")):
            if name is not None and name not in known:
                found.append(Finding((*key, word), _unknown(name, known)))
        known.append(step.name)
    for name, word in ((recipe.baseline, "baseline"), (recipe.result, "result")):
        if name is not None and name not in known:
            found.append(Finding((word,), _unknown(name, known)))
    return found


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return f"'{name}' is no step before this one; there is none before the first"
    meant = closest(name, known)
    hint = f"did you mean '{meant}'?" if meant else f"known: {', '.join(known)}"
    return f"'{name}' is no step before this one; {hint}"


def _check_steps(recipe: Recipe) -> list[Finding]:
    """Weights that are rounded cannot be trained, pruned or rounded once more."""
    found: list[Finding] = []
    rounded = {step.name for step in recipe.steps if rounds(step)}
    for place, step in enumerate(recipe.steps):
        source = recipe.source_of(step)
        if source is None and step.do != "train" and recipe.model.start is None:
            text = "takes the start's weights, and there are none; name a start, or train first"
            found.append(Finding(("steps", place), text))
        if source in rounded:
            text = f"takes the model of '{source}', which is quantized; from = a step that is not"
            found.append(Finding(("steps", place), text))
    return found
