"""An alert to commit, and an outbox to commit it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, AlertState, Origin, Severity
from edge_runtime.alerts.outbox import Outbox


@pytest.fixture
def alert() -> Alert:
    return Alert(
        rule="presence",
        name="at the machine",
        camera="front",
        state=AlertState.STARTED,
        severity=Severity.HIGH,
        timestamp=12.5,
        wall_time=1_790_000_000.0,
        decided_after=1.0,
        duration=0.0,
        incident="front/1",
        label="person",
        score=0.71,
        boxes=((0.1, 0.2, 0.3, 0.4),),
    )


@pytest.fixture
def origin() -> Origin:
    return Origin("branch-7", "atm-1")


@pytest.fixture
def outbox(tmp_path: Path, origin: Origin) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", origin) as opened:
        yield opened
