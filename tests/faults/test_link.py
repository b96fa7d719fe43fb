"""A bad network; `python -m tests.faults.link` is the whole, with cuts of 20 s."""

from __future__ import annotations

from tests.faults.link import BACK_SECONDS, disturb


def test_alerts_flow_again_after_cuts_and_delays_and_a_half_open_connection() -> None:
    found = disturb(cuts=2, seconds=2.0, stall_after=3.0, keepalive=2)

    assert [what for what, _ in found.back] == [
        "cut for 2 s",
        "dark for 2 s",
        "600 ms, 2%",
        "half-open",
        "half-open and idle",
    ]
    assert all(seconds < BACK_SECONDS for _, seconds in found.back), found.back
    assert found.back[-2][1] > 2.0  # The half-open one was really in the way,
    assert found.back[-1][1] > 2.0  # and it took a ping to find the idle one.
    assert (found.lost, found.doubled) == (0, 0)
    assert found.disordered == 0
    assert found.connections >= 3
