"""The signature over the chain's head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.signing import (
    NO_KEY,
    CertificateError,
    HeadSignatureError,
    Signer,
    certified_key,
    key_id,
    verify,
)
from tests.certificates import Authority

HEAD = Head("branch-7", "atm-1", 1_790_000_000_000_000, 1, 12, "ab" * 32)
TIME = "2026-11-25T03:00:00.000Z"
KEYS: dict[str, Callable[[], PrivateKeyTypes]] = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ec-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def written(path: Path, key: Any, passphrase: bytes | None = None) -> Path:
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    return path


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> PrivateKeyTypes:
    return KEYS[request.param]()


def test_what_was_signed_verifies_and_nothing_else_does(
    tmp_path: Path, key: PrivateKeyTypes
) -> None:
    told = Signer(written(tmp_path / "key.pem", key)).signed(HEAD, TIME)
    public = key.public_key()
    assert told["key"] == key_id(public)
    verify(HEAD, TIME, told["signature"], public)
    for other, time in [
        (replace(HEAD, sequence=11), TIME),
        (replace(HEAD, hash="cd" * 32), TIME),
        (replace(HEAD, site="branch-8"), TIME),
        (replace(HEAD, first=2), TIME),
        (HEAD, "2026-11-25T03:00:01.000Z"),
    ]:
        with pytest.raises(HeadSignatureError):
            verify(other, time, told["signature"], public)
    for broken in ("", "no base64", told["signature"][:-8] + "AAAAAAA="):
        with pytest.raises(HeadSignatureError):
            verify(HEAD, TIME, broken, public)


def test_another_key_of_the_same_kind_does_not_verify(tmp_path: Path, key: PrivateKeyTypes) -> None:
    told = Signer(written(tmp_path / "key.pem", key)).signed(HEAD, TIME)
    with pytest.raises(HeadSignatureError, match="it is forged, or the certificate is another"):
        verify(HEAD, TIME, told["signature"], ec.generate_private_key(ec.SECP256R1()).public_key())


def test_the_certificate_beside_the_key_verifies(tmp_path: Path) -> None:
    identity = Authority(tmp_path / "bank").client("atm-1")
    told = Signer(identity.key).signed(HEAD, TIME)
    verify(HEAD, TIME, told["signature"], certified_key(identity.certificate))


def test_a_key_that_is_replaced_signs_from_then_on(tmp_path: Path) -> None:
    path = written(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate())
    signer = Signer(path)
    first = signer.signed(HEAD, TIME)
    assert signer.signed(HEAD, TIME) == first
    renewed = ed25519.Ed25519PrivateKey.generate()
    written(tmp_path / "renewed.pem", renewed).replace(path)
    assert signer.signed(HEAD, TIME)["key"] == key_id(renewed.public_key())


def test_without_a_key_that_can_be_used_the_head_says_why_it_is_not_signed(tmp_path: Path) -> None:
    def reason(path: Path | None) -> str:
        told = Signer(path).signed(HEAD, TIME)
        assert "signature" not in told
        assert (told["sequence"], told["hash"], told["time"]) == (12, HEAD.hash, TIME)
        return str(told["unsigned"])

    missing = tmp_path / "missing.pem"
    locked = written(tmp_path / "locked.pem", ec.generate_private_key(ec.SECP256R1()), b"secret")
    other = written(tmp_path / "other.pem", ed448.Ed448PrivateKey.generate())
    (tmp_path / "no.pem").write_text("no key")
    assert reason(None) == NO_KEY
    assert reason(missing) == f"the key {missing} cannot be read: No such file or directory"
    assert reason(locked) == f"the key {locked} has a passphrase, which nobody is there to type"
    assert reason(tmp_path / "no.pem") == f"the key {tmp_path}/no.pem is no private key in PEM form"
    assert reason(other) == (
        f"the key {other} is of a kind that signs no heads: EC, RSA or Ed25519 is asked for"
    )


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no.pem"
    with pytest.raises(CertificateError, match=r"no\.pem cannot be read: No such file"):
        certified_key(path)
    path.write_text("no certificate")
    with pytest.raises(CertificateError, match="holds no certificate in PEM form"):
        certified_key(path)
