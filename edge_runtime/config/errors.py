"""What is wrong with a configuration, in words for the person who wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches

from edge_runtime.config.lines import Key
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.redaction import redact

_LONGEST_SHOWN = 60
_MOST_LISTED = 12
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: the configuration as the user named it.
        line: from 1; None where the file as a whole is wrong.
        key: as it would be written with dots, places in lists from 0: ``cameras[1].fps``; None
            where no key is to blame.
        text: one sentence: what is wrong, and what would be right.
    """

    file: str
    line: int | None
    key: str | None
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.text) if part)


class ConfigError(EdgeRuntimeError):
    """A configuration that cannot be used; its text is one line a problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem before it is known on which line it stands."""

    key: Key
    text: str


def dotted(key: Key) -> str:
    """`key` as a person would write it: ``cameras[1].zones[0].polygon``."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """`value` on one short line, as TOML has it, without the passwords in URLs."""
    match value:
        case str():
            text = f"'{redact(value)}'" if value.isprintable() else ascii(redact(value))
        case bool():
            text = str(value).lower()
        case dict():
            text = "{" + ", ".join(dotted((name,)) for name in value) + "}"
        case list() | tuple():
            text = "[" + ", ".join(map(shown, value)) + "]"
        case date() | time():
            text = value.isoformat()
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant by `word`."""
    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1)
    return names[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """What was probably meant by `word`, or else what there is to choose from."""
    names = sorted(known)
    if not names:
        return "there is none"
    meant = closest(word, names)
    if meant is not None:
        return f"did you mean '{meant}'?"
    listed = ", ".join(f"'{name}'" for name in names[:_MOST_LISTED])
    return f"known: {listed}" + (", ..." if len(names) > _MOST_LISTED else "")
