"""Writes the report of a recipe."""

from __future__ import annotations

from pathlib import Path

from model_export.recipes.outcome import RecipeOutcome
from model_export.report.document import as_json
from model_export.report.page import page
from model_export.writing import write_whole


def write_report(outcome: RecipeOutcome, folder: Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into `folder`; gives their paths in that order.

    Both are made before one is written.

    Raises:
        ExportError: what draws the page is not installed, the folder is missing, or it cannot be
            written to.
    """
    html, json = page(outcome, folder), as_json(outcome, folder)
    paths = folder / "report.html", folder / "report.json"
    for path, content in zip(paths, (html, json), strict=True):
        write_whole(path, content)
    return paths
