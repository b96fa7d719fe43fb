"""What a certificate may be for, and the names that it may carry.

The name is the common name (CN) of the certificate, the client id at the broker, and for a device
its level in every topic.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum

from cryptography import x509

from edge_runtime.provisioning.files import ProvisioningError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CENTRE = re.compile(r"centre(-.*)?")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


class Kind(StrEnum):
    """What a certificate is for."""

    DEVICE = "device"
    CENTRE = "centre"
    """It may hear all devices: the names `centre` and `centre-...` are its alone."""
    SERVER = "server"
    """The broker: its clients know it by its hosts."""


def checked(name: str) -> str:
    """`name`, if a certificate can be for it. Raises ProvisioningError."""
    if _NAME.fullmatch(name):
        return name
    raise ProvisioningError(
        f"the name {name!r} cannot be certified: 1 to 64 letters, digits, dots, underscores and "
        "hyphens are asked for, and a letter or a digit first, e.g. paris-12-atm-1"
    )


def check_kind(name: str, kind: Kind) -> None:
    """See that nothing but a centre has a centre's name. Raises ProvisioningError."""
    if kind is Kind.CENTRE and not _CENTRE.fullmatch(name):
        raise ProvisioningError(
            f"a centre is not called {name!r}: the broker's rules know it as centre, centre-2 ..."
        )
    if kind is not Kind.CENTRE and _CENTRE.fullmatch(name):
        raise ProvisioningError(
            f"the name {name!r} is a centre's, who may hear all devices and command them: choose "
            "another, or sign it with --centre"
        )


def kind_of(name: str, *, server: bool) -> Kind:
    """What the certificate of that name is for."""
    if server:
        return Kind.SERVER
    return Kind.CENTRE if _CENTRE.fullmatch(name) else Kind.DEVICE


def alternative(host: str) -> x509.GeneralName:
    """A host name or address as a certificate holds it. Raises ProvisioningError."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if len(host) <= 253 and _HOST.fullmatch(host):
            return x509.DNSName(host)
    raise ProvisioningError(
        f"{host!r} is no host: a name or an address is asked for, e.g. mqtt.bank.example"
    )
