"""Makes the signed bundle of a recipe's result."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.inference.preprocess import Colour
from model_export.bundling import SUFFIX, BundleParts, make_bundle
from model_export.errors import ExportError
from model_export.recipes.cache import file_hash
from model_export.recipes.kit import Kit
from model_export.recipes.outcome import RecipeOutcome
from model_export.recipes.recipe import BundleTable, Recipe
from model_export.recipes.steps import Made
from model_export.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Places:
    """Where a recipe finds and leaves what is its own.

    Attributes:
        recipe: its file.
        root: what its paths to data and weights count from.
        out: the folder for steps, report and bundle.
    """

    recipe: Path
    root: Path
    out: Path

    @property
    def folder(self) -> Path:
        """What its paths to card, golden picture and checkpoints count from."""
        return self.recipe.parent


def require_possible(recipe: Recipe, places: Places, key: SigningKey | None) -> None:
    """Find before hours of work what would make them be for nothing.

    Raises:
        ExportError: the bundle that the recipe ends in could not be made.
    """
    bundle = recipe.bundle
    if bundle is None:
        return
    if key is None:
        raise ExportError(
            f"the recipe {recipe.name} ends in a bundle: name the key that signs it (--key), or "
            "ask for the one that is no secret (--demonstration)"
        )
    for path in (places.folder / bundle.golden, *_card(bundle, places)):
        file_hash(path)
    target = places.out / f"{recipe.name}-{bundle.version}{SUFFIX}"
    if target.exists():
        raise ExportError(f"{target} is there already: give the bundle a higher version")


def make_bundle_of(
    kit: Kit, places: Places, outcome: RecipeOutcome, result: Made, key: SigningKey
) -> Path:
    """The bundle of the recipe's result, signed.

    Raises:
        EdgeRuntimeError: it cannot be made; nothing is left behind.
    """
    table = kit.recipe.bundle
    assert table is not None  # it is asked for where there is one
    step = outcome.step(result.name)
    with tempfile.TemporaryDirectory() as folder:
        # As it was read: the file may have changed since.
        recipe = Path(folder) / places.recipe.name
        recipe.write_text(outcome.recipe, encoding="utf-8")
        parts = BundleParts(
            name=outcome.name,
            version=table.version,
            model=result.model,
            labels=kit.data.classes,
            golden=places.folder / table.golden,
            card=next(iter(_card(table, places)), None),
            colour=Colour.GREY if kit.recipe.model.colour == "grey" else Colour.RGB,
            range=result.about.pixel_range,
            threshold=table.threshold,
            quality={"ap50" if kit.boxes else "accuracy": step.accuracy},
            data=f"{table.data} (sha256 {outcome.data.sha256})",
            recipe=recipe,
            tools={name: each for name, each in outcome.tools.items() if name != "edge-runtime"},
            description=table.description,
            licence=table.licence,
        )
        return make_bundle(parts, key, places.out)


def _card(bundle: BundleTable, places: Places) -> tuple[Path, ...]:
    return (places.folder / bundle.card,) if bundle.card else ()
