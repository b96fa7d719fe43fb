"""Whether a TLS certificate can be used today, and whether a key is its key.

OpenSSL judges the form. The dates are read here, from the DER: the standard library tells them of
CA certificates only (`SSLContext.get_ca_certs` leaves out the others), and a cryptography package
of many megabytes on every board is too much for two dates.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_PEM_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CONTEXT_0 = 0xA0  # DER tag of the optional version in front of the serial number
_UTC_TIME = 0x17


@dataclass(frozen=True, slots=True)
class Validity:
    """The first and the last moment at which a certificate is valid."""

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


def validities(path: Path) -> list[Validity]:
    """The validity of each certificate in a PEM file.

    Raises:
        ValueError: the file holds none; the text is the end of a sentence about it.
        OSError: the file cannot be read.
    """
    blocks = _PEM_CERTIFICATE.findall(path.read_text(encoding="ascii", errors="replace"))
    if not blocks:
        raise ValueError("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(blocks))
        return [_validity(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]
    except (ssl.SSLError, ValueError, IndexError):
        raise ValueError("is damaged: its PEM block is no certificate") from None


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


def _validity(der: bytes) -> Validity:
    """Read the dates: RFC 5280, 4.1, Certificate and TBSCertificate."""
    _, at, _ = _element(der, 0)
    _, at, _ = _element(der, at)
    tag, _, end = _element(der, at)
    if tag == _CONTEXT_0:
        _, _, end = _element(der, end)
    _, _, end = _element(der, end)  # the signature's algorithm
    _, _, end = _element(der, end)  # the issuer
    _, at, _ = _element(der, end)
    first_tag, first, middle = _element(der, at)
    last_tag, last, end = _element(der, middle)
    return Validity(_time(first_tag, der[first:middle]), _time(last_tag, der[last:end]))


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of the DER element at `at`, where its content begins and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[start : start + size], "big")
        start += size
    return tag, start, start + length


def _time(tag: int, content: bytes) -> datetime:
    """RFC 5280, 4.1.2.5: UTCTime has two digits of the year, 50 to 99 are those of 19xx."""
    digits = content.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
