from __future__ import annotations

import pytest

from model_export.report.card import card_html

pytest.importorskip("markdown_it", reason="needs the extra `export`: it brings markdown-it-py")


def test_a_card_has_headings_below_the_pages_tables_and_lists() -> None:
    found = card_html("# Persons\n\n## Use\n\n- *one*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert "<h3>Persons</h3>" in found and "<h4>Use</h4>" in found
    assert "<li><em>one</em></li>" in found
    assert '<th scope="col">a</th>' in found and "<td>2</td>" in found


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "![<b>a</b>](http://example.org/x.png)",
        '[a](http://example.org/"onclick="alert)',
        "| <i>a |\n|---|\n| <svg onload=x> |",
    ],
)
def test_nothing_in_a_card_runs_or_is_loaded(hostile: str) -> None:
    found = card_html(hostile)
    for tag in ("<script", "<img", "<b>", "<i>", "<svg", 'href="javascript', '"onclick'):
        assert tag not in found


def test_a_link_in_a_card_stays_one() -> None:
    assert '<a href="https://example.org/">here</a>' in card_html("[here](https://example.org/)")
