"""docs/recipes.md says of every key what the schema says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from model_export.recipes.reading import of_document
from model_export.recipes.reference import reference

TEXT = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_the_reference_is_that_of_the_schema() -> None:
    """`python -m model_export.recipes.reference` writes the second half of the page anew."""
    assert TEXT.endswith(reference())


def test_the_recipe_on_the_page_is_one() -> None:
    (block,) = re.findall(r"```toml\n(.+?)```", TEXT, flags=re.DOTALL)
    assert of_document(tomllib.loads(block), "page").chain("int8") == ("whole", "half", "int8")
