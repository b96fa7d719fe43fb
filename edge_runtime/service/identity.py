"""Whether the device's TLS certificate is this device's, and for how long."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from edge_runtime.certificates import read_certificates, warning
from edge_runtime.config import Config, TlsConfig

_AHEAD = timedelta(days=30)


def mismatch(config: Config) -> str | None:
    """A sentence about a certificate that is another device's.

    Who sets `mqtt.client_id` has a broker with rules of its own, and knows what it asks for.

    Raises:
        OSError, ValueError: the certificate cannot be read.
    """
    tls = _tls(config)
    if tls is None or tls.certificate is None or config.mqtt is None or config.mqtt.client_id:
        return None
    name, device = read_certificates(tls.certificate)[0].name, config.device.name
    if name == device:
        return None
    return (
        f"the certificate {tls.certificate} is for {name!r}, and this device is {device!r}: a "
        "broker that lets a device write under the name in its certificate refuses its alerts; "
        "one name for both is asked for, or mqtt.client_id where the broker has other rules"
    )


def warnings(config: Config) -> list[str]:
    """A sentence each: certificates that have expired or soon will, or are another device's."""
    tls = _tls(config)
    if tls is None:
        return []
    told = [
        tls.certificate and warning(tls.certificate, _AHEAD),
        tls.ca and warning(tls.ca, _AHEAD, one_is_enough=True),
    ]
    with suppress(OSError, ValueError):  # told by the first
        told.append(mismatch(config))
    return [text for text in told if text]


def _tls(config: Config) -> TlsConfig | None:
    return config.mqtt.tls if config.mqtt else None
