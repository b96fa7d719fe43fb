"""Certificates in PEM files: whose they are, when they are valid, and which key is theirs."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

_PEM_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says of itself; nothing here says whether it can be trusted.

    Attributes:
        name: the common name (CN) of its subject; empty where it has none.
        first: the first moment at which it is valid.
        last: the last one.
    """

    name: str
    first: datetime
    last: datetime

    def fault(self, now: datetime) -> str | None:
        """What is wrong at `now`, as the end of a sentence that begins with the certificate."""
        if now > self.last:
            return f"expired on {self.last:%Y-%m-%d %H:%M} UTC; a renewed one is asked for"
        if now < self.first:
            return (
                f"is not valid before {self.first:%Y-%m-%d %H:%M} UTC, and this machine's clock "
                f"says {now:%Y-%m-%d %H:%M}; a certificate that is valid now is asked for, or a "
                "clock that is right"
            )
        return None

    def warning(self, now: datetime, ahead: timedelta) -> str | None:
        """The same, or that it expires within the time `ahead`."""
        if self.first <= now <= self.last <= now + ahead:
            return (
                f"expires on {self.last:%Y-%m-%d %H:%M} UTC, in {(self.last - now).days} days; a "
                "renewed one is asked for"
            )
        return self.fault(now)


def read_certificates(path: Path) -> list[Certificate]:
    """The certificates in a PEM file, in their order.

    Raises:
        ValueError: the file holds none; the text is the end of a sentence about it.
        OSError: the file cannot be read.
    """
    # 20 ms that a device without TLS spares.
    from cryptography.x509 import load_pem_x509_certificate

    blocks = _PEM_CERTIFICATE.findall(path.read_bytes())
    if not blocks:
        raise ValueError("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    try:
        return [_read(load_pem_x509_certificate(block)) for block in blocks]
    except ValueError:
        raise ValueError("is damaged: its PEM block is no certificate") from None


def _read(certificate: x509.Certificate) -> Certificate:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        str(names[0].value) if names else "",
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def check_key(certificate: Path, key: Path) -> None:
    """See that `key` is the private key of `certificate`.

    Raises:
        ValueError: it is not; the text is the end of a sentence about the key.
    """

    def passphrase() -> str:
        raise ValueError(
            "is encrypted, and nobody is there to type its passphrase; a key without one, "
            "readable by the service's user only, is asked for"
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"is not the key of the certificate {certificate}") from None
        raise ValueError("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)") from None


def warning(path: Path, ahead: timedelta, *, one_is_enough: bool = False) -> str | None:
    """A sentence about a file of certificates that are not valid now, or not for `ahead` more.

    Args:
        path: a PEM file; one that cannot be read is worth a sentence, too.
        ahead: how long they have to be valid from now on.
        one_is_enough: of a bundle of authorities one valid certificate will do, where of a chain
            all are needed.
    """
    now = datetime.now(UTC)
    try:
        told = [each.warning(now, ahead) for each in read_certificates(path)]
    except ValueError as error:
        told = [str(error)]
    except OSError as error:
        told = [f"cannot be read: {error.strerror}"]
    if one_is_enough and None in told:
        return None
    return next((f"the certificate {path} {text}" for text in told if text), None)
