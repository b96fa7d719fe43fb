"""edge-export: the whole command line.

Everything heavy is imported where it is used, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command
from typer.models import CommandInfo

from edge_runtime import __version__
from edge_runtime.errors import EdgeRuntimeError
from model_export.commands import delivering, looking, making, recipes
from model_export.commands.app import app

__all__ = ["app", "delivering", "looking", "main", "making", "recipes"]

_ORDER = (
    *("run", "recipe-schema", "train", "prune", "quantize", "evaluate", "compare", "bench"),
    *("inspect", "edgetpu", "keygen", "bundle"),
)
"""Of the commands in --help: the whole first, then its parts as they follow one another."""


def _place(command: CommandInfo) -> int:
    return _ORDER.index(command.name or getattr(command.callback, "__name__", ""))


app.registered_commands.sort(key=_place)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 well, 1 a problem that was told, 2 wrong usage."""
    arguments = None if argv is None else list(argv)
    try:
        get_command(app).main(arguments, "edge-export")
    except EdgeRuntimeError as error:
        typer.echo(f"edge-export: {error}", err=True)
        return 1
    except SystemExit as end:  # which is how typer ends, well or after it told of wrong usage
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"edge-export {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    sys.exit(main())
