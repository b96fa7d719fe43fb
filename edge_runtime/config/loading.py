"""From a file, or from a document, to a configuration: all of it, or all that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_runtime.config.checks import check
from edge_runtime.config.document import Config, plain_schema
from edge_runtime.config.errors import ConfigError, Finding, Problem, dotted
from edge_runtime.config.findings import findings
from edge_runtime.config.lines import Key, find_line
from edge_runtime.config.models import Looked, look, look_at_heads
from edge_runtime.config.values import Context


def load(path: Path, *, check_files: bool = True, check_dates: bool = True) -> Config:
    """Read and validate the configuration at `path`.

    Args:
        path: a TOML file, UTF-8. Relative paths in it count from its folder.
        check_files: whether the model, certificates, password files it names have to be there
            and in order. Without, no file but `path` is touched, and a password that stands in a
            file is None.
        check_dates: whether certificates have to be valid at this moment. A device whose clock
            is wrong, or whose certificate has run out, still watches, and says what is wrong.

    Raises:
        ConfigError: with everything that is wrong.
    """
    text = read_text(path)
    config, found = _validated(
        parse(text, path), Context(path.absolute().parent, check_files, check_dates)
    )
    if config is None or found:
        raise ConfigError(located(found, text, path))
    config._path = path
    return config


def read_document(path: Path) -> dict[str, Any]:
    """What stands in the file, parsed and nothing more; raises ConfigError."""
    return parse(read_text(path), path)


def of_document(document: dict[str, Any], folder: Path, called: str) -> Config:
    """A configuration that stands in no file, as one that is made of arguments.

    Args:
        document: what `tomllib` would have made of the file.
        folder: what relative paths count from.
        called: what stands in place of the file's name where something is wrong.

    Raises:
        ConfigError: with everything that is wrong.
    """
    config, found = _validated(document, Context(folder, check_files=True))
    if config is None or found:
        raise ConfigError(Problem(called, None, dotted(each.key), each.text) for each in found)
    return config


def _validated(document: dict[str, Any], context: Context) -> tuple[Config | None, list[Finding]]:
    name = document.get("model")
    if isinstance(name, str):
        config, found = _validated({**document, "model": {"name": name}}, context)
        return config, [Finding(_model_alone(each.key), each.text) for each in found]
    looked = look(document, context.folder) if context.check_files else Looked()
    found = list(check(document, looked.labels))
    # What belongs together comes first: a bundle beside a file needs no verdict of its own.
    if looked.finding and not any(each.key[:1] == ("model",) for each in found):
        found.append(looked.finding)
    if context.check_files:
        found += look_at_heads(document, context.folder)
    try:
        config = Config.model_validate(document, context=context)
    except ValidationError as error:
        return None, [*found, *findings(error.errors(include_url=False), document, plain_schema())]
    return config, found


def _model_alone(key: Key) -> Key:
    """The key of what is wrong where ``model`` is a name and no table."""
    return key[:1] if key[:1] == ("model",) else key


def read_text(path: Path) -> str:
    """The text of a TOML file; raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        text = "there is no such file; the path of a configuration is asked for"
    except IsADirectoryError:
        text = "this is a folder; the path of a configuration in it is asked for"
    except OSError as error:
        text = f"cannot be read ({error.strerror}); a file that this user can read is asked for"
    else:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            text = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
            raise ConfigError([Problem(str(path), line, None, text)]) from None
    raise ConfigError([Problem(str(path), None, None, text)])


_SYNTAX_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_SYNTAX_HINTS = {
    "Invalid value": 'no value; text stands in quotes, e.g. site = "paris-12"',
    "Expected newline": "more follows the value; one key stands on a line, and text in quotes",
    "Cannot": "this key or table stands here a second time; only [[tables in two brackets]] "
    "may repeat",
    "Invalid statement": 'no key; a line such as site = "paris-12" or [device] is asked for',
}


def parse(text: str, path: Path) -> dict[str, Any]:
    """What the text of a TOML file says; raises ConfigError with the line."""
    if text.startswith("\ufeff"):
        fault = "the file begins with a byte order mark; save it as UTF-8 without one"
        raise ConfigError([Problem(str(path), 1, None, fault)])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(str(error), text, path)]) from None
    except RecursionError:
        fault = "lists stand in lists too deeply to be read; no key needs more than three levels"
    except ValueError:  # the only other thing that tomllib lets through, from int()
        fault = "a number has thousands of digits; no key needs more than five"
    raise ConfigError([Problem(str(path), None, None, fault)])


def _syntax_problem(message: str, text: str, path: Path) -> Problem:
    place = _SYNTAX_PLACE.search(message)
    what = message[: place.start()] if place else message
    hint = next((hint for start, hint in _SYNTAX_HINTS.items() if what.startswith(start)), what)
    if place and place[1]:
        return Problem(str(path), int(place[1]), None, f"column {place[2]}: {hint}")
    last = text.rstrip().count("\n") + 1
    if not what.startswith("Cannot"):
        hint = "the file ends too early; a value, a closing quote or a closing bracket is missing"
    return Problem(str(path), last, None, hint)


def located(found: list[Finding], text: str, path: Path) -> list[Problem]:
    """The findings with their lines, in that order."""
    problems = [
        Problem(str(path), find_line(text, finding.key), dotted(finding.key), finding.text)
        for finding in found
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)
