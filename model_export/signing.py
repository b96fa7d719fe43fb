"""The keys that bundles are signed with: Ed25519, in PEM files, the private one encrypted.

Formats: PKCS #8 (RFC 5958) with a passphrase, and SubjectPublicKeyInfo (RFC 8410), both as PEM
(RFC 7468), so that openssl reads them, too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.trust import DEMONSTRATION_SEED, Signature, key_id, signed_bytes
from model_export.errors import ExportError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LEAST_PASSPHRASE = 8
"""Characters."""


class SigningError(ExportError):
    """A key that cannot be made, read or used."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a new key.

    Attributes:
        key_id: names the key in bundles and messages.
        private: encrypted, for who signs; nobody else may have it.
        public: for the devices that trust it.
    """

    key_id: str
    private: Path
    public: Path


class SigningKey:
    """A private key that is open; `load_key` and `demonstration_key` make it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public_key)

    def sign(self, manifest: bytes) -> Signature:
        """The signature over a bundle's manifest."""
        return Signature(self.key_id, self._key.sign(signed_bytes(manifest)))


def keygen(private: Path, passphrase: str) -> KeyPair:
    """Make a key: `private` (mode 0600), and beside it the public one, named ``*.pem``.

    Raises:
        SigningError: a file of either name is there, the folder cannot be written, or the
            passphrase is too short.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = private.with_suffix(".pem")
    if public == private:
        raise SigningError(
            f"{private} is what the public key would be called: name the private one *.key"
        )
    if len(passphrase) < LEAST_PASSPHRASE:
        raise SigningError(f"the passphrase needs {LEAST_PASSPHRASE} characters or more")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    open_key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with _all_or_none() as made:
        _write_new(private, secret, 0o600)
        made.append(private)
        _write_new(public, open_key, 0o644)
    return KeyPair(SigningKey(key).key_id, private, public)


def load_key(path: Path, passphrase: str) -> SigningKey:
    """Open a private key.

    Raises:
        SigningError: it is missing, no such key, or the passphrase is not its own.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        content = path.read_bytes()
    except OSError as error:
        raise SigningError(f"the signing key {path} cannot be read: {error.strerror}") from error
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in content:
        raise SigningError(
            f"{path} is not a private key with a passphrase: `edge-export keygen` makes one"
        )
    try:
        key = load_pem_private_key(content, passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"the signing key {path} does not open: the passphrase is wrong, or the file is damaged"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"the signing key {path} is not Ed25519: `edge-export keygen` makes one")
    return SigningKey(key)


def demonstration_key() -> SigningKey:
    """The key that is no secret: for bundles that devices take for a demonstration only."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(Ed25519PrivateKey.from_private_bytes(DEMONSTRATION_SEED))


@contextlib.contextmanager
def _all_or_none() -> Iterator[list[Path]]:
    """Removes the files that were made if not all could be."""
    made: list[Path] = []
    try:
        yield made
    except SigningError:
        for path in made:
            path.unlink()
        raise


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise SigningError(
            f"{path} is there already, and a key is never overwritten: choose another name"
        ) from error
    except OSError as error:
        raise SigningError(f"the key {path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
