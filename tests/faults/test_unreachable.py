"""No broker for long; `python -m tests.faults.unreachable` is the whole, with 10,000 alerts."""

from __future__ import annotations

from tests.faults.unreachable import BOUND, LEAST_PER_SECOND, MOST_GROWTH_MB, endure


def test_the_urgent_ones_of_a_full_outbox_arrive_and_every_gap_is_named() -> None:
    found = endure(2000)

    assert found.committed == 2000
    assert found.urgent > 100
    assert found.urgent < found.arrived == found.waited < 2000
    assert (found.lost, found.unnamed, found.disordered) == (0, 0, 0)
    assert found.largest <= BOUND
    assert found.per_second >= LEAST_PER_SECOND
    assert found.grown <= MOST_GROWTH_MB
