"""What several commands take, and how they show what came of it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

OUTPUT_HELP = "Kind of output: auto, ssd, classifier, yolo, blazeface."
RESIZE_HELP = "stretch or letterbox."

Choice = TypeVar("Choice", bound=StrEnum)

Model = Annotated[Path, typer.Argument(metavar="MODEL.tflite", show_default=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The passphrase in its first line; else it is asked for."),
]
PixelRange = Annotated[
    tuple[float, float] | None,
    typer.Option("--range", help="What black and white are in the input: 0 1 or -1 1."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object and nothing else.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="NAME.key", help="Signs it; edge-export keygen makes it."),
]
Demonstration = Annotated[
    bool, typer.Option("--demonstration", help="Sign with the key that is no secret.")
]
Tell = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done, 0..1."""


def choice(kind: type[Choice], value: str, option: str) -> Choice:
    """The member that `value` names; raises typer.BadParameter with all there are."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise typer.BadParameter(f"{value!r} is not one of {known}", param_hint=option) from None


def print_json(value: Any) -> None:
    """To standard output, for a script."""
    typer.echo(json.dumps(value, indent=2, default=str))


@contextlib.contextmanager
def progress_steps(*, quiet: bool) -> Iterator[Tell]:
    """A bar on standard error whose text says what is being done.

    Where nobody looks at it (a log, a pipe), a line for each new thing that is done.
    """
    if quiet:
        yield lambda what, share: None
    elif not sys.stderr.isatty():
        yield _Lines().tell
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda what, share: bar.update(task, description=what, completed=share)


@contextlib.contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """The same for one thing, and silent where nobody looks at it."""
    with progress_steps(quiet=quiet or not sys.stderr.isatty()) as tell:
        yield lambda share: tell(what, share)


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def tell(self, what: str, share: float) -> None:
        if what != self._last:
            typer.echo(what, err=True)
        self._last = what


def signing_key(key: Path | None, passphrase_file: Path | None, *, demonstration: bool) -> Any:
    """The key that was asked for; None: none was.

    Raises:
        typer.BadParameter: both were.
        SigningError: it does not open.
    """
    from model_export import signing

    if key is not None and demonstration:
        raise typer.BadParameter(
            "this or --demonstration is needed, and not both", param_hint="--key"
        )
    if demonstration:
        return signing.demonstration_key()
    return (
        None if key is None else signing.load_key(key, passphrase(passphrase_file, confirm=False))
    )


def passphrase(file: Path | None, *, confirm: bool) -> str:
    """From the file's first line, else from whoever sits at the terminal."""
    from model_export.errors import ExportError

    if file is not None:
        try:
            return next(iter(file.read_text(encoding="utf-8").splitlines()), "")
        except UnicodeDecodeError as error:
            raise ExportError(f"the passphrase file {file} is not text in UTF-8") from error
        except OSError as error:
            raise ExportError(
                f"the passphrase file {file} cannot be read: {error.strerror}"
            ) from error
    if not sys.stdin.isatty():
        raise ExportError("there is no terminal to ask for a passphrase at: use --passphrase-file")
    return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
