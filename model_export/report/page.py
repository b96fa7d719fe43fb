"""The report's page: HTML with all that it shows in itself, and nothing that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_export.errors import ExportError
from model_export.evaluation import ClassifierQuality
from model_export.recipes.outcome import Quality, RecipeOutcome
from model_export.report import steps, words
from model_export.report.card import card_html
from model_export.report.classifier_tables import classifier_tables, confusions
from model_export.report.curve_drawings import curves
from model_export.report.detector_tables import detector_tables
from model_export.report.document import shown_path
from model_export.report.drawings import trade_offs, trainings
from model_export.report.pictures import Picture, box_mistake_picture, mistake_picture
from model_export.report.tables import MOST_CLASSES, Table, of_classifiers, of_detectors
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
    result = outcome.step(outcome.result)
    return {
        "outcome": outcome,
        "benchmark": outcome.benchmark,
        "verdict": verdict(outcome, steps.first_measure(outcome)),
        "tiles": steps.tiles(outcome),
        "groups": steps.groups(outcome),
        "trade_offs": tuple(trade_offs(outcome)),
        "quality": result.quality,
        "most_classes": MOST_CLASSES,
        "is_classifier": isinstance(result.quality, ClassifierQuality),
        "tables": _tables(outcome),
        "confusions": tuple(confusions(outcome)),
        "curves": tuple(curves(outcome)),
        "training": tuple(trainings(outcome)),
        "worst": _worst(result.quality),
        "against": result.against_baseline,
        "card": card_html(outcome.card) if outcome.card.strip() else "",
        "paths": {step.name: shown_path(step.model, folder) for step in outcome.steps},
        "bundle": shown_path(outcome.bundle, folder) if outcome.bundle else "",
    }


def _tables(outcome: RecipeOutcome) -> tuple[Table, ...]:
    classifiers = of_classifiers(outcome)
    return classifier_tables(classifiers) if classifiers else detector_tables(of_detectors(outcome))


def _worst(quality: Quality) -> tuple[Picture, ...]:
    if isinstance(quality, ClassifierQuality):
        return tuple(mistake_picture(mistake) for mistake in quality.worst)
    return tuple(box_mistake_picture(mistake) for mistake in quality.worst)
