"""Which keys are read as trusted, and what is said of files that hold none."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_runtime.bundle.errors import TrustError
from edge_runtime.bundle.trust import (
    DEMONSTRATION_KEY,
    DEMONSTRATION_SEED,
    TrustedKeys,
    key_id,
    signed_bytes,
)
from model_export.signing import keygen


def pem(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def keys() -> list[Ed25519PublicKey]:
    return [Ed25519PrivateKey.generate().public_key() for _ in range(3)]


def test_a_folder_gives_the_keys_of_all_its_pem_files(
    tmp_path: Path, keys: list[Ed25519PublicKey]
) -> None:
    (tmp_path / "bank.pem").write_bytes(b"# the bank's\n" + pem(keys[0]) + pem(keys[1]))
    (tmp_path / "maker.pem").write_bytes(pem(keys[2]))
    (tmp_path / "README").write_text("no key")
    trusted = TrustedKeys.read(tmp_path)
    assert set(trusted.keys) == {key_id(key.public_bytes_raw()) for key in keys}
    assert TrustedKeys.read(tmp_path / "maker.pem").keys.keys() == {
        key_id(keys[2].public_bytes_raw())
    }


def test_no_keys_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="there is no public key in"):
        TrustedKeys.read(tmp_path)
    with pytest.raises(TrustError, match=r"the trusted keys .*/none cannot be read: No such file"):
        TrustedKeys.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:60] + b"!!!!" + text[64:], r"the public key in .*x\.pem is damaged"),
        (lambda text: b"\xff\xfe" + text, "are not text in PEM form"),
        (lambda _: b"", "there is no public key in"),
    ],
)
def test_a_damaged_key_is_told(
    change, sentence: str, tmp_path: Path, keys: list[Ed25519PublicKey]
) -> None:
    (tmp_path / "x.pem").write_bytes(change(pem(keys[0])))
    with pytest.raises(TrustError, match=sentence):
        TrustedKeys.read(tmp_path / "x.pem")


def test_a_key_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1()).public_key()))
    with pytest.raises(TrustError, match="holds a public key that is not Ed25519"):
        TrustedKeys.read(tmp_path)


def test_a_private_key_on_a_device_is_refused(tmp_path: Path) -> None:
    pair = keygen(tmp_path / "x.key", "correct horse")
    with pytest.raises(TrustError, match="holds a private key: a device needs the public one only"):
        TrustedKeys.read(pair.private)


def test_the_demonstration_key_cannot_be_trusted_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "bank.pem").write_bytes(pem(Ed25519PublicKey.from_public_bytes(DEMONSTRATION_KEY)))
    with pytest.raises(TrustError, match="holds the demonstration key, with which anyone can sign"):
        TrustedKeys.read(tmp_path, demonstration=True)


def test_the_demonstration_key_is_that_of_its_public_seed() -> None:
    private = Ed25519PrivateKey.from_private_bytes(DEMONSTRATION_SEED)
    assert private.public_key().public_bytes_raw() == DEMONSTRATION_KEY


def test_what_is_signed_is_the_standards_encoding() -> None:
    """The example of DSSE's protocol.md, with this type in its place."""
    kind = b"application/vnd.edge-runtime.bundle-manifest+json"
    assert signed_bytes(b"hello world") == b"DSSEv1 49 " + kind + b" 11 hello world"
