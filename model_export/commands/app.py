"""The application that commands belong to."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="edge-export",
    help="Makes models ready for the boards, and proves what that cost.",
    epilog="Example: edge-export inspect model.tflite",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # sentences in boxes can be neither copied nor searched for
)
