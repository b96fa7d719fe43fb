"""Where in a TOML text each key stands.

`tomllib` gives values without their lines, and a problem without its line is hard to find on a
board's console. So the text is read a second time, only when there is something to report.

Grammar: TOML 1.0.0 (https://toml.io/en/v1.0.0). The text has passed `tomllib` before, so nothing
is checked here: what is left to do is to step over it.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Key = tuple[str | int, ...]
"""The way from the root of a document to a value: names of keys, and places in arrays from 0."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{1,2}(?!"))?'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{1,2}(?!'))?"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)


def find_line(text: str, key: Key) -> int:
    """The line, from 1, at which `key` stands in the TOML document `text`.

    A table's line is that of its header. For what is not there, the line of the nearest thing
    around it that is; line 1 where nothing is.
    """
    lines = all_lines(text)
    while key not in lines:
        key = key[:-1]
    return lines[key]


def all_lines(text: str) -> dict[Key, int]:
    """The line of every key, table and array element of the TOML document `text`."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return {(): 1} | scanner.implied | scanner.lines


class _Scanner:
    """Steps over a document from its start and notes the lines of what it passes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._at = 0
        self._last_places: dict[Key, int] = {}
        self.lines: dict[Key, int] = {}
        self.implied: dict[Key, int] = {}
        """Tables that have no header of their own, such as a in ``[a.b]`` and in ``a.b = 1``."""

    def document(self) -> None:
        table: Key = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._next_is("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Key:
        is_array = self._text.startswith("[[", self._at)
        line = self._line()
        self._step(2 if is_array else 1)
        self._skip(_BLANK)
        *around, name = self._dotted_key()
        self._skip(_BLANK)
        self._step(2 if is_array else 1)
        table: Key = ()
        for part in around:
            table = self._latest((*table, part))
            self.implied.setdefault(table, line)
        table = (*table, name)
        if is_array:
            self.implied.setdefault(table, line)
            self._last_places[table] = self._last_places.get(table, -1) + 1
            table = self._latest(table)
        self.lines[table] = line
        return table

    def _latest(self, table: Key) -> Key:
        """`table` itself, or its latest element where it is an array of tables."""
        place = self._last_places.get(table)
        return table if place is None else (*table, place)

    def _pair(self, table: Key) -> None:
        line = self._line()
        *around, name = self._dotted_key()
        for part in around:
            table = (*table, part)
            self.implied.setdefault(table, line)
        self._skip(_EQUALS)
        self._value((*table, name), line)

    def _value(self, key: Key, line: int) -> None:
        self.lines[key] = line
        if self._next_is("["):
            self._open()
            place = 0
            while not self._next_is("]"):
                self._value((*key, place), self._line())
                self._separator()
                place += 1
            self._step(1)
        elif self._next_is("{"):
            self._open()
            while not self._next_is("}"):
                self._pair(key)
                self._separator()
            self._step(1)
        else:
            self._skip(_STRING if self._next_is('"', "'") else _SCALAR)

    def _open(self) -> None:
        self._step(1)
        self._skip(_BLANK)

    def _separator(self) -> None:
        self._skip(_BLANK)
        if self._next_is(","):
            self._step(1)
            self._skip(_BLANK)

    def _dotted_key(self) -> list[str]:
        parts = [self._simple_key()]
        while self._skip(_DOT):
            parts.append(self._simple_key())
        return parts

    def _simple_key(self) -> str:
        if not self._next_is('"', "'"):
            return self._skip(_BARE_KEY)
        quoted = self._skip(_STRING)
        if "\\" not in quoted:
            return quoted[1:-1]
        decoded: str = tomllib.loads(f"key = {quoted}")["key"]
        return decoded

    def _next_is(self, *characters: str) -> bool:
        return self._text.startswith(characters, self._at)

    def _step(self, count: int) -> None:
        self._at += count

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Step over what matches here, and return it; it may be nothing."""
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1
