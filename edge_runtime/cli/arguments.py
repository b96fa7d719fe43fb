"""What all commands are made with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]
"""What a command does: from its arguments to the exit status."""


def command(
    commands: Commands, name: str, summary: str, example: str, run: Run | None = None
) -> argparse.ArgumentParser:
    """The parser of a new command.

    Args:
        commands: those that it is one of.
        name: how it is called.
        summary: what it does, from a small letter on and without a full stop.
        example: how it is used.
        run: what does it; None for one that has commands of its own.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def subcommands(parser: argparse.ArgumentParser) -> Commands:
    """The commands of the one whose parser this is, of which one has to be given."""
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def print_json(value: Any, indent: int | None = None) -> None:
    """Print it as JSON: on one line, unless it is indented."""
    import json

    print(json.dumps(value, indent=indent))
