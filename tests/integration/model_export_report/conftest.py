"""Outcomes of recipes, and a browser to look at what is written of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from model_export.recipes.outcome import RecipeOutcome
from model_export.report.page import page
from tests.integration.model_export_report.browser import Tab, browser, is_installed, new_tab
from tests.integration.model_export_report.markup import Page
from tests.integration.model_export_report.outcomes import (
    classifier_outcome,
    detector_outcome,
    photos_outcome,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what is missing, and where it is wanted."""
    missing = [name for name in ("jinja2", "markdown_it", "matplotlib") if not find_spec(name)]
    if missing:
        lacking = pytest.mark.skip(
            reason=f"{missing[0]} is not installed: pip install 'edge-runtime[export]'"
        )
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(lacking)


@pytest.fixture(scope="session")
def persons(data_dir: Path) -> RecipeOutcome:
    """Of a real classifier on real pictures."""
    return classifier_outcome(data_dir)


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> RecipeOutcome:
    """Of a detector in six steps."""
    return detector_outcome(tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="session")
def photos(data_dir: Path, heads: RecipeOutcome) -> RecipeOutcome:
    """Of a real detector on real pictures; of its steps all models are that one."""
    return photos_outcome(data_dir, heads)


@pytest.fixture(scope="session")
def persons_page(persons: RecipeOutcome) -> Page:
    return Page(page(persons, Path()))


@pytest.fixture(scope="session")
def heads_page(heads: RecipeOutcome) -> Page:
    return Page(page(heads, Path()))


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Tab]]:
    """Opens a tab of a real browser."""
    if not is_installed():
        lacking = "chromium is not installed: sh tests/install_system_packages.sh"
        # Where the tests' machine is set up for them, a missing test is a failed one.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    with browser(tmp_path_factory.mktemp("profile")) as pipe:
        yield lambda: new_tab(pipe)
