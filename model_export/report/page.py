"""The report's page: HTML with all that it shows in itself, and nothing that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_export.errors import ExportError
from model_export.evaluation import ClassifierQuality
from model_export.recipes.outcome import RecipeOutcome
from model_export.report import classes, drawings, steps, words
from model_export.report.card import card_html
from model_export.report.document import shown_path
from model_export.report.pictures import thumbnail
from model_export.report.verdict import verdict


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
    worst = quality.worst if isinstance(quality, ClassifierQuality) else ()
    return {
        "outcome": outcome,
        "benchmark": outcome.benchmark,
        "verdict": verdict(outcome, steps.first_measure(outcome)),
        "tiles": steps.tiles(outcome),
        "groups": steps.groups(outcome),
        "trade_offs": tuple(drawings.trade_offs(outcome)),
        "quality": quality,
        "most_classes": classes.MOST_CLASSES,
        "is_classifier": isinstance(quality, ClassifierQuality),
        "tables": classes.tables(outcome),
        "confusions": tuple(classes.confusions(outcome)),
        "curves": tuple(drawings.curves(outcome)),
        "training": tuple(drawings.trainings(outcome)),
        "worst": tuple((mistake, thumbnail(mistake)) for mistake in worst),
        "against": outcome.step(outcome.result).against_baseline,
        "card": card_html(outcome.card) if outcome.card.strip() else "",
        "paths": {step.name: shown_path(step.model, folder) for step in outcome.steps},
        "bundle": shown_path(outcome.bundle, folder) if outcome.bundle else "",
    }
