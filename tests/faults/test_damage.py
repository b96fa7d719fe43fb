"""Outboxes are damaged; `python -m tests.faults.damage --files 2000` is the whole."""

from __future__ import annotations

from tests.faults.damage import damage_often


def test_no_alert_of_a_damaged_outbox_is_lost_in_silence_or_given_out_changed() -> None:
    found = damage_often(100, seed=1)

    assert found.files == 100
    assert found.set_aside > 20
    assert found.saved > 200
    assert found.untold < found.set_aside
    assert (found.silent, found.changed) == (0, 0), found.examples
