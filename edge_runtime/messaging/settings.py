"""How to reach the broker."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge_runtime.messaging.failures import MqttSettingsError

_LONGEST_STRING = 65535
"""Bytes in an MQTT string: MQTT 5.0, section 1.5.4."""


def default_client_id(site: str, device: str) -> str:
    """The client identifier of a device: two clients of one name throw each other out."""
    return f"edge-{site}-{device}"


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach the broker, and as whom.

    Attributes:
        host: a host name or an address. With TLS the broker's certificate has to carry it.
        port: 1 to 65535; 1883 is usual without TLS and 8883 with it.
        client_id: unique at the broker; see `default_client_id`.
        username: None to connect without.
        password: asks for a username; it is in no representation of these settings.
        tls: encrypt, and verify the broker's certificate and name.
        ca: a PEM file of the authorities to trust; None for those of the system.
        certificate: the client's certificate, a PEM file; asks for `key`.
        key: the client's private key, a PEM file without passphrase.
        keepalive: seconds without traffic before the broker is asked whether it is there; an
            answer is waited for as long again. 1 to 65535.

    Raises:
        MqttSettingsError: the settings contradict each other or MQTT.
    """

    host: str
    client_id: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keepalive: int = 10

    def __post_init__(self) -> None:
        _require_host(self.host)
        _require_number("port", self.port)
        _require_number("keepalive", self.keepalive)
        _require_string("client id", self.client_id)
        if self.username is not None:
            _require_string("user name", self.username)
        if self.password is not None:
            if self.username is None:
                raise MqttSettingsError("the MQTT password has no user name: set one beside it")
            if len(self.password.encode()) > _LONGEST_STRING:
                raise MqttSettingsError("the MQTT password is too long: at most 65535 bytes fit")
        if (self.certificate is None) != (self.key is None):
            has, lacks = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise MqttSettingsError(
                f"the MQTT client {has} has no {lacks} beside it: set both or neither"
            )
        if not self.tls and (self.ca or self.certificate):
            raise MqttSettingsError(
                "MQTT certificates are set, but TLS is off: switch it on, or take them out"
            )

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer that verifies the broker's certificate and name.

    The files are read anew at each call, so that renewed certificates are taken up with the next
    connection.

    Raises:
        MqttSettingsError: a file is missing, unreadable, not PEM, or the key does not belong to
            the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca is None:
        context.load_default_certs()
    else:
        _require_readable("CA", settings.ca)
        try:
            context.load_verify_locations(settings.ca)
        except ssl.SSLError as error:
            raise MqttSettingsError(
                f"the MQTT CA file {settings.ca} holds no certificate in PEM form"
            ) from error
    if settings.certificate and settings.key:
        _load_identity(context, settings.certificate, settings.key)
    return context


def fault_of_identity(settings: MqttSettings) -> str | None:
    """What is wrong with the dates of the client certificate, as the end of a sentence about it."""
    if settings.certificate is None:
        return None
    from edge_runtime.certificates import read_certificates

    now = datetime.now(UTC)
    try:
        faults = [each.fault(now) for each in read_certificates(settings.certificate)]
    except (OSError, ValueError):  # `tls_context` tells of files that cannot be used
        return None
    return next(filter(None, faults), None)


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _require_readable("client certificate", certificate)
    _require_readable("client key", key)
    try:
        # Without a password function OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise MqttSettingsError(
                f"the MQTT client key {key} does not belong to the certificate {certificate}"
            ) from error
        if "ENCRYPTED" in key.read_text("ascii", "replace"):
            raise MqttSettingsError(
                f"the MQTT client key {key} has a passphrase, which nobody is there to type: "
                "store it without one, readable for this user only"
            ) from error
        raise MqttSettingsError(
            f"the MQTT client certificate {certificate} or its key {key} is not in PEM form"
        ) from error


def _require_readable(what: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise MqttSettingsError(
            f"cannot read the MQTT {what} file {path}: {error.strerror}"
        ) from error


def _require_host(host: str) -> None:
    try:
        encoded = host.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded or any(character.isspace() or character == "/" for character in host):
        raise MqttSettingsError(
            f"the MQTT host {host!r} is not a host name or address, e.g. broker.bank.example"
        )


def _require_number(what: str, number: int) -> None:
    if not 1 <= number <= 65535:
        raise MqttSettingsError(f"the MQTT {what} {number} is not between 1 and 65535")


def _require_string(what: str, text: str) -> None:
    if not text or not text.isprintable() or len(text.encode()) > _LONGEST_STRING:
        raise MqttSettingsError(
            f"the MQTT {what} {text[:40]!r} has to be printable text of 1 to 65535 bytes"
        )
