"""The model that a configuration names: which classes it has, and whether its bundle is in order.

Nothing is read out of a bundle before its signature and its hashes are verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.config.checks import asks_for_heads, models, production
from edge_runtime.config.errors import Finding, shown, suggestion

COVERED_FACE = "covered-face"
"""The bundle that comes with the package and tells whether the face of a head is covered."""
COVERED = "covered"
"""The class that says so."""

if TYPE_CHECKING:
    from edge_runtime.bundle.reading import Bundle


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a model without loading it.

    Attributes:
        labels: the class names; None where they are not known.
        finding: what is wrong with its bundle; None: nothing, or there is none.
    """

    labels: frozenset[str] | None = None
    finding: Finding | None = None


def look(document: Mapping[str, Any], folder: Path) -> Looked:
    """Look at the model of a configuration as parsed, whose relative paths count from `folder`.

    What has the wrong type or is no file is passed over here: that is told already.
    """
    match document:
        case {"model": {"bundle": str(name), **more}} if (folder / name).is_file():
            keys = more.get("trusted_keys")
            path = folder / name
            return _bundle(
                "bundle",
                path,
                folder / keys if isinstance(keys, str) else None,
                on_duty=production(dict(document)),
            )
        case {"model": {"name": str(name)}}:
            return _shipped(name, on_duty=production(dict(document)))
        case {"model": {"labels": str(name)}} if name.isprintable():
            return _labels(folder / name)
    return Looked()


def look_at_heads(document: dict[str, Any], folder: Path) -> Iterator[Finding]:
    """What is wrong with the models of the second look, where a rule asks for it."""
    if not asks_for_heads(document):
        return
    tables = dict(models(document))
    tables.setdefault(("heads", "classifier"), {"name": COVERED_FACE})
    for key, table in tables.items():
        if key[0] != "heads":
            continue
        looked = look({**document, "model": table}, folder)
        if looked.finding:
            yield Finding((*key, *looked.finding.key[1:]), looked.finding.text)
        elif key[1] == "classifier" and looked.labels and COVERED not in looked.labels:
            yield Finding(key, f"is a model that does not know the class {shown(COVERED)}")


def verified(path: Path, keys: Path | None, *, on_duty: bool) -> Bundle:
    """The bundle at `path`, whole, and signed by who may.

    Args:
        path: the bundle.
        keys: whose bundles are taken: a PEM file or a folder of them. None: what the demonstration
            key signed.
        on_duty: whether the device is in production, and takes nothing that is for demonstrations.

    Raises:
        BundleError: see `bundle.reading.read` and `bundle.trust.TrustedKeys.read`.
    """
    from edge_runtime.bundle.errors import DemonstrationKeyError
    from edge_runtime.bundle.reading import read
    from edge_runtime.bundle.trust import TrustedKeys

    if keys is not None:
        return read(path, TrustedKeys.read(keys))
    try:
        return read(path, TrustedKeys(demonstration=not on_duty, source="model.trusted_keys"))
    except DemonstrationKeyError as error:
        raise DemonstrationKeyError(
            f"{path} is signed with the demonstration key, with which anyone can sign; a device in "
            "production (device.production) takes a bundle that one of your trusted_keys signed"
        ) from error


def shipped_path(name: str) -> Path:
    """The shipped bundle of that name; raises ValueError with what there is."""
    from edge_runtime.bundle.shipped import shipped

    paths = shipped()
    if name not in paths:
        raise ValueError(
            f"{shown(name)} is no model that comes with edge-runtime; {suggestion(name, paths)}"
        )
    return paths[name]


def _shipped(name: str, *, on_duty: bool) -> Looked:
    try:
        path = shipped_path(name)
    except ValueError as error:
        return Looked(finding=Finding(("model", "name"), str(error)))
    return _bundle("name", path, None, on_duty=on_duty)


def _bundle(key: str, path: Path, keys: Path | None, *, on_duty: bool) -> Looked:
    from edge_runtime.bundle.errors import BundleError, TrustError

    try:
        manifest = verified(path, keys, on_duty=on_duty).manifest
    except TrustError as error:
        return Looked(finding=Finding(("model", "trusted_keys"), str(error)))
    except BundleError as error:
        return Looked(finding=Finding(("model", key), str(error)))
    return Looked(labels=frozenset(manifest.labels))


def _labels(path: Path) -> Looked:
    from edge_runtime.inference.engine import ModelError
    from edge_runtime.inference.labels import read_labels

    try:
        return Looked(labels=frozenset(read_labels(path)))
    except ModelError:
        return Looked()  # the key labels itself tells why
