"""The section ``[snapshots]``."""

from __future__ import annotations

from pydantic import Field

from edge_runtime.config.values import Section

PERSON = "person"
"""The class whose heads are blurred; a model has to know it."""


class SnapshotsConfig(Section):
    """Pictures with blurred heads, kept on the device. The table alone turns them on."""

    keep_days: float = Field(
        default=7.0, gt=0, le=366, description="Days after which a picture is deleted."
    )
    keep_megabytes: int = Field(
        default=100,
        ge=5,
        le=1_000_000,
        description="Megabytes of all pictures together; the oldest is deleted first.",
    )
