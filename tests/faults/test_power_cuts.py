"""The power of the outbox is cut; `python -m tests.faults.power_cuts --cuts 2000` is the whole."""

from __future__ import annotations

import pytest

from tests.faults.power_cuts import cut_often


def test_no_power_cut_loses_a_committed_alert_or_harms_the_outbox() -> None:
    found = cut_often(200, seed=7)

    assert found.cuts == 200
    assert found.during_opening > 20
    assert found.checked > 1000
    assert found.dropped > 200
    assert found.lost == 0
    assert not found.problems, found.examples


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_an_outbox_that_syncs_less_is_found_to_lose_alerts(synchronous: str) -> None:
    found = cut_often(100, seed=7, synchronous=synchronous)

    assert found.lost > 0
    assert found.problems["a number given twice"] > 0
