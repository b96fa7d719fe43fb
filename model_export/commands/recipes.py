"""The command that runs a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_export.commands.app import app
from model_export.commands.options import (
    Demonstration,
    Json,
    KeyFile,
    PassphraseFile,
    print_json,
    progress_steps,
    signing_key,
)


@app.command(epilog="Example: edge-export run person.toml --root data/ --key release.key")
def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", show_default=False)],
    *,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="What the recipe's paths to data and weights count from; else its own folder.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="For steps, report and bundle; else build/ and the name."
        ),
    ] = None,
    key: KeyFile = None,
    demonstration: Demonstration = False,
    passphrase_file: PassphraseFile = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="In place of the recipe's: for all chance.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Do what a recipe says, and show what each step cost and won.

    Trains, prunes and quantizes step by step, evaluates and times all models side by side, writes
    report.html and report.json, and, where the result passes the recipe's gate, a signed bundle.
    Steps are kept: what did not change is not done again.
    """
    from model_export.recipes.delivering import Places
    from model_export.recipes.reading import load_recipe
    from model_export.recipes.run import require_passed, run_recipe

    wanted, text = load_recipe(recipe)
    if seed is not None:
        wanted = wanted.model_copy(update={"seed": seed})
    places = Places(recipe, root or recipe.parent, out or Path("build") / wanted.name)
    signer = signing_key(key, passphrase_file, demonstration=demonstration)
    with progress_steps(quiet=as_json) as tell:
        outcome = run_recipe(wanted, text, places, signer, tell)
    if as_json:
        from model_export.report import as_dict

        print_json(as_dict(outcome, places.out))
    else:
        from model_export import tables

        tables.show(*tables.recipe(outcome, places.out))
    require_passed(outcome)


@app.command("recipe-schema", epilog="Example: edge-export recipe-schema > recipe.schema.json")
def recipe_schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from model_export.recipes.recipe import schema

    print_json(schema())
