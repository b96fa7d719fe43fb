"""Tries the way to the broker once, for a person who waits for the answer."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from edge_runtime.messaging.connection import Connection
from edge_runtime.messaging.failures import silent
from edge_runtime.messaging.settings import MqttSettings


def probe(settings: MqttSettings, timeout: float = 5.0) -> str:
    """Connect, and disconnect at once: a sentence that says what was found.

    It connects under a client id of its own, so that a running daemon keeps its connection.

    Args:
        settings: where the broker is.
        timeout: seconds for the network, for TLS and for the broker's answer, each.

    Raises:
        MqttError: there is no way to the broker, or it refuses.
    """
    started = monotonic()
    with Connection(replace(settings, client_id=f"{settings.client_id}-check")) as connection:
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
