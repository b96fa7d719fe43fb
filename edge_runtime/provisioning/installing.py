"""Puts a renewed certificate in the place of the one that a device uses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from edge_runtime.certificates import check_key, read_certificates
from edge_runtime.config import Config
from edge_runtime.provisioning.files import PUBLIC, ProvisioningError, read, replace


def install(new: Path, config: Config) -> Path | None:
    """Check `new` and put it where `config` says that the device's certificate is.

    The daemon takes it up by itself.

    Returns:
        Where it is now, or None where it was there already.

    Raises:
        ProvisioningError: it is not for this device and its key, not from the authority that the
            configuration names, or not valid now; nothing is changed.
    """
    tls = config.mqtt.tls if config.mqtt else None
    if tls is None or tls.certificate is None or tls.key is None or tls.ca is None:
        raise ProvisioningError(
            f"{config.path} names no place for a certificate: ca, certificate and key under "
            "[mqtt.tls] are asked for"
        )
    content = read(new, "certificate")
    if tls.certificate.exists() and content == tls.certificate.read_bytes():
        return None
    try:
        certificate = read_certificates(new)[0]
        fault = certificate.fault(datetime.now(UTC)) or _fault_of_issuer(content, tls.ca)
    except OSError as error:
        raise ProvisioningError(f"{error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        fault = str(error)
    if fault:
        raise ProvisioningError(f"the certificate {new} is not taken, for it {fault}")
    try:
        check_key(new, tls.key)
    except OSError as error:
        raise ProvisioningError(f"the key {tls.key} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ProvisioningError(f"the certificate {new} is not taken: {tls.key} {error}") from error
    if certificate.name != config.device.name:
        raise ProvisioningError(
            f"the certificate {new} is for {certificate.name!r}, and this device is "
            f"{config.device.name!r}"
        )
    replace(tls.certificate, content, PUBLIC)
    return tls.certificate


def _fault_of_issuer(content: bytes, ca: Path) -> str | None:
    certificate = x509.load_pem_x509_certificate(content)
    for authority in x509.load_pem_x509_certificates(ca.read_bytes()):
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return None
    return f"was signed by none of the authorities in {ca}"
