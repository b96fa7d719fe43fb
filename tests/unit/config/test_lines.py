from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.config.lines import Key, all_lines, find_line

DOCUMENT = (
    """\
# a comment with = and [brackets]
site = "x # no comment"
"quoted key" = 1
'it"""
    + "\"s' = '''one\ntwo'''"
    + r'''
"t\u0061b" = """
first \
   second""""" # two quotes, then the closing three
a.b . "c.d" = 2

[cameras_of.one]
list = [ # of lists
    [1, 2],

    [
        3, { x = 1, "y" = [4] },
    ],
]
[[cameras]]
name = "first"
  [cameras.motion]
  level = 1
  [[cameras.zones]]
  [[ cameras . 'zones' ]]
  polygon = [[0, 0], [1, 1]]
[[cameras]]
when = 1979-05-27 07:32:00 # a space inside
[[cameras.zones]]
name = "third"
[cameras_of]
late = true
'''
)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ((), 1),
        (("site",), 2),
        (("quoted key",), 3),
        (('it"s',), 4),
        (("tab",), 6),
        (("a",), 9),
        (("a", "b"), 9),
        (("a", "b", "c.d"), 9),
        (("cameras_of", "one"), 11),
        (("cameras_of", "one", "list"), 12),
        (("cameras_of", "one", "list", 0), 13),
        (("cameras_of", "one", "list", 0, 1), 13),
        (("cameras_of", "one", "list", 1), 15),
        (("cameras_of", "one", "list", 1, 1), 16),
        (("cameras_of", "one", "list", 1, 1, "y", 0), 16),
        (("cameras",), 19),
        (("cameras", 0), 19),
        (("cameras", 0, "name"), 20),
        (("cameras", 0, "motion"), 21),
        (("cameras", 0, "motion", "level"), 22),
        (("cameras", 0, "zones"), 23),
        (("cameras", 0, "zones", 0), 23),
        (("cameras", 0, "zones", 1), 24),
        (("cameras", 0, "zones", 1, "polygon"), 25),
        (("cameras", 1), 26),
        (("cameras", 1, "when"), 27),
        (("cameras", 1, "zones", 0, "name"), 29),
        (("cameras_of",), 30),
        (("cameras_of", "late"), 31),
    ],
)
def test_every_way_to_write_a_key_leads_to_its_line(key: Key, line: int) -> None:
    tomllib.loads(DOCUMENT)
    assert find_line(DOCUMENT, key) == line


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("nothing", "of", "this"), 1),
        (("cameras", 0, "source"), 19),
        (("cameras", 1, "zones", 0, "polygon", 3), 28),
        (("cameras", 7, "name"), 19),
        (("site", "not a table"), 2),
    ],
)
def test_what_is_missing_is_at_the_nearest_thing_around_it(key: Key, line: int) -> None:
    assert find_line(DOCUMENT, key) == line


def test_windows_line_ends_count_once() -> None:
    assert find_line("a = 1\r\n\r\nb = [\r\n1,\r\n2]\r\n", ("b", 1)) == 5


def test_lists_nested_as_deep_as_tomllib_reads_them_are_no_problem() -> None:
    def nested(depth: int) -> str:
        return "a = " + "[" * depth + "]" * depth

    depth = 100
    with pytest.raises(RecursionError):
        while depth < sys.getrecursionlimit():
            tomllib.loads(nested(depth + 1))
            depth += 1
    assert find_line(nested(depth), ("a", 0, 0)) == 1


@dataclass
class Writer:
    """Writes a document and remembers on which line it put what."""

    text: str = ""
    lines: dict[Key, int] = field(default_factory=dict)

    def put(self, text: str) -> None:
        self.text += text

    def mark(self, key: Key) -> None:
        self.lines.setdefault(key, self.text.count("\n") + 1)


NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5),
)
TABLE_NAMES = NAMES.map("t{}".format)  # no key of a generated table begins with t
BLANKS = st.sampled_from(["", " ", "\n", '# ] } \' " """ =\n', "\n\n  # [x]\n\t"])
SCALARS = st.sampled_from(
    [
        "1",
        "-1_000.5e3",
        "nan",
        "true",
        "07:32:00",
        "1979-05-27T07:32:00Z",
        "1979-05-27 07:32:00",
        "''",
        '""',
        "'#'",
        r'"\\"',
        r'"\"]"',
        "'\\'",
        "''''''",
        '""""""',
        '"""""""',
        "'''''two'''",
        '"""a""b"""""',
        '"""\n\n] # \\""" still\n"""',
        "'''\n[x]\ny = 1\n'''",
    ]
)


def written(name: str, draw: st.DrawFn) -> str:
    bare = bool(name) and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    forms = ["basic", "escaped"]
    forms += ["bare"] * 3 * bare
    forms += ["literal"] * ("'" not in name)
    match draw(st.sampled_from(forms)):
        case "bare":
            return name
        case "literal":
            return f"'{name}'"
        case "escaped":
            return '"' + "".join(f"\\U{ord(c):08x}" for c in name) + '"'
        case _:
            return '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'


def put_value(writer: Writer, key: Key, depth: int, draw: st.DrawFn) -> None:
    writer.mark(key)
    match draw(st.sampled_from(["scalar", "array", "table"] if depth < 3 else ["scalar"])):
        case "scalar":
            writer.put(draw(SCALARS))
        case "array":
            writer.put("[" + draw(BLANKS))
            count = draw(st.integers(0, 3))
            for place in range(count):
                put_value(writer, (*key, place), depth + 1, draw)
                last = place == count - 1
                comma = "," if not last or draw(st.booleans()) else ""
                writer.put(draw(BLANKS) + comma + draw(BLANKS))
            writer.put("]")
        case _:
            writer.put("{ ")
            for place, name in enumerate(draw(st.lists(NAMES, unique=True, max_size=3))):
                writer.put(", " * (place > 0))
                put_pair(writer, (*key, name), depth + 1, draw)
            writer.put(" }")


def put_pair(writer: Writer, key: Key, depth: int, draw: st.DrawFn) -> None:
    name = str(key[-1])
    writer.mark(key)
    writer.put(written(name, draw))
    if draw(st.booleans()):
        inner = draw(NAMES)
        writer.put(draw(st.sampled_from([".", " . "])) + written(inner, draw))
        key = (*key, inner)
    writer.put(draw(st.sampled_from(["=", " = ", "\t="])))
    put_value(writer, key, depth, draw)


def put_pairs(writer: Writer, table: Key, draw: st.DrawFn) -> None:
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        writer.put(draw(st.sampled_from(["", "  ", "\n", "# x = 1\n"])))
        put_pair(writer, (*table, f"k{name}"), 0, draw)
        writer.put(draw(st.sampled_from(["\n", " # [no] header\n"])))


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer()
    put_pairs(writer, (), draw)
    for name in draw(st.lists(TABLE_NAMES, unique=True, max_size=3)):
        header = written(name, draw)
        if draw(st.booleans()):
            writer.mark((name,))
            writer.put(f"[{header}]\n")
            put_pairs(writer, (name,), draw)
            continue
        for place in range(draw(st.integers(1, 3))):
            writer.mark((name,))
            writer.mark((name, place))
            writer.put(f"[[ {header} ]] # {place}\n")
            put_pairs(writer, (name, place), draw)
            inner = draw(TABLE_NAMES)
            for below in range(draw(st.integers(0, 2))):
                writer.mark((name, place, inner))
                writer.mark((name, place, inner, below))
                writer.put(f"  [[{header} . {written(inner, draw)}]]\n")
                put_pairs(writer, (name, place, inner, below), draw)
    return writer


def paths(value: Any, key: Key = ()) -> Iterator[Key]:
    yield key
    entries = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        entries = enumerate(value)
    for part, entry in entries:
        yield from paths(entry, (*key, part))


@settings(deadline=None, max_examples=150)
@given(documents())
def test_every_key_of_a_generated_document_maps_to_its_line(document: Writer) -> None:
    lines = all_lines(document.text)
    assert set(lines) == set(paths(tomllib.loads(document.text)))
    assert {key: lines[key] for key in document.lines} == document.lines


KEYS = ["a", "b", "c.a", '"a"', "'b' . c", "d.a.b", r'"\u0062"', "e.a", "f"]
VALUES = ["1", "{}", "[]", "[\n{a.b = 1}, # ]\n]", "{ x.y = [1], z = '}' }", "'' # x"]
STATEMENTS = st.one_of(
    st.sampled_from(["[a]", "[ c ]", "[a.b]", "[b.c]", "[[d]]", "[[d.a]]", "[d.c]", "[[c . e]]"]),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(" = ".join),
    st.sampled_from(["", "# a = 1", "\t", "  ", "[[f]] # [f]", "[f.a]", "[[f.b]]"]),
)


@settings(deadline=None, max_examples=1000)
@given(st.lists(STATEMENTS, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_whatever_tomllib_accepts_is_understood_in_the_same_way(
    statements: list[str], line_end: str
) -> None:
    text = line_end.join(statements)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = all_lines(text)
    assert set(lines) == set(paths(document))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
