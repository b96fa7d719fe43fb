"""The report in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_export.recipes.outcome import RecipeOutcome
from model_export.report import write_report
from tests.integration.model_export_report.browser import Tab
from tests.integration.model_export_report.test_report import hostile, with_hostile_classes

WIDTH = "document.documentElement.scrollWidth"
GROUND = "getComputedStyle(document.body).backgroundColor"
INK = "getComputedStyle(document.querySelector('.plot text')).fill"


@pytest.fixture(params=["persons", "heads", "photos", "hostile"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A page: of a classifier, of two detectors, of one whose names run where they can."""
    persons: RecipeOutcome = request.getfixturevalue("persons")
    outcome = {
        "persons": lambda: persons,
        "heads": lambda: request.getfixturevalue("heads"),
        "photos": lambda: request.getfixturevalue("photos"),
        "hostile": lambda: hostile(with_hostile_classes(persons)),
    }[request.param]()
    return write_report(outcome, tmp_path)[0]


def test_the_page_opens_alone_fits_and_runs_nothing(tab: Callable[[], Tab], report: Path) -> None:
    opened = tab()
    opened.open(report, 1280)
    assert opened.ask(WIDTH) == 1280
    opened.resize(390)
    assert opened.ask(WIDTH) == 390
    assert opened.ask("typeof hacked") == "undefined"
    assert opened.ask("document.scripts.length") == 0
    assert opened.complaints == []
    others = [url for url in opened.requests if not url.startswith("data:image/jpeg;base64,")]
    assert others == [report.as_uri()]


def test_every_picture_and_plot_is_seen(
    tab: Callable[[], Tab], persons: RecipeOutcome, tmp_path: Path
) -> None:
    opened = tab()
    opened.open(write_report(persons, tmp_path)[0], 1280)
    assert opened.ask("[...document.images].length") > 5
    assert opened.ask("[...document.images].every(image => image.naturalWidth > 0)")
    sizes = "[...document.querySelectorAll('.plot')].map(plot => plot.getBoundingClientRect())"
    assert opened.ask(f"{sizes}.every(box => box.width > 150 && box.height > 100)")
    assert opened.picture().startswith(b"\x89PNG")


def test_the_page_is_light_or_dark_with_its_plots(
    tab: Callable[[], Tab], heads: RecipeOutcome, tmp_path: Path
) -> None:
    path, _ = write_report(heads, tmp_path)
    seen = []
    for dark in (False, True):
        opened = tab()
        opened.open(path, 1280, dark=dark)
        ground, ink = opened.ask(GROUND), opened.ask(INK)
        seen.append((sum(map(int, ground[4:-1].split(","))), sum(map(int, ink[4:-1].split(",")))))
    (light_ground, dark_ink), (dark_ground, light_ink) = seen
    # Sums of red, green and blue.
    assert dark_ground < 150 and light_ground > 600
    assert dark_ink < 400 < light_ink


def test_texts_can_be_read_against_their_ground(
    tab: Callable[[], Tab], heads: RecipeOutcome, tmp_path: Path
) -> None:
    """WCAG 2.2 asks for a contrast of 4.5 of texts."""
    path, _ = write_report(heads, tmp_path)
    contrast = """(() => {
      const linear = (value) => { const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; };
      const light = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
        return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b); };
      const ground = light(getComputedStyle(document.body).backgroundColor);
      const texts = [...document.querySelectorAll('p, td, th, small, dt, dd, .rank, .tag, a')];
      return Math.min(...texts.map((text) => {
        const ink = light(getComputedStyle(text).color);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); }));
    })()"""
    for dark in (False, True):
        opened = tab()
        opened.open(path, 1280, dark=dark)
        assert opened.ask(contrast) >= 4.5
