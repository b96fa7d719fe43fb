"""All at one broker at once; `python -m tests.faults.stampede` is the whole, with 5,000 clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.stampede import BACK_SECONDS, stampede


@pytest.mark.timeout(240)
def test_a_daemon_is_back_and_loses_nothing_where_hundreds_come_at_once(data_dir: Path) -> None:
    found = stampede(200, data_dir, away=1.0)

    assert found.back < BACK_SECONDS
    assert found.attempts >= 200
    assert found.committed >= 4
    assert found.lost == 0
