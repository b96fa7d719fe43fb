"""What can go wrong between the board and the broker, in words.

Reason codes: MQTT 5.0, section 2.4. Certificate codes: OpenSSL's X509_V_ERR_*.
"""

from __future__ import annotations

import re
import socket
import ssl
import time

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.errors import EdgeRuntimeError


class MqttError(EdgeRuntimeError):
    """No connection with the broker."""


class BrokerUnreachableError(MqttError):
    """The broker cannot be reached or does not answer; it may come back by itself."""


class BrokerRefusedError(MqttError):
    """The broker, or we, refuse the other: somebody has to change something."""


class MqttSettingsError(BrokerRefusedError):
    """The settings or the files that they name are wrong."""


_EXPIRED, _NOT_YET_VALID = 10, 9
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
_WRONG_NAME = {62, 64}

_ALERTS = {
    "CERTIFICATE_REVOKED": "it has been revoked; a new one, for a new key, is asked for",
    "CERTIFICATE_EXPIRED": "it has expired by the broker's clock, or the broker's list of revoked "
    "certificates (CRL) has; a renewed one is asked for",
    "UNKNOWN_CA": "it is from an authority that the broker does not trust; one from the authority "
    "in the broker's CA file is asked for",
    "BAD_CERTIFICATE": "it is not valid yet by the broker's clock, or it is damaged; a certificate "
    "that is valid now is asked for, or a broker's clock that is right",
    "UNSUPPORTED_CERTIFICATE": "it is not one for clients (extended key usage clientAuth)",
}
"""What the broker says of our certificate: RFC 8446, 6.2, in OpenSSL's names."""
_ABOUT_DATES = {"CERTIFICATE_EXPIRED", "BAD_CERTIFICATE"}

_CONNACK = {
    0x84: "it does not speak MQTT 5",
    0x85: "it does not accept the client id",
    0x86: "user name or password is wrong",
    0x87: "user name or password is wrong, or this client may not connect",
    0x8A: "this client is banned",
    0x8C: "it wants another way of authentication",
}
_BROKER_BUSY = {0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F}
_CONNACK_BUSY = "it cannot take this client at the moment"

_DISCONNECT = {
    0x87: "this client is no longer authorised",
    0x8B: "it is shutting down",
    0x8D: "it heard nothing for longer than the keepalive",
    0x8E: "another client connected with the same client id",
    0x93: "more messages were in flight than it allows",
    0x95: "a packet was larger than it allows",
    0x98: "an administrator closed the connection",
}

_NOT_TAKEN = {
    0x87: "its rules do not let this device write to its topics; the name in the certificate, or "
    "the user name, has to be the one that they are for",
    0x97: "it keeps no more for those who are away",
}


def refused(address: str, code: int, name: str) -> MqttError:
    """The broker's CONNACK said no."""
    if code in _BROKER_BUSY:
        return BrokerUnreachableError(
            f"the broker {address} refused the connection: {_CONNACK_BUSY} ({name})"
        )
    return BrokerRefusedError(
        f"the broker {address} refused the connection: {_CONNACK.get(code, 'see its log')} ({name})"
    )


def dismissed(address: str, code: int, name: str) -> MqttError:
    """The broker sent a DISCONNECT."""
    return BrokerUnreachableError(
        f"the broker {address} closed the connection: {_DISCONNECT.get(code, 'see its log')} "
        f"({name})"
    )


def not_connected(address: str, error: OSError, fault: str | None = None) -> MqttError:
    """Connecting failed with `error`, in the network or in TLS.

    Args:
        address: the broker's.
        error: what the system said.
        fault: what is wrong with our own certificate, as far as we can tell; see `lost`.
    """
    match error:
        case ssl.SSLCertVerificationError():
            return BrokerRefusedError(_certificate(address, error))
        case ssl.SSLError():
            return _tls(address, str(error.reason), fault)
        case _:
            return BrokerUnreachableError(_network(address, error))


def lost(
    address: str,
    detail: str,
    *,
    answered: bool,
    tls: bool,
    certificate: bool,
    fault: str | None = None,
) -> MqttError:
    """The connection broke.

    Args:
        address: the broker's.
        detail: what the MQTT library said last, which may hold OpenSSL's reason in brackets.
        answered: whether the broker had accepted the connection before.
        tls: whether it was encrypted.
        certificate: whether we showed a client certificate.
        fault: what is wrong with that certificate, as far as we can tell: a sentence about it
            without its subject, as ``expired on ...``.
    """
    # In TLS 1.3 the broker rejects our certificate only after the handshake is over for us.
    if reason := re.search(r"\[SSL: (\w+)\]", detail):
        return _tls(address, reason[1], fault)
    if "malformed packet" in detail:
        return BrokerUnreachableError(f"the broker {address} sent something that is not MQTT 5")
    if answered:
        return BrokerUnreachableError(f"the connection with the broker {address} broke")
    if fault:
        return BrokerRefusedError(_rejected(address, f"it {fault}"))
    if not tls:
        hint = "is this its port for TLS?"
    else:
        hint = f"it may ask for {'another' if certificate else 'a'} client certificate"
    return BrokerUnreachableError(
        f"the broker {address} closed the connection before it answered: {hint}"
    )


def silent(address: str) -> MqttError:
    """The broker's machine takes connections, but the broker says nothing."""
    return BrokerUnreachableError(
        f"the broker {address} takes connections but does not answer: is it an MQTT broker, and "
        "is it well?"
    )


def stalled(address: str, seconds: float) -> MqttError:
    """The connection lives, but nothing that was sent is acknowledged."""
    return BrokerUnreachableError(
        f"the broker {address} has acknowledged nothing for {seconds:g} s: connecting again"
    )


def not_taken(code: int, name: str) -> str:
    """The broker's PUBACK said no to an alert, and would say so to the next."""
    why = _NOT_TAKEN.get(code)
    return f"the broker does not take the alerts: {f'{why} ({name})' if why else name}"


def _network(address: str, error: OSError) -> str:
    match error:
        case socket.gaierror():
            return (
                f"the broker's host name in {address} cannot be resolved ({error.strerror}): "
                "check the name and the network's DNS"
            )
        case ConnectionRefusedError():
            return f"nothing listens at {address}: the broker is down, or the port is another"
        case ConnectionResetError() | BrokenPipeError():
            return (
                f"the broker {address} closed the connection instead of beginning TLS: is this "
                "its port without TLS?"
            )
        case TimeoutError():
            return f"the broker {address} does not answer: check host, port and firewall"
        case _:
            return f"the broker {address} cannot be reached ({error.strerror or error})"


def _certificate(address: str, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _UNKNOWN_AUTHORITY:
        return (
            f"the certificate of the broker {address} was issued by an authority that is not "
            "trusted: set the CA file of the one that issued it"
        )
    if code in _WRONG_NAME:
        return (
            f"the certificate of the broker {address} is for another name: set the host to the "
            "name in the certificate"
        )
    if code in {_EXPIRED, _NOT_YET_VALID}:
        state = "has expired" if code == _EXPIRED else "is not yet valid"
        return (
            f"the certificate of the broker {address} {state}: renew it, or set this device's "
            f"clock, which says {rfc3339(time.time())}"
        )
    return f"the certificate of the broker {address} cannot be trusted ({error.verify_message})"


def _tls(address: str, reason: str, fault: str | None) -> MqttError:
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return BrokerRefusedError(
            f"the broker {address} asks for a client certificate: set certificate and key"
        )
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return BrokerRefusedError(
            f"the broker {address} speaks no TLS version that is still safe: it has to offer 1.2 "
            "or 1.3"
        )
    if "ALERT" in reason:
        alert = reason.rpartition("ALERT_")[2]
        other = (
            f"it calls it {alert.lower().replace('_', ' ')}; one that is in date and from an "
            "authority that the broker trusts is asked for"
        )
        # What the broker calls a bad certificate may be one that is not valid yet.
        told = f"it {fault}" if fault and alert in _ABOUT_DATES else _ALERTS.get(alert, other)
        return BrokerRefusedError(_rejected(address, told))
    return BrokerRefusedError(
        f"the broker {address} does not answer in TLS ({reason.lower().replace('_', ' ')}): is "
        "this its port without TLS?"
    )


def _rejected(address: str, why: str) -> str:
    return f"the broker {address} rejects the client certificate: {why}"
