"""Whose bundles are taken: Ed25519 keys, by their ids.

Source: Ed25519, RFC 8032.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.container import SIGNATURE_SIZE
from edge_runtime.bundle.errors import (
    DamagedError,
    DemonstrationKeyError,
    SignatureError,
    TrustError,
    UnknownKeyError,
)
from edge_runtime.dsse import pae

PAYLOAD_TYPE = "application/vnd.edge-runtime.bundle-manifest+json"

DEMONSTRATION_SEED = hashlib.sha256(
    b"edge-runtime demonstration key: anyone can sign with it"
).digest()
"""The private demonstration key itself (RFC 8032's 32-byte seed). It is public, so that nobody can
take it for a secret, and a signature with it proves nothing but that the file is whole."""

DEMONSTRATION_KEY = bytes.fromhex(
    "0efe8cef9ad3bf1a6756815c9989b6158a202072448c26b5d95fbbc71b3f0f0a"
)
"""The public key that belongs to `DEMONSTRATION_SEED`."""

_SIGNATURE = re.compile(rb"([0-9a-f]{16})\n([0-9a-f]{128})\n")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\s.*?-----END \1-----", re.DOTALL)


def key_id(public_key: bytes) -> str:
    """16 hexadecimal digits that name a raw public key: the beginning of its SHA-256.

    An id only says which key to verify with; that two keys had the same would open nothing.
    """
    return hashlib.sha256(public_key).hexdigest()[:16]


def signed_bytes(manifest: bytes) -> bytes:
    """What is signed: DSSE's PAE(type, body) of the manifest."""
    return pae(PAYLOAD_TYPE, manifest)


@dataclass(frozen=True, slots=True)
class Signature:
    """The first member of a bundle.

    Attributes:
        key_id: of the key that made it.
        value: 64 bytes.
    """

    key_id: str
    value: bytes

    @classmethod
    def parse(cls, where: str, content: bytes) -> Signature:
        """Read it; one content only stands for each signature. Raises DamagedError."""
        found = _SIGNATURE.fullmatch(content)
        if found is None:
            raise DamagedError(f"the signature of bundle {where} is damaged: copy it again")
        return cls(found[1].decode(), bytes.fromhex(found[2].decode()))

    def content(self) -> bytes:
        """The same as the member's `SIGNATURE_SIZE` bytes."""
        content = f"{self.key_id}\n{self.value.hex()}\n".encode()
        assert len(content) == SIGNATURE_SIZE
        return content


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys whose bundles are taken.

    Attributes:
        keys: raw public keys (32 bytes) by their ids.
        demonstration: whether bundles are taken that anyone can have signed.
        source: where the keys were read, for errors.
    """

    keys: Mapping[str, bytes] = field(default_factory=dict)
    demonstration: bool = False
    source: str = "no key"

    @classmethod
    def read(cls, path: Path, *, demonstration: bool = False) -> TrustedKeys:
        """All keys of a PEM file, or of all ``*.pem`` files in a folder.

        Raises:
            TrustError: unreadable, no keys, keys of another kind, private keys, or the
                demonstration key, which is asked for by `demonstration` and never by a file.
        """
        keys = dict(_keys(path))
        if not keys:
            raise TrustError(
                f"there is no public key in {path}: put the .pem file there that was made "
                "together with the signing key"
            )
        return cls(keys, demonstration, str(path))

    def verify(self, where: str, signature: Signature, manifest: bytes) -> None:
        """Is this the signature of a trusted key over `manifest`?

        Raises:
            UnknownKeyError, DemonstrationKeyError: it is of a key that is not taken.
            SignatureError: it is not.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        key = self._key(where, signature.key_id)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature.value, signed_bytes(manifest))
        except InvalidSignature as error:
            raise SignatureError(
                f"bundle {where} is not what key {signature.key_id} signed: "
                "it is damaged or forged; get it again from who made it"
            ) from error

    def _key(self, where: str, wanted: str) -> bytes:
        if wanted == key_id(DEMONSTRATION_KEY):
            if self.demonstration:
                return DEMONSTRATION_KEY
            raise DemonstrationKeyError(
                f"bundle {where} is signed with the demonstration key, with which anyone can "
                "sign: sign it with a key of your own, or allow demonstration bundles"
            )
        if wanted not in self.keys:
            known = ", ".join(sorted(self.keys)) or "none"
            raise UnknownKeyError(
                f"bundle {where} is signed with key {wanted}, which is not trusted here: "
                f"{self.source} has {known}"
            )
        return self.keys[wanted]


def _keys(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
        texts = [(file, file.read_text(encoding="ascii")) for file in files]
    except OSError as error:
        raise TrustError(
            f"the trusted keys {error.filename or path} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise TrustError(f"the trusted keys in {path} are not text in PEM form") from error
    for file, text in texts:
        for block in _PEM.finditer(text):
            raw = _raw(file, block[1], block[0])
            yield key_id(raw), raw


def _raw(file: Path, kind: str, block: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE" in kind:
        raise TrustError(
            f"{file} holds a private key: a device needs the public one only, and nobody but "
            "who signs may have the other"
        )
    try:
        key = load_pem_public_key(block.encode()) if kind == "PUBLIC KEY" else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(f"the public key in {file} is damaged: copy it again") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TrustError(
            f"{file} holds a {kind.lower()} that is not Ed25519: `edge-export keygen` makes such"
        )
    raw = key.public_bytes_raw()
    if raw == DEMONSTRATION_KEY:
        raise TrustError(
            f"{file} holds the demonstration key, with which anyone can sign: take it out"
        )
    return raw
