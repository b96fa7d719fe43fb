"""A key that never leaves its machine, and the request to certify it (PKCS #10, RFC 2986)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge_runtime.provisioning.files import (
    PUBLIC,
    SECRET,
    ProvisioningError,
    read,
    replace,
    write_new,
)
from edge_runtime.provisioning.names import alternative, checked

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_LEAST_RSA_BITS, _LEAST_EC_BITS = 2048, 256


@dataclass(frozen=True, slots=True)
class Made:
    """The files of a request.

    Attributes:
        key: the private key, readable by its owner only; it stays where it is.
        request: for the authority; it is no secret.
        new_key: whether the key was made, too, or was there.
    """

    key: Path
    request: Path
    new_key: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What an authority is asked for.

    Attributes:
        name: whom to certify.
        key: the public key.
        hosts: under which names and addresses it is reached, if it is a server.
    """

    name: str
    key: PublicKey
    hosts: x509.SubjectAlternativeName | None


def make_request(name: str, folder: Path, hosts: Sequence[str] = ()) -> Made:
    """Make ``<name>.key``, where it is not there yet, and ``<name>.csr`` for it, in `folder`.

    Raises:
        ProvisioningError: the name or a host cannot be certified, or a file cannot be used.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, checked(name))])
    builder = x509.CertificateSigningRequestBuilder(subject)
    if hosts:
        alternatives = x509.SubjectAlternativeName([alternative(host) for host in hosts])
        builder = builder.add_extension(alternatives, critical=False)
    made = Made(
        folder / f"{name}.key", folder / f"{name}.csr", not (folder / f"{name}.key").exists()
    )
    if made.new_key:
        write_new(made.key, _new_key(), SECRET)
    key = _private(made.key)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    replace(made.request, builder.sign(key, algorithm).public_bytes(Encoding.PEM), PUBLIC)
    return made


def read_request(path: Path) -> Request:
    """What `path` asks for; its sender has shown that the private key is theirs.

    Raises:
        ProvisioningError: it is no request, or one that cannot be granted.
    """
    try:
        asked = x509.load_pem_x509_csr(read(path, "request"))
    except ValueError as error:
        raise ProvisioningError(
            f"{path} is no certificate request in PEM form: `provision request` makes one"
        ) from error
    try:
        genuine = asked.is_signature_valid
        key = asked.public_key()
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        genuine = False
    if not genuine:
        raise ProvisioningError(f"the request {path} is damaged: its key did not sign it")
    names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise ProvisioningError(f"the request {path} has to be for one common name (CN)")
    return Request(checked(str(names[0].value)), _strong(key, path), _hosts(asked))


def _hosts(asked: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _strong(key: object, path: Path) -> PublicKey:
    match key:
        case ed25519.Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey() if key.key_size >= _LEAST_EC_BITS:
            return key
        case rsa.RSAPublicKey() if key.key_size >= _LEAST_RSA_BITS:
            return key
    raise ProvisioningError(
        f"the key of the request {path} is too weak or of a rare kind: Ed25519, EC with "
        f"{_LEAST_EC_BITS} bits or RSA with {_LEAST_RSA_BITS}, or more, is asked for"
    )


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private(path: Path) -> CertificateIssuerPrivateKeyTypes:
    try:
        key = load_pem_private_key(read(path, "key"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ProvisioningError(
            f"{path} is no private key in PEM form without a passphrase: move it away, and another "
            "is made"
        ) from error
    if not isinstance(
        key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    ):
        raise ProvisioningError(
            f"the key {path} is of a rare kind: EC, Ed25519 or RSA is asked for"
        )
    return key
