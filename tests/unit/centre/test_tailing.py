"""The alerts as they come, those of a device in their order."""

from __future__ import annotations

from edge_runtime.centre.incoming import read_batch
from edge_runtime.centre.store import Store
from edge_runtime.centre.tailing import Tail
from edge_runtime.messaging.connection import Received
from tests.centre import Chain


def take(store: Store, chain: Chain, *numbers: int, now: float = 100.0) -> None:
    topic = chain.topics.alert("front", "presence")
    alerts = [chain.alerts[number - 1].to_json().encode() for number in numbers]
    store.record(read_batch(Received(topic, each) for each in alerts), now)


def told(tail: Tail) -> list[tuple[str, int, bool]]:
    return [(line.chain.device, line.sequence, line.late) for line in tail.poll()]


def test_it_tells_what_comes_and_nothing_of_what_was_there(store: Store) -> None:
    chain, other = Chain(), Chain(device="atm-2")
    chain.grow(4)
    other.grow(1)
    take(store, chain, 1, 2)
    tail = Tail(store.engine)
    assert told(tail) == []
    take(store, chain, 4, 3)
    take(store, other, 1)
    assert told(tail) == [("atm-1", 3, False), ("atm-1", 4, False), ("atm-2", 1, False)]
    assert told(tail) == []


def test_it_tells_what_was_there_since_a_moment_of_one_site(store: Store) -> None:
    chain, other = Chain(), Chain(site="oslo-1")
    chain.grow(3)
    other.grow(1)
    take(store, chain, 1, now=100.0)
    take(store, chain, 2, 3, now=200.0)
    take(store, other, 1, now=200.0)
    assert told(Tail(store.engine, site="paris-12", since=150.0)) == [
        ("atm-1", 2, False),
        ("atm-1", 3, False),
    ]
    assert len(told(Tail(store.engine, since=0.0))) == 4
    assert told(Tail(store.engine, since=300.0)) == []


def test_what_is_behind_a_gap_waits_for_it(store: Store) -> None:
    chain = Chain()
    chain.grow(5)
    tail = Tail(store.engine, since=0.0)
    take(store, chain, 1, 4)
    assert told(tail) == [("atm-1", 1, False)]
    take(store, chain, 2, 3)
    assert told(tail) == [("atm-1", 2, False), ("atm-1", 3, False), ("atm-1", 4, False)]


def test_what_comes_after_too_long_a_wait_is_told_as_late(store: Store) -> None:
    chain = Chain()
    chain.grow(6)
    tail = Tail(store.engine, since=0.0, patience=0.0)
    take(store, chain, 1, 5)
    assert told(tail) == [("atm-1", 1, False), ("atm-1", 5, False)]
    take(store, chain, 3)
    assert told(tail) == [("atm-1", 3, True)]
    take(store, chain, 6, 2, 4)
    assert told(tail) == [("atm-1", 2, True), ("atm-1", 4, True), ("atm-1", 6, False)]
    assert told(tail) == []
