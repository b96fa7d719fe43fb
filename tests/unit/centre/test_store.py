"""What the centre holds, in a real SQLite file and in a real PostgreSQL."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update

from edge_runtime.alerts.alert import AlertEvent
from edge_runtime.alerts.chain import ChainName, digest
from edge_runtime.centre import tables
from edge_runtime.centre.chains import WINDOW
from edge_runtime.centre.database import DatabaseUrlError, StoreError, reading, writing
from edge_runtime.centre.incoming import Batch, Device, read_batch
from edge_runtime.centre.receiving import Recorded
from edge_runtime.centre.store import Store, UnknownDeviceError
from edge_runtime.messaging.connection import Received
from tests.centre import EPOCH, Chain, database_in

KEY = ChainName("paris-12", "atm-1", EPOCH)


def messages(chain: Chain, *alerts: AlertEvent) -> list[Received]:
    return [
        Received(chain.topics.alert("front", "presence"), each.to_json().encode())
        for each in alerts
    ]


def told(chain: Chain, kind: str, payload: str, *, kept: bool = False) -> list[Received]:
    return [Received(f"{chain.topics.root}/{kind}", payload.encode(), retained=kept)]


def response(chain: Chain, number: str, *missing: tuple[int, int]) -> Batch:
    result = {"sent": 0, "missing": missing}
    answer = {"id": number, "command": "resend", "outcome": "done", "result": result}
    return read_batch(told(chain, "response/resend", json.dumps(answer)))


def record(store: Store, *batches: list[Received], now: float = 100.0) -> Recorded:
    return store.record(read_batch([each for batch in batches for each in batch]), now)


def acknowledged(recorded: Recorded) -> int | None:
    found = recorded.acknowledgements.get(KEY)
    return found and found.sequence


def held(store: Store) -> list[tuple[int, bytes]]:
    columns = tables.alerts.c
    with reading(store.engine) as connection:
        rows = connection.execute(
            select(columns.sequence, columns.payload).order_by(columns.chain, columns.sequence)
        )
        return [(sequence, bytes(payload)) for sequence, payload in rows]


def forged(alert: AlertEvent, **members: object) -> list[Received]:
    """The same with other members, and a hash that fits them."""
    document = {**json.loads(alert.to_json()), **members}
    document["hash"] = digest(document)
    topic = "edge/v1/paris-12/atm-1/alert/front/presence"
    return [Received(topic, json.dumps(document).encode())]


def test_alerts_are_stored_byte_for_byte_and_acknowledged(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(3)
    recorded = record(store, messages(chain, *alerts))
    assert (recorded.stored, acknowledged(recorded)) == (3, 3)
    assert recorded.acknowledgements[KEY].hash == alerts[2].hash
    assert held(store) == [(n + 1, each.to_json().encode()) for n, each in enumerate(alerts)]


def test_what_comes_again_is_stored_once_and_acknowledged_again(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(3)
    record(store, messages(chain, *alerts, *alerts))
    again = record(store, messages(chain, alerts[1]))
    assert (again.stored, again.repeated, acknowledged(again)) == (0, 1, 3)
    assert [number for number, _ in held(store)] == [1, 2, 3]


def test_the_same_content_in_another_layout_is_the_same_alert(store: Store) -> None:
    chain = Chain()
    (alert,) = chain.grow(1)
    laid_out = json.dumps(json.loads(alert.to_json()), indent=1).encode()
    topic = chain.topics.alert("front", "presence")
    again = record(store, messages(chain, alert), [Received(topic, laid_out)])
    assert (again.repeated, again.conflicts) == (1, [])
    assert held(store) == [(1, alert.to_json().encode())]


def test_nothing_is_acknowledged_beyond_a_gap_before_it_is_filled(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(5)
    assert acknowledged(record(store, messages(chain, *alerts[:2], *alerts[3:]))) == 2
    assert acknowledged(record(store, messages(chain, alerts[4]))) is None
    assert acknowledged(record(store, messages(chain, alerts[2]))) == 5


def test_a_gap_of_more_than_a_window_is_closed_at_once(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(2 * WINDOW + 7)
    assert acknowledged(record(store, messages(chain, *alerts[1:]))) is None
    assert acknowledged(record(store, messages(chain, alerts[0]))) == len(alerts)


def test_a_device_is_asked_for_a_gap_after_a_while_and_then_ever_more_rarely(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(9)
    record(store, messages(chain, *alerts[:2], *alerts[5:7], *alerts[8:]), now=100.0)
    assert store.asks(102.0, 3.0, 5.0, 60.0) == []
    (ask,) = store.asks(103.0, 3.0, 5.0, 60.0)
    assert (ask.chain, ask.first, ask.last) == (KEY, 3, 8)
    moments = [n for n in range(104, 300) if store.asks(float(n), 3.0, 5.0, 60.0)]
    assert moments == [108, 118, 138, 178, 238, 298]
    # It got further: what it lacks now is not held against it.
    record(store, messages(chain, *alerts[2:5]), now=300.0)
    (ask,) = store.asks(303.0, 3.0, 5.0, 60.0)
    assert (ask.first, ask.last) == (8, 8)


def test_what_the_device_has_no_more_is_missing_and_the_rest_is_acknowledged(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(6)
    record(store, messages(chain, alerts[0], alerts[5]))
    (ask,) = store.asks(200.0, 3.0, 5.0, 60.0)
    recorded = store.record(response(chain, ask.id, (2, 3)), 201.0)
    assert (acknowledged(recorded), recorded.missing) == (3, [(KEY, 2, 3)])
    assert recorded.acknowledgements[KEY].hash is None
    assert acknowledged(record(store, messages(chain, *alerts[3:5]))) == 6


def test_nobody_can_say_that_alerts_are_missing_that_were_not_asked_for(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(6)
    record(store, messages(chain, alerts[0], alerts[2]))
    (ask,) = store.asks(200.0, 3.0, 5.0, 60.0)
    for number, missing in (("another", (2, 2)), (ask.id, (3, 900))):
        recorded = store.record(response(chain, number, missing), 201.0)
        assert (acknowledged(recorded), recorded.missing) == (None, [])
    other = Chain(device="atm-2")
    assert store.record(response(other, ask.id, (2, 2)), 201.0).missing == []
    assert store.record(response(chain, ask.id, (1, 900)), 201.0).missing == [(KEY, 2, 2)]


def test_what_was_dropped_is_acknowledged_each_time_that_it_is_told(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(6)
    first = record(
        store, messages(chain, alerts[0], alerts[5]), told(chain, "dropped", chain.dropped(2, 5))
    )
    assert (acknowledged(first), first.dropped) == (6, [(KEY, 2, 5)])
    again = record(store, told(chain, "dropped", chain.dropped(2, 5)))
    assert (acknowledged(again), again.dropped) == (6, [])


def test_a_range_that_grew_takes_the_place_of_what_it_holds(store: Store) -> None:
    chain = Chain()
    chain.grow(6)
    for first, last in ((2, 3), (2, 5), (1, 6), (3, 4)):
        record(store, told(chain, "dropped", chain.dropped(first, last)))
    with reading(store.engine) as connection:
        rows = connection.execute(select(tables.gone.c.first, tables.gone.c.last)).all()
    assert rows == [(1, 6)]


def test_a_second_content_is_kept_apart_and_replaces_nothing(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(2)
    record(store, messages(chain, *alerts))
    recorded = record(store, forged(alerts[1], severity="low"), forged(alerts[1], severity="low"))
    assert [each.sequence for each in recorded.conflicts] == [2]
    assert record(store, forged(alerts[1], severity="low")).conflicts == []
    assert held(store)[1] == (2, alerts[1].to_json().encode())
    with reading(store.engine) as connection:
        (row,) = connection.execute(select(tables.conflicts)).all()
    assert json.loads(row.payload)["severity"] == "low"


def test_two_contents_in_one_batch_are_a_conflict_too(store: Store) -> None:
    chain = Chain()
    (alert,) = chain.grow(1)
    recorded = record(store, messages(chain, alert), forged(alert, severity="low"))
    assert (recorded.stored, len(recorded.conflicts)) == (1, 1)
    assert held(store) == [(1, alert.to_json().encode())]


def test_a_broken_chain_is_acknowledged_no_further_until_it_is_accepted(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(4)
    recorded = record(
        store,
        messages(chain, alerts[0], alerts[3]),
        forged(alerts[1], previoushash="e" * 64),
        messages(chain, alerts[2]),
    )
    assert acknowledged(recorded) == 1
    assert [each.sequence for each in recorded.breaks] == [2]
    assert store.asks(1e6, 3.0, 5.0, 60.0) == []
    again = record(store, messages(chain, alerts[0]))
    assert (acknowledged(again), again.breaks) == (1, [])
    # Alert 3 follows the true alert 2, which is not here: a second break.
    accepted = store.accept(Device("paris-12", "atm-1"), 300.0)
    assert accepted == [(KEY, 2, 2), (KEY, 3, 3)]
    assert acknowledged(record(store, messages(chain, alerts[0]))) == 4


def test_gaps_can_be_accepted(store: Store) -> None:
    chain = Chain()
    alerts = chain.grow(7)
    record(
        store, messages(chain, alerts[2], alerts[6]), told(chain, "dropped", chain.dropped(5, 5))
    )
    device = Device("paris-12", "atm-1")
    assert store.accept(device, 300.0) == [(KEY, 1, 2), (KEY, 4, 4), (KEY, 6, 6)]
    assert store.accept(device, 300.0) == []
    assert acknowledged(record(store, messages(chain, alerts[2]))) == 7


def test_of_a_device_that_is_not_known_nothing_can_be_accepted(store: Store) -> None:
    with pytest.raises(UnknownDeviceError, match="no alert of paris-12/atm-9 is known here"):
        store.accept(Device("paris-12", "atm-9"), 300.0)


def test_a_new_epoch_begins_at_one_and_the_old_one_stays(store: Store) -> None:
    old, new = Chain(), Chain(epoch=EPOCH + 1)
    recorded = record(store, messages(old, *old.grow(3)), messages(new, *new.grow(2)))
    assert {key.epoch: each.sequence for key, each in recorded.acknowledgements.items()} == {
        EPOCH: 3,
        EPOCH + 1: 2,
    }


def test_what_is_refused_is_counted_and_nowhere_else(store: Store) -> None:
    root = "edge/v1/paris-12/atm-1"
    nothing = [
        Received(f"{root}/alert/front/presence", b"\xff\x00"),
        Received(f"{root}/alert/front/presence", b"{}"),
        Received(f"{root}/dropped", b"[]"),
        Received(f"{root}/health", b"null"),
        Received("edge/v1/a", b""),
        Received("edge/v1/a\x00b/c/alert/x/y", b""),
    ]
    store.record(read_batch(nothing), 1.0)
    store.record(read_batch(nothing), 2.0)
    with reading(store.engine) as connection:
        counts = connection.execute(select(tables.refused.c.kind, tables.refused.c.count))
        assert dict(counts.all()) == {
            "alert": 4,
            "dropped": 2,
            "health": 2,
            "message": 4,
        }
        for table in (tables.alerts, tables.chains, tables.devices, tables.gone, tables.conflicts):
            assert connection.execute(select(table)).all() == []


def test_a_number_that_no_device_can_reach_is_refused(store: Store) -> None:
    chain = Chain()
    (alert,) = chain.grow(1)
    document = json.loads(chain.dropped(1, 1))
    (given_up,) = document["data"]["ranges"]
    for last in (2**53 + 1, 2**63 - 1):
        given_up |= {"to": last, "count": {"high": last}}
        dropped = told(chain, "dropped", json.dumps(document))
        far = forged(alert, id=f"atm-1/{EPOCH}/{last}", sequence=str(last))
        assert set(read_batch(dropped + far).refused) == {"dropped", "alert"}
        record(store, dropped, far)
    given_up |= {"to": 2**53, "count": {"high": 2**53}}
    recorded = record(store, told(chain, "dropped", json.dumps(document)))
    assert acknowledged(recorded) == 2**53
    assert store.asks(1e9, 3.0, 5.0, 60.0) == []


def test_what_the_broker_had_kept_is_not_heard_now(store: Store) -> None:
    chain = Chain()
    for payload, kept, now in (("online", False, 5.0), ("offline", True, 9.0)):
        status = json.dumps({"state": payload, "version": "1"})
        health = told(chain, "health", chain.health(1.0), kept=kept)
        record(store, told(chain, "status", status, kept=kept), health, now=now)
    with reading(store.engine) as connection:
        row = connection.execute(select(tables.devices)).one()
    assert json.loads(row.status)["state"] == "offline"
    assert (row.status_heard, row.health_heard) == (5.0, 5.0)


def test_four_that_write_at_once_acknowledge_all_and_never_too_much(url: str) -> None:
    chains = [Chain(device=f"atm-{n}") for n in range(3)]
    for chain in chains:
        chain.grow(60)
    faults: list[str] = []

    def write(part: int) -> None:
        with Store(url) as own:
            for number in range(part, 60, 4):
                each = [
                    messages(chain, chain.alerts[number])[0]
                    for chain in chains[:: 1 - 2 * (part % 2)]
                ]
                while True:
                    try:
                        recorded = own.record(read_batch(each), 1.0)
                    except StoreError:
                        continue
                    break
                stored = {(row.device, row.sequence) for row in _stored(own)}
                faults.extend(
                    f"{key} {told.sequence}"
                    for key, told in recorded.acknowledgements.items()
                    if any((key.device, n + 1) not in stored for n in range(told.sequence))
                )

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    with Store(url) as store:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = record(store, *(messages(chain, chain.alerts[0]) for chain in chains))
    assert faults == []
    assert [each.sequence for each in again.acknowledgements.values()] == [60, 60, 60]


def _stored(store: Store) -> list[object]:
    with reading(store.engine) as connection:
        return list(
            connection.execute(
                select(tables.chains.c.device, tables.alerts.c.sequence).join(
                    tables.chains, tables.alerts.c.chain == tables.chains.c.id
                )
            )
        )


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    with Store(url) as store, writing(store.engine) as connection:
        connection.execute(update(tables.version).values(version=99))
    with pytest.raises(DatabaseUrlError, match=r"newer edge-centre \(schema 99"):
        Store(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://x@y/z", "is given as sqlite:///file"),
        ("nonsense", "is given as sqlite:///file"),
        ("sqlite://", "names no file"),
        ("sqlite:////nowhere/at/all", "unable to open database file"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", r"nobody:\*\*\*@127.*[Rr]efused"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        Store(url)


def test_a_database_that_another_keeps_locked_is_told_and_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.centre.database._BUSY_SECONDS", 0.1)
    chain = Chain()
    with Store(database_in(tmp_path)) as store, Store(database_in(tmp_path)) as other:
        with writing(other.engine), pytest.raises(StoreError, match="database is locked"):
            record(store, messages(chain, *chain.grow(1)))
        assert record(store, messages(chain, *chain.alerts)).stored == 1
