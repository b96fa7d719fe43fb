"""Keys, and bundles that they sign."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.bundle.reading import Bundle, parse
from edge_runtime.bundle.trust import TrustedKeys
from model_export.signing import SigningKey
from tests.unit.bundle.making import manifest, packed


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


@pytest.fixture(scope="session")
def trusted(key: SigningKey) -> TrustedKeys:
    return TrustedKeys({key.key_id: key.public_key}, source="the tests' key")


@pytest.fixture(scope="session")
def content(key: SigningKey) -> bytes:
    return packed(key, manifest(key))


@pytest.fixture(scope="session")
def version(key: SigningKey, trusted: TrustedKeys):
    def make(number: int, **changes: object) -> Bundle:
        document = manifest(key, version=number, **changes)
        return parse("a test's bundle", packed(key, document), trusted)

    return make
