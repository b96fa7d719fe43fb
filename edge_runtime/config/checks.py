"""What only the whole configuration can show: names that repeat, and names that lead nowhere.

These checks read the document as `tomllib` gave it, so that they have their say even where other
keys are wrong, and everything is told at once. What has the wrong type is passed over here: that
is told already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edge_runtime.config.errors import Finding, dotted, shown, suggestion
from edge_runtime.config.lines import Key
from edge_runtime.config.values import DEFAULT_CLASSES

Document = dict[str, Any]
_Tables = list[tuple[Key, Document]]


def check(document: Document, labels: frozenset[str] | None) -> Iterator[Finding]:
    """Everything that does not fit together.

    Args:
        document: the configuration as parsed.
        labels: the class names that the model knows; None where they are not known.
    """
    cameras = _tables(document, "cameras")
    rules = _tables(document, "rules")
    yield from _repeated(((key, _text(camera, "name")) for key, camera in cameras), "camera")
    for key, camera in cameras:
        zones = _tables(camera, "zones", key)
        yield from _repeated(((zone, _text(table, "name")) for zone, table in zones), "zone")
    yield from _repeated(((key, _rule_name(rule)) for key, rule in rules), "rule")
    for key, rule in rules:
        yield from _unknown_cameras(key, rule, cameras)
        yield from _unknown_zone(key, rule, cameras)
    if labels is not None:
        yield from _unknown_classes(document, rules, labels)


def known_labels(document: Document, folder: Path) -> frozenset[str] | None:
    """The class names in the model's labels file; None where there is none that can be read."""
    match document:
        case {"model": {"labels": str(name)}} if name.isprintable():
            from edge_runtime.inference.engine import ModelError
            from edge_runtime.inference.labels import read_labels

            try:
                return frozenset(read_labels(folder / name))
            except ModelError:
                return None  # the key labels itself tells why
    return None


def _repeated(names: Iterable[tuple[Key, str | None]], what: str) -> Iterator[Finding]:
    first: dict[str, Key] = {}
    for key, name in names:
        if name is None:
            continue
        if name in first:
            yield Finding(
                (*key, "name"),
                f"{shown(name)} is the name of {dotted(first[name])} already; a name of its own "
                f"is asked for, for each {what}",
            )
        first.setdefault(name, key)


def _unknown_cameras(key: Key, rule: Document, cameras: _Tables) -> Iterator[Finding]:
    names = _names(cameras)
    for place, name in _texts(rule, "cameras"):
        if name not in names:
            yield Finding(
                (*key, "cameras", place), f"{shown(name)} is no camera; {suggestion(name, names)}"
            )


def _unknown_zone(key: Key, rule: Document, cameras: _Tables) -> Iterator[Finding]:
    zone = _text(rule, "zone")
    if zone is None:
        return
    asked = {name for _, name in _texts(rule, "cameras")} if "cameras" in rule else _names(cameras)
    zones = {
        name: _names(_tables(camera, "zones"))
        for _, camera in cameras
        if (name := _text(camera, "name")) in asked
    }
    lacking = ", ".join(shown(name) for name, names in zones.items() if zone not in names)
    if not lacking:
        return
    known = set().union(*zones.values())
    right = (
        "draw it there, too, or list the cameras that have it under cameras"
        if zone in known
        else suggestion(zone, known)
    )
    yield Finding((*key, "zone"), f"{shown(zone)} is no zone of camera {lacking}; {right}")


def _unknown_classes(
    document: Document, rules: _Tables, labels: frozenset[str]
) -> Iterator[Finding]:
    used: list[tuple[Key, str]] = [
        ((*key, "classes", place), name)
        for key, rule in rules
        for place, name in _texts({"classes": list(DEFAULT_CLASSES), **rule}, "classes")
    ]
    match document:
        case {"model": {"thresholds": dict(thresholds)}}:
            used += [(("model", "thresholds", name), name) for name in thresholds]
    for key, name in used:
        if name not in labels:
            yield Finding(
                key, f"{shown(name)} is no class of the model; {suggestion(name, labels)}"
            )


def _tables(table: Document, name: str, around: Key = ()) -> _Tables:
    """The tables in the array `name`, each with its key."""
    value = table.get(name)
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((*around, name, place), entry) for place, entry in entries if isinstance(entry, dict)]


def _text(table: Document, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) else None


def _texts(table: Document, key: str) -> list[tuple[int, str]]:
    """The texts in the array at `key`, each with its place."""
    value = table.get(key)
    entries = enumerate(value) if isinstance(value, list) else ()
    return [(place, entry) for place, entry in entries if isinstance(entry, str)]


def _names(tables: _Tables) -> set[str]:
    return {name for _, table in tables if (name := _text(table, "name")) is not None}


def _rule_name(rule: Document) -> str | None:
    return _text(rule, "name") or _text(rule, "kind")
