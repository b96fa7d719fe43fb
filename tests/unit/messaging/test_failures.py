"""What the rarer failures are called; the common ones are met for real in the integration tests."""

from __future__ import annotations

import errno
import socket

import pytest

from edge_runtime.messaging.failures import (
    BrokerRefusedError,
    BrokerUnreachableError,
    MqttError,
    dismissed,
    lost,
    not_connected,
    refused,
)

AT = "broker:8883"


@pytest.mark.parametrize(
    ("failure", "kind", "sentence"),
    [
        (
            refused(AT, 0x85, "Client identifier not valid"),
            BrokerRefusedError,
            "the broker broker:8883 refused the connection: it does not accept the client id "
            "(Client identifier not valid)",
        ),
        (
            refused(AT, 0x89, "Server busy"),
            BrokerUnreachableError,
            "the broker broker:8883 refused the connection: it cannot take this client at the "
            "moment (Server busy)",
        ),
        (
            refused(AT, 0x80, "Unspecified error"),
            BrokerRefusedError,
            "the broker broker:8883 refused the connection: see its log (Unspecified error)",
        ),
        (
            dismissed(AT, 0x98, "Administrative action"),
            BrokerUnreachableError,
            "the broker broker:8883 closed the connection: an administrator closed the "
            "connection (Administrative action)",
        ),
        (
            not_connected(AT, socket.gaierror(-2, "Name or service not known")),
            BrokerUnreachableError,
            "the broker's host name in broker:8883 cannot be resolved (Name or service not "
            "known): check the name and the network's DNS",
        ),
        (
            not_connected(AT, TimeoutError("timed out")),
            BrokerUnreachableError,
            "the broker broker:8883 does not answer: check host, port and firewall",
        ),
        (
            not_connected(AT, OSError(errno.ENETUNREACH, "Network is unreachable")),
            BrokerUnreachableError,
            "the broker broker:8883 cannot be reached (Network is unreachable)",
        ),
        (
            lost(AT, "", answered=True, tls=True, certificate=True),
            BrokerUnreachableError,
            "the connection with the broker broker:8883 broke",
        ),
        (
            lost(
                AT,
                "failed: [SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] x",
                answered=False,
                tls=True,
                certificate=True,
            ),
            BrokerRefusedError,
            "the broker broker:8883 rejects the client certificate: it has been revoked; a new "
            "one, for a new key, is asked for",
        ),
        (
            lost(
                AT,
                "failed: [SSL: TLSV1_ALERT_ACCESS_DENIED] x",
                answered=False,
                tls=True,
                certificate=True,
            ),
            BrokerRefusedError,
            "the broker broker:8883 rejects the client certificate: it calls it access denied; one "
            "that is in date and from an authority that the broker trusts is asked for",
        ),
        (
            lost(
                AT,
                "failed: [SSL: SSLV3_ALERT_BAD_CERTIFICATE] x",
                answered=False,
                tls=True,
                certificate=True,
                fault="is not valid before 2031",
            ),
            BrokerRefusedError,
            "the broker broker:8883 rejects the client certificate: it is not valid before 2031",
        ),
        (
            lost(
                AT,
                "failed: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] x",
                answered=False,
                tls=True,
                certificate=True,
            ),
            BrokerRefusedError,
            "the broker broker:8883 rejects the client certificate: it has expired by the "
            "broker's clock, or the broker's list of revoked certificates (CRL) has; a renewed one "
            "is asked for",
        ),
        (
            lost(
                AT,
                "failed: [SSL: TLSV1_ALERT_PROTOCOL_VERSION] x",
                answered=False,
                tls=True,
                certificate=True,
            ),
            BrokerRefusedError,
            "the broker broker:8883 speaks no TLS version that is still safe: it has to offer "
            "1.2 or 1.3",
        ),
    ],
)
def test_a_failure_is_one_sentence(
    failure: MqttError, kind: type[MqttError], sentence: str
) -> None:
    assert type(failure) is kind
    assert str(failure) == sentence
