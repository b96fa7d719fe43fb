"""An alert to commit, and an outbox to commit it to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, Origin
from edge_runtime.alerts.outbox import Outbox
from tests.alerts import ALERT


@pytest.fixture
def alert() -> Alert:
    return replace(ALERT, label="person", score=0.71, boxes=((0.1, 0.2, 0.3, 0.4),))


@pytest.fixture
def origin() -> Origin:
    return Origin("branch-7", "atm-1")


@pytest.fixture
def outbox(tmp_path: Path, origin: Origin) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", origin) as opened:
        yield opened
