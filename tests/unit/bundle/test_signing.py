"""Keys are made once, kept closed, and opened by their passphrase only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from edge_runtime.bundle.trust import TrustedKeys
from model_export.signing import SigningError, keygen, load_key

PASSPHRASE = "correct horse"


def test_a_new_key_opens_with_its_passphrase_and_is_trusted_by_its_public_half(
    tmp_path: Path,
) -> None:
    pair = keygen(tmp_path / "bank.key", PASSPHRASE)
    key = load_key(pair.private, PASSPHRASE)
    trusted = TrustedKeys.read(pair.public)
    assert key.key_id == pair.key_id
    trusted.verify("x", key.sign(b"a manifest"), b"a manifest")
    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in pair.private.read_bytes()


@pytest.mark.parametrize("taken", ["bank.key", "bank.pem"])
def test_a_file_that_is_there_is_not_overwritten(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(SigningError, match=f"{taken} is there already, and a key is never"):
        keygen(tmp_path / "bank.key", PASSPHRASE)
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "precious"


def test_names_and_passphrases_that_will_not_do_are_told(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"name the private one \*\.key"):
        keygen(tmp_path / "bank.pem", PASSPHRASE)
    with pytest.raises(SigningError, match="the passphrase needs 8 characters or more"):
        keygen(tmp_path / "bank.key", "short")
    with pytest.raises(SigningError, match="cannot be written: No such file or directory"):
        keygen(tmp_path / "nowhere" / "bank.key", PASSPHRASE)
    assert not list(tmp_path.iterdir())


def test_a_wrong_passphrase_is_one_sentence(tmp_path: Path) -> None:
    pair = keygen(tmp_path / "bank.key", PASSPHRASE)
    for wrong in ("battery staple", ""):
        with pytest.raises(SigningError, match="does not open: the passphrase is wrong"):
            load_key(pair.private, wrong)


def test_what_is_no_signing_key_is_told(tmp_path: Path) -> None:
    pair = keygen(tmp_path / "bank.key", PASSPHRASE)
    with pytest.raises(SigningError, match=r"bank\.pem is not a private key with a passphrase"):
        load_key(pair.public, PASSPHRASE)
    with pytest.raises(SigningError, match="cannot be read: No such file or directory"):
        load_key(tmp_path / "none", PASSPHRASE)
    closed = BestAvailableEncryption(PASSPHRASE.encode())
    other = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec.key").write_bytes(
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed)
    )
    with pytest.raises(SigningError, match=r"ec\.key is not Ed25519"):
        load_key(tmp_path / "ec.key", PASSPHRASE)
    bare = Ed25519PrivateKey.generate()
    (tmp_path / "bare.key").write_bytes(
        bare.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(SigningError, match=r"bare\.key is not a private key with a passphrase"):
        load_key(tmp_path / "bare.key", PASSPHRASE)


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    pair = keygen(tmp_path / "bank.key", PASSPHRASE)
    text = pair.private.read_bytes()
    pair.private.write_bytes(text[:80] + b"AAAA" + text[84:])
    with pytest.raises(SigningError, match="or the file is damaged"):
        load_key(pair.private, PASSPHRASE)
