"""Bundles of real models, and the key that signs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.reading import Bundle, read
from edge_runtime.bundle.trust import TrustedKeys
from model_export.bundling import BundleParts, make_bundle
from model_export.signing import SigningKey, keygen, load_key

Parts = Callable[..., BundleParts]
Bundled = Callable[[BundleParts], Bundle]

PASSPHRASE = "correct horse"


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    pair = keygen(tmp_path_factory.mktemp("keys") / "bank.key", PASSPHRASE)
    return load_key(pair.private, PASSPHRASE)


@pytest.fixture(scope="session")
def trusted(key: SigningKey) -> TrustedKeys:
    return TrustedKeys({key.key_id: key.public_key}, source="the tests' key")


@pytest.fixture(scope="session")
def parts(data_dir: Path) -> Parts:
    """The parts of a bundle of a small classifier of persons, but for changes.

    Files that are given as texts are the real ones of that name.
    """
    folders = {"model": "models", "edgetpu": "models", "labels": "labels", "golden": "images"}
    small = {
        "name": "vww",
        "version": 1,
        "model": "vww_96_int8.tflite",
        "labels": ("none", "person"),
        "golden": "squat.jpg",
        "data": "Visual Wake Words",
    }

    def make(**changes: Any) -> BundleParts:
        values = small | changes
        for name, folder in folders.items():
            if isinstance(values.get(name), str):
                values[name] = data_dir / folder / values[name]
        return BundleParts(**values)

    return make


@pytest.fixture
def bundled(key: SigningKey, trusted: TrustedKeys, tmp_path: Path) -> Bundled:
    """Makes a bundle of its parts, and reads it."""
    return lambda parts: read(make_bundle(parts, key, tmp_path / "dist"), trusted)
