"""Tries the way to the broker once, for a person who waits for the answer."""

from __future__ import annotations

import socket
from dataclasses import replace
from time import monotonic

from edge_runtime.messaging.connection import Connection
from edge_runtime.messaging.failures import lost, not_connected, silent
from edge_runtime.messaging.settings import MqttSettings, fault_of_identity, tls_context

_REJECTION_SECONDS = 1.0
"""In TLS 1.3 a broker rejects our certificate after the handshake; it sends nothing otherwise."""


def probe(settings: MqttSettings, timeout: float = 5.0) -> str:
    """Connect, and disconnect at once: a sentence that says what was found.

    Without a client certificate it connects under a client id of its own, so that a running daemon
    keeps its connection. With one, the broker may give the name in it to both, and throw the
    daemon out: then see that none runs, or `shake_hands`.

    Args:
        settings: where the broker is.
        timeout: seconds for the network, for TLS and for the broker's answer, each.

    Raises:
        MqttError: there is no way to the broker, or it refuses.
    """
    started = monotonic()
    if settings.certificate is None:
        settings = replace(settings, client_id=f"{settings.client_id}-check")
    with Connection(settings) as connection:
        connection.open(timeout)
        deadline = monotonic() + timeout
        while not connection.accepted:
            left = deadline - monotonic()
            if left <= 0:
                raise silent(settings.address)
            connection.turn(None, left)
            if connection.failure is not None:
                raise connection.failure
        connection.disconnect(min(1.0, timeout))
    security = "over TLS" if settings.tls else "without TLS"
    milliseconds = (monotonic() - started) * 1000
    return f"the broker {settings.address} accepts this device {security} ({milliseconds:.0f} ms)"


def shake_hands(settings: MqttSettings, timeout: float = 5.0) -> str:
    """Only the network and TLS: a sentence that says what was found. It disturbs nobody.

    Args:
        settings: where the broker is; with TLS.
        timeout: seconds for the network, and again for TLS.

    Raises:
        MqttError: there is no way to the broker, or one refuses the other's certificate.
    """
    where = settings.host, settings.port
    context = tls_context(settings)
    try:
        with (
            socket.create_connection(where, timeout) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as secured,
        ):
            secured.settimeout(_REJECTION_SECONDS)
            closed = _closed(secured)
    except OSError as error:
        raise not_connected(settings.address, error, fault_of_identity(settings)) from error
    if closed:
        fault = fault_of_identity(settings)
        raise lost(settings.address, "", answered=False, tls=True, certificate=True, fault=fault)
    return f"the broker {settings.address} and this device take each other's certificate"


def _closed(secured: socket.socket) -> bool:
    try:
        return not secured.recv(1)
    except TimeoutError:
        return False
