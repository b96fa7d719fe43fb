"""The signature over the chain's head: made with the device's key, checked with its certificate.

The kind of signature follows from the kind of key alone, never from what a message says:
Ed25519 (RFC 8032), ECDSA with SHA-256 (FIPS 186-5), RSASSA-PSS with SHA-256, MGF1 with SHA-256 and
32 bytes of salt (RFC 8017).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.alerts.chain import Head, to_sign
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.report import ChainReport

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

NO_KEY = "this device has no key: [mqtt.tls] has none"
_Stamp = tuple[int, int, int]


class CertificateError(EdgeRuntimeError):
    """A certificate cannot be read, or is of a key that signs no heads."""


class HeadSignatureError(EdgeRuntimeError):
    """A head is not what the certificate's key signed."""


class Signer:
    """Signs heads with the key in a PEM file, or says why it cannot.

    The key is read anew when its file has been replaced, as the TLS connection does.
    """

    def __init__(self, path: Path | None) -> None:
        """Prepare; a key that cannot be used is told by each head."""
        self._path = path
        self._known: tuple[_Stamp, PrivateKeyTypes] | None = None

    def signed(self, head: Head, time: str) -> ChainReport:
        """The head as it stands in `health`, told at `time` (RFC 3339).

        `signature` is there, or else `unsigned` with the reason.
        """
        told: ChainReport = {
            "site": head.site,
            "device": head.device,
            "epoch": head.epoch,
            "first": head.first,
            "sequence": head.sequence,
            "hash": head.hash,
            "time": time,
        }
        if self._path is None:
            return {**told, "unsigned": NO_KEY}
        try:
            key = self._key(self._path)
            signature = _sign(key, to_sign(head, time))
        except OSError as error:
            return {**told, "unsigned": f"the key {self._path} cannot be read: {error.strerror}"}
        except ValueError as error:
            return {**told, "unsigned": f"the key {self._path} {error}"}
        return {
            **told,
            "key": key_id(key.public_key()),
            "signature": base64.b64encode(signature).decode(),
        }

    def _key(self, path: Path) -> PrivateKeyTypes:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
        known = self._known
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except TypeError:
            raise ValueError("has a passphrase, which nobody is there to type") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("is no private key in PEM form") from None
        self._known = stamp, key
        return key


def key_id(key: PublicKeyTypes) -> str:
    """16 hexadecimal digits: the beginning of the SHA-256 of the key's SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()[:16]


def certified_key(certificate: Path) -> PublicKeyTypes:
    """The public key in the first certificate of a PEM file. Raises CertificateError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except OSError as error:
        raise CertificateError(
            f"the certificate {certificate} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{certificate} holds no certificate in PEM form: the device's is asked for"
        ) from error


def verify(head: Head, time: str, signature: str, key: PublicKeyTypes) -> None:
    """See that `key` signed `head` at `time`.

    Args:
        head: as told.
        time: as told, RFC 3339.
        signature: as told, base64.
        key: out of the device's certificate.

    Raises:
        HeadSignatureError: it did not; the text is the end of a sentence about the head.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        _verify(key, base64.b64decode(signature, validate=True), to_sign(head, time))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise HeadSignatureError(
            f"is not what the certificate's key ({key_id(key)}) signed: it is forged, or the "
            "certificate is another device's or another year's"
        ) from error


def _sign(key: PrivateKeyTypes, message: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    sha256 = hashes.SHA256()
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(sha256))
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PSS(padding.MGF1(sha256), 32), sha256)
    raise ValueError("is of a kind that signs no heads: EC, RSA or Ed25519 is asked for")


def _verify(key: PublicKeyTypes, signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    sha256 = hashes.SHA256()
    match key:
        case ed25519.Ed25519PublicKey():
            key.verify(signature, message)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, message, ec.ECDSA(sha256))
        case rsa.RSAPublicKey():
            key.verify(signature, message, padding.PSS(padding.MGF1(sha256), 32), sha256)
        case _:
            raise InvalidSignature("a key of a kind that signs no heads")
