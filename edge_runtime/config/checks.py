"""What only the whole configuration can show: names that repeat, and names that lead nowhere.

These checks read the document as `tomllib` gave it, so that they have their say even where other
keys are wrong, and everything is told at once. What has the wrong type is passed over here: that
is told already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from edge_runtime.config.errors import Finding, dotted, shown, suggestion
from edge_runtime.config.lines import Key
from edge_runtime.config.snapshots import PERSON
from edge_runtime.config.values import DEFAULT_CLASSES, FIXED_BY_BUNDLE, MODEL_KINDS

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
        for what in ("zone", "line"):
            drawn = _tables(camera, f"{what}s", key)
            yield from _repeated(((place, _text(table, "name")) for place, table in drawn), what)
    yield from _repeated(((key, _rule_name(rule)) for key, rule in rules), "rule")
    for key, rule in rules:
        yield from _unknown_cameras(key, rule, cameras)
        for what in ("zone", "line"):
            yield from _not_drawn(what, key, rule, cameras)
    for key, model in models(document):
        yield from _model(key, model, on_duty=production(document))
    yield from _snapshots(document, labels)
    if labels is not None:
        yield from _unknown_classes(document, rules, labels)


def production(document: Document) -> bool:
    """Whether the configuration is that of a device on duty."""
    match document:
        case {"device": {"production": True}}:
            return True
    return False


def models(document: Document) -> Iterator[tuple[Key, Document]]:
    """The tables of models, each with its key."""
    match document:
        case {"model": dict(model)}:
            yield ("model",), model
    match document:
        case {"heads": dict(heads)}:
            for name in ("classifier", "detector"):
                if isinstance(heads.get(name), dict):
                    yield ("heads", name), heads[name]


def asks_for_heads(document: Document) -> bool:
    """Whether a rule needs the second look."""
    return any(rule.get("kind") == "covered-face" for _, rule in _tables(document, "rules"))


def _model(key: Key, model: Document, *, on_duty: bool) -> Iterator[Finding]:
    """A model is one thing, and has the keys that belong to it."""
    kinds = [kind for kind in MODEL_KINDS if kind in model]
    yield from _one_kind(key, kinds)
    if kinds:
        yield from _belonging(key, kinds[0], model, on_duty=on_duty)


def _snapshots(document: Document, labels: frozenset[str] | None) -> Iterator[Finding]:
    """Nobody is asked for a picture that is not made, and none is made that cannot be blurred."""
    if "snapshots" not in document:
        commands = document.get("commands")
        for place, name in _texts(commands, "allow") if isinstance(commands, dict) else ():
            if name == "snapshot":
                yield Finding(
                    ("commands", "allow", place),
                    "'snapshot' asks for pictures, and none are made; the table [snapshots] is "
                    "asked for, too",
                )
    elif labels is not None and PERSON not in labels:
        yield Finding(
            ("snapshots",),
            f"needs a model that knows the class {shown(PERSON)}, because people's heads are "
            "blurred; leave the table out",
        )


def _one_kind(model: Key, kinds: list[str]) -> Iterator[Finding]:
    if not kinds:
        yield Finding(
            model,
            "names no model; one of path, bundle and name is asked for, e.g. "
            'path = "models/detector.tflite"',
        )
    for key in kinds[1:]:
        yield Finding(
            (*model, key),
            f"there is a {kinds[0]}, too; only one of path, bundle and name is asked for",
        )


def _belonging(at: Key, kind: str, model: Document, *, on_duty: bool) -> Iterator[Finding]:
    if kind != "path":
        for key in FIXED_BY_BUNDLE:
            if key in model:
                yield Finding(
                    (*at, key),
                    "is said by the bundle, which is signed; leave it out",
                )
    elif on_duty:
        yield Finding(
            (*at, "path"),
            "is a file that nobody signed; a device in production (device.production) takes a "
            "bundle and trusted_keys only",
        )
    if kind != "bundle" and "trusted_keys" in model:
        yield Finding((*at, "trusted_keys"), "is for a bundle, and there is none; leave it out")
    if kind == "bundle" and on_duty and "trusted_keys" not in model:
        yield Finding(
            (*at, "trusted_keys"),
            "is missing; a device in production (device.production) takes only what your keys "
            'signed, e.g. trusted_keys = "keys"',
        )


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


def _not_drawn(what: str, key: Key, rule: Document, cameras: _Tables) -> Iterator[Finding]:
    """The rule's zone or line (`what`) has to be drawn in each of its cameras."""
    meant = _text(rule, what)
    if meant is None:
        return
    asked = {name for _, name in _texts(rule, "cameras")} if "cameras" in rule else _names(cameras)
    drawn = {
        name: _names(_tables(camera, f"{what}s"))
        for _, camera in cameras
        if (name := _text(camera, "name")) in asked
    }
    lacking = ", ".join(shown(name) for name, names in drawn.items() if meant not in names)
    if not lacking:
        return
    known = set().union(*drawn.values())
    right = (
        "draw it there, too, or list the cameras that have it under cameras"
        if meant in known
        else suggestion(meant, known)
    )
    yield Finding((*key, what), f"{shown(meant)} is no {what} of camera {lacking}; {right}")


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
