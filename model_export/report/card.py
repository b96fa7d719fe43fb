"""The model card: Markdown into a page, and nothing else that Markdown may bring with it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_export.errors import ExportError

if TYPE_CHECKING:
    from markdown_it.token import Token

_BELOW = 2
"""The card's first heading is one of the third level: it stands in a section of the page."""


def card_html(markdown: str) -> str:
    """The card as HTML.

    HTML in it is shown as the text that it is, and a picture as its text: it would be loaded from
    somewhere.

    Raises:
        ExportError: markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError as error:
        raise ExportError(
            "markdown-it-py is not installed, and the model card is read with it: "
            "pip install 'edge-runtime[export]'"
        ) from error
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + _BELOW)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
    parser.add_render_rule("image", _text_of_image)
    parser.add_render_rule("table_open", _table)
    parser.add_render_rule("table_close", _end_of_table)
    return str(parser.renderer.render(tokens, parser.options, {}))


# What the renderer calls with itself, all tokens, the place of this one, and more.
def _text_of_image(_: object, tokens: Sequence[Token], at: int, *__: object) -> str:
    return html.escape(tokens[at].content)


def _table(*_: object) -> str:
    return '<div class="scroll" role="region" aria-label="a table" tabindex="0"><table>\n'


def _end_of_table(*_: object) -> str:
    return "</table></div>\n"
