"""A certificate authority that is a folder: its key, what it issued, and what it took back.

``ca.pem`` and ``ca.key`` (encrypted), ``crl.pem`` (RFC 5280, section 5), and in ``issued/`` every
certificate that it ever signed. There is nothing else to keep in step with them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_runtime.provisioning.files import (
    PUBLIC,
    SECRET,
    ProvisioningError,
    read,
    replace,
    sync_folder,
    write_new,
)
from edge_runtime.provisioning.names import Kind, check_kind, kind_of
from edge_runtime.provisioning.requests import PublicKey, Request

CERTIFICATE, KEY, REVOCATIONS, ISSUED = "ca.pem", "ca.key", "crl.pem", "issued"
LEAST_PASSPHRASE = 8
"""Characters."""
REVOCATIONS_VALID = timedelta(days=90)
"""A broker with an older list refuses everybody: it has to be made anew before."""
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that the authority signed.

    Attributes:
        name: whose it is.
        kind: what it is for.
        serial: its serial number.
        first: the first moment at which it is valid.
        last: the last one.
        revoked: whether it was taken back.
        pem: the certificate itself.
    """

    name: str
    kind: Kind
    serial: int
    first: datetime
    last: datetime
    revoked: bool
    pem: bytes

    def state(self, now: datetime) -> str:
        """In a word."""
        if self.revoked:
            return "revoked"
        return "expired" if now > self.last else "valid"


def create(folder: Path, name: str, passphrase: str, valid: timedelta) -> None:
    """Make an authority in a new `folder`, whole or not at all.

    Args:
        folder: it must not exist, or be empty.
        name: what its certificate says, for people.
        passphrase: for its key, 8 characters or more.
        valid: for how long it can certify.

    Raises:
        ProvisioningError: it cannot be made.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise ProvisioningError(f"the passphrase needs {LEAST_PASSPHRASE} characters or more")
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise ProvisioningError("an authority's name is printable text of 1 to 64 characters")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, subject, key.public_key(), datetime.now(UTC) + valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certifies=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    with _new_folder(folder) as made:
        write_new(made / KEY, secret, SECRET)
        write_new(made / CERTIFICATE, certificate.public_bytes(Encoding.PEM), PUBLIC)
        revocations = _revocations(certificate, key, [])
        write_new(made / REVOCATIONS, revocations.public_bytes(Encoding.PEM), PUBLIC)
        (made / ISSUED).mkdir(mode=0o755)


class Register:
    """What an authority issued and took back; reading it takes no passphrase."""

    def __init__(self, folder: Path) -> None:
        """Raises ProvisioningError where `folder` is no authority."""
        self.folder = folder
        self.certificate = _certificate(folder / CERTIFICATE)

    def issued(self) -> list[Issued]:
        """All certificates, by name, then by date; raises ProvisioningError."""
        revoked = {each.serial_number for each in self.revocations()}
        found = [_issued(path, revoked) for path in (self.folder / ISSUED).glob("*.pem")]
        return sorted(found, key=lambda each: (each.name, each.last, each.first))

    def revocations(self) -> x509.CertificateRevocationList:
        """The list as it stands; raises ProvisioningError."""
        path = self.folder / REVOCATIONS
        try:
            return x509.load_pem_x509_crl(read(path, "list of revoked certificates"))
        except ValueError as error:
            raise ProvisioningError(
                f"{path} is damaged: put the copy in its place that the broker has"
            ) from error

    def current(self) -> list[Issued]:
        """Of each name the newest certificate that was not revoked."""
        return list({each.name: each for each in self.issued() if not each.revoked}.values())


class Authority(Register):
    """An authority whose key is open; `opened` makes it."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(folder)
        self._key = key

    def sign(self, request: Request, kind: Kind, valid: timedelta) -> Issued:
        """Certify what `request` asks for, as `kind`.

        Raises:
            ProvisioningError: the name is not for that kind, or another key has it.
        """
        check_kind(request.name, kind)
        if (kind is Kind.SERVER) != (request.hosts is not None):
            raise ProvisioningError(
                f"{request.name} asks for a server's certificate: sign it with --server if it is "
                "one"
                if request.hosts
                else f"{request.name} names no hosts under which a server is reached: make the "
                "request with --host"
            )
        self._see_that_it_is_free(request)
        hosts = request.hosts if kind is Kind.SERVER else None
        return self._issue(request.name, request.key, kind, hosts, valid)

    def renew(self, old: Issued, valid: timedelta | None = None) -> Issued:
        """Certify the key of `old` anew, for as long as before unless `valid` says otherwise."""
        certificate = x509.load_pem_x509_certificate(old.pem)
        try:
            hosts = certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value
        except x509.ExtensionNotFound:
            hosts = None
        key: PublicKey = certificate.public_key()  # type: ignore[assignment]  # we certified it
        lasted = old.last - old.first - _CLOCKS_DIFFER
        return self._issue(old.name, key, old.kind, hosts, valid or lasted)

    def revoke(self, name: str) -> list[Issued]:
        """Take back all certificates of `name`: which those were. Raises ProvisioningError."""
        now = datetime.now(UTC)
        taken = [e for e in self.issued() if e.name == name and e.state(now) == "valid"]
        if not taken:
            raise ProvisioningError(
                f"there is no valid certificate for {name!r} to revoke: `provision list` shows all"
            )
        self.renew_revocations(taken)
        return taken

    def renew_revocations(self, more: Iterable[Issued] = ()) -> None:
        """Make the list of revoked certificates anew, and put `more` on it."""
        now = datetime.now(UTC)
        known: list[x509.RevokedCertificate] = list(self.revocations())
        known += [x509.RevokedCertificateBuilder(each.serial, now).build() for each in more]
        made = _revocations(self.certificate, self._key, known)
        replace(self.folder / REVOCATIONS, made.public_bytes(Encoding.PEM), PUBLIC)

    def _see_that_it_is_free(self, request: Request) -> None:
        """One name, one key: two devices of one name would be one to the broker."""
        now = datetime.now(UTC)
        for each in self.issued():
            same = _public(x509.load_pem_x509_certificate(each.pem).public_key()) == _public(
                request.key
            )
            if same and each.revoked:
                raise ProvisioningError(
                    f"the key of this request was revoked as that of {each.name}: move it away on "
                    "its machine, and make the request anew"
                )
            if not same and each.name == request.name and each.state(now) == "valid":
                raise ProvisioningError(
                    f"{each.name} has a certificate for another key, valid until "
                    f"{each.last:%Y-%m-%d}: choose another name, or revoke that one first if this "
                    "device takes its place"
                )

    def _issue(
        self,
        name: str,
        key: PublicKey,
        kind: Kind,
        hosts: x509.SubjectAlternativeName | None,
        valid: timedelta,
    ) -> Issued:
        purpose = (
            ExtendedKeyUsageOID.SERVER_AUTH
            if kind is Kind.SERVER
            else ExtendedKeyUsageOID.CLIENT_AUTH
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        end = min(datetime.now(UTC) + valid, self.certificate.not_valid_after_utc)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = (
            _builder(subject, self.certificate.subject, key, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certifies=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
            )
        )
        if hosts is not None:
            builder = builder.add_extension(hosts, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        path = self.folder / ISSUED / f"{name}.{made.serial_number:040x}.pem"
        write_new(path, made.public_bytes(Encoding.PEM), PUBLIC)
        return _issued(path, set())


@contextmanager
def opened(folder: Path, passphrase: str) -> Iterator[Authority]:
    """The authority in `folder`, alone: a second one waits until this one is done.

    Raises:
        ProvisioningError: there is none, or the passphrase is wrong.
    """
    Register(folder)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ProvisioningError(f"{folder} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Authority(folder, _key(folder / KEY, passphrase))
    finally:
        os.close(descriptor)


def _key(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read(path, "authority's key"), passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ProvisioningError(
            f"the authority's key {path} does not open: the passphrase is wrong, or it is damaged"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ProvisioningError(f"{path} is no authority's key: `provision ca` makes one")
    return key


def _certificate(path: Path) -> x509.Certificate:
    if not path.exists():
        raise ProvisioningError(
            f"{path.parent} is no authority, for there is no {path.name} in it: `provision ca` "
            "makes one"
        )
    try:
        return x509.load_pem_x509_certificate(read(path, "certificate"))
    except ValueError as error:
        raise ProvisioningError(f"{path} is damaged: it is no certificate in PEM form") from error


def _issued(path: Path, revoked: set[int]) -> Issued:
    read_ = _certificate(path)
    name = str(read_.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    purposes = read_.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return Issued(
        name,
        kind_of(name, server=ExtendedKeyUsageOID.SERVER_AUTH in purposes),
        read_.serial_number,
        read_.not_valid_before_utc,
        read_.not_valid_after_utc,
        read_.serial_number in revoked,
        read_.public_bytes(Encoding.PEM),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _CLOCKS_DIFFER)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certifies,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


def _revocations(
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    revoked: Iterable[x509.RevokedCertificate],
) -> x509.CertificateRevocationList:
    now = datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder(
            authority.subject, now - _CLOCKS_DIFFER, now + REVOCATIONS_VALID
        )
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
        )
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(each)
    return builder.sign(key, hashes.SHA256())


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined,no-any-return]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that gets its name when all is in it."""
    unfinished = None
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        yield unfinished
        sync_folder(unfinished)
        unfinished.rename(folder)
        sync_folder(folder.absolute().parent)
    except OSError as error:
        raise ProvisioningError(
            f"the authority cannot be made in {folder}: {error.strerror}; a folder that is not "
            "there yet is asked for"
        ) from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
