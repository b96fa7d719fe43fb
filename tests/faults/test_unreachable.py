"""No broker for long; `python -m tests.faults.unreachable` is the whole, with 10,000 alerts."""

from __future__ import annotations

from tests.faults.unreachable import LEAST_PER_SECOND, MOST_GROWTH_MB, endure


def test_a_backlog_is_brought_whole_in_order_and_quickly_when_the_broker_comes() -> None:
    found = endure(2000)

    assert found.committed == 2000
    assert found.urgent > 100
    assert (found.lost, found.unnamed, found.disordered) == (0, 0, 0)
    assert found.per_second >= LEAST_PER_SECOND
    assert found.grown <= MOST_GROWTH_MB
