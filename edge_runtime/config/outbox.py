"""The section ``[outbox]``."""

from __future__ import annotations

from pydantic import Field

from edge_runtime.alerts.limits import LEAST_BYTES, Limits
from edge_runtime.config.values import Section

_DEFAULT = Limits()


class OutboxConfig(Section):
    """How large the outbox, in which alerts wait, may become."""

    max_bytes: int = Field(
        default=_DEFAULT.max_bytes,
        ge=LEAST_BYTES,
        description="Bytes of all its files together.",
        examples=[16_000_000],
    )
    max_alerts: int = Field(
        default=_DEFAULT.max_alerts, ge=1, description="Alerts that may wait.", examples=[20_000]
    )
    min_free_disk: int = Field(
        default=_DEFAULT.min_free_disk,
        ge=0,
        description="Bytes of its disk that stay free; only alerts of high and critical severity "
        "may use them.",
        examples=[50_000_000],
    )
