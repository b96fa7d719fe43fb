"""Certificate authorities and certificates for tests."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority that writes all it makes into `folder`.

    Attributes:
        certificate: its own certificate, a PEM file: what others have to trust.
        revocations: its list of revoked certificates (CRL), a PEM file.
    """

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(self._name, self._name, self._key, timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.revocations = folder / "crl.pem"
        self._revoked: list[int] = []
        self.revoke()

    def revoke(self, *identities: Identity, valid: timedelta = timedelta(days=7)) -> None:
        """Put certificates on the list, beside those that are on it; it is `valid` from now on."""
        now = datetime.now(UTC)
        for each in identities:
            read = x509.load_pem_x509_certificate(each.certificate.read_bytes())
            self._revoked.append(read.serial_number)
        start = now - timedelta(days=1)
        builder = x509.CertificateRevocationListBuilder(self._name, start, now + valid)
        for number in self._revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(number, start).build()
            )
        signed = builder.sign(self._key, hashes.SHA256())
        self.revocations.write_bytes(signed.public_bytes(Encoding.PEM))

    def server(self, host: str = "127.0.0.1", *, valid: timedelta = timedelta(days=7)) -> Identity:
        """For a server at `host`, a name or an address; a negative `valid` makes it expired."""
        return self._issue(host, valid, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(
        self,
        name: str,
        *,
        valid: timedelta = timedelta(days=7),
        wait: timedelta = timedelta(),
        passphrase: str | None = None,
    ) -> Identity:
        """For a client of that name; a negative `valid` makes it expired.

        With `wait` it is valid only from that time on.
        """
        return self._issue(name, valid, ExtendedKeyUsageOID.CLIENT_AUTH, passphrase, wait)

    def _issue(
        self,
        name: str,
        valid: timedelta,
        purpose: x509.ObjectIdentifier,
        passphrase: str | None = None,
        wait: timedelta = timedelta(),
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, self._name, key, valid, wait)
            .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        identity = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        identity.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        protection: KeySerializationEncryption = (
            BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        )
        identity.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
        identity.key.chmod(0o600)
        return identity


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: timedelta,
    wait: timedelta = timedelta(),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + valid
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wait if wait else min(end, now) - timedelta(days=1))
        .not_valid_after(end)
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
