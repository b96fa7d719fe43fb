"""The chain of hashes, as it is made and as it is found whole or not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.alerts.alert import Alert, AlertState, Origin, Severity, event
from edge_runtime.alerts.chain import BEGINNING, ChainName, Head, canonical, digest
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.alerts.verification import Fault, Ledger, Link, Problem, ToldHead
from tests.alerts import ALERT

Document = dict[str, Any]
NAME = ChainName("branch-7", "atm-1", 17)


def chain(count: int, *, start: str = BEGINNING) -> list[Document]:
    """Alerts 1 to `count` of one epoch, parsed from their JSON."""
    made: list[Document] = []
    for number in range(1, count + 1):
        alert = replace(ALERT, wall_time=ALERT.wall_time + number, incident=f"front/{number}")
        told = event(
            alert,
            origin=Origin("branch-7", "atm-1"),
            epoch=17,
            sequence=number,
            model=None,
            clock_synchronised=True,
        ).chained(made[-1]["hash"] if made else start)
        made.append(json.loads(told.to_json()))
    return made


def problems(alerts: list[Document], *heads: Head) -> list[tuple[Fault, int | None, int | None]]:
    """What is found, without the sentences."""
    return [(found.fault, found.first, found.last) for found in found_in(alerts, *heads)]


def found_in(alerts: list[Document], *heads: Head) -> list[Problem]:
    ledger = Ledger(NAME)
    for alert in alerts:
        ledger.add(Link.of(alert))
    told = [ToldHead(head, f"12:0{number}") for number, head in enumerate(heads)]
    first = ledger.begins(told)
    return [*ledger.links(first), *ledger.gaps(first), *ledger.against(told)]


def head(alerts: list[Document], sequence: int, first: int = 1) -> Head:
    return Head("branch-7", "atm-1", 17, first, sequence, alerts[sequence - 1]["hash"])


def sealed(alert: Document, **changes: Any) -> Document:
    """`alert` changed, with a hash that fits: what somebody makes who knows how it is done."""
    forged = {**alert, **changes}
    return {**forged, "hash": digest(forged)}


def test_a_whole_chain_is_whole_up_to_its_head() -> None:
    alerts = chain(6)
    assert problems(alerts) == []
    assert problems(alerts, head(alerts, 3), head(alerts, 6)) == []
    assert problems([], Head("branch-7", "atm-1", 17, 1, 0, BEGINNING)) == []


def test_what_is_missing_is_named() -> None:
    alerts = chain(9)
    assert problems(alerts[:2] + alerts[5:]) == [(Fault.MISSING, 3, 5)]
    assert problems(alerts[2:]) == [(Fault.MISSING, 1, 2)]
    (found,) = found_in([*alerts[:4], *alerts[5:]])
    assert found.text == "branch-7/atm-1, epoch 17: alert 5 is missing before alert 6"


def test_a_cut_tail_shows_by_the_head_alone() -> None:
    alerts = chain(6)
    assert problems(alerts[:4]) == []
    assert problems(alerts[:4], head(alerts, 6)) == [(Fault.TAIL, 5, 6)]
    (found,) = found_in([], head(alerts, 1))
    assert found.text == (
        "branch-7/atm-1, epoch 17: the tail is cut: alert 1 is missing, which the device had told "
        "by 12:00"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "low"},
        {"time": "2020-01-01T00:00:00.000Z"},
        {"data": {}},
        {"added": 1},
        {"previoushash": "1" * 64},
    ],
)
def test_a_changed_alert_shows(change: Document) -> None:
    alerts = chain(5)
    for place in range(5):
        forged = [*alerts[:place], {**alerts[place], **change}, *alerts[place + 1 :]]
        assert (Fault.CHANGED, place + 1, place + 1) in problems(forged)


def test_an_alert_put_in_the_place_of_another_shows_where_the_chain_breaks() -> None:
    alerts = chain(5)
    forged = [*alerts[:2], sealed(alerts[2], severity="low"), *alerts[3:]]
    assert problems(forged) == [(Fault.BROKEN, 3, 4)]
    last = [*alerts[:4], sealed(alerts[4], severity="low")]
    assert problems(last) == []  # Nothing follows it that could tell.
    assert problems(last, head(alerts, 5)) == [(Fault.HEAD, 5, 5)]


def test_a_chain_that_was_made_anew_from_some_alert_on_shows_by_the_head() -> None:
    alerts = chain(5)
    forged = alerts[:2]
    for alert in alerts[2:]:
        forged.append(sealed(alert, severity="low", previoushash=forged[-1]["hash"]))
    assert problems(forged) == []
    assert problems(forged, head(alerts, 4)) == [(Fault.HEAD, 4, 4)]


def test_an_inserted_alert_shows() -> None:
    alerts = chain(4)
    twin = sealed(alerts[1], severity="low")
    assert problems([*alerts[:2], twin, *alerts[2:]]) == [(Fault.CONFLICT, 2, 2)]
    extra = sealed(alerts[3], id="atm-1/17/5", sequence="5")
    assert problems([*alerts, extra]) == [(Fault.BROKEN, 4, 5)]


def test_an_alert_without_a_hash_is_forged_unless_it_is_before_the_chain() -> None:
    alerts = chain(4)
    bare = {key: value for key, value in alerts[1].items() if "hash" not in key}
    assert problems([alerts[0], bare, *alerts[2:]]) == [(Fault.UNCHAINED, 2, 2)]
    before = {**bare, "id": "atm-1/17/1", "sequence": "1"}
    assert (Fault.UNCHAINED, 1, 1) in problems([before, *alerts[1:]])


def test_a_chain_may_begin_after_alerts_of_the_version_before() -> None:
    old = [{k: v for k, v in each.items() if "hash" not in k} for each in chain(2)]
    new: list[Document] = []
    for alert in chain(5)[2:]:
        new.append(sealed(alert, previoushash=new[-1]["hash"] if new else BEGINNING))
    alerts = [*old, *new]
    assert problems(alerts) == []
    assert problems(alerts, head(alerts, 5, first=3)) == []
    # The device says that it began earlier: who took the hashes away did so for a reason.
    assert (Fault.UNCHAINED, 2, 2) in problems(alerts, head(alerts, 5, first=2))


def test_what_came_again_is_no_fault_and_what_overtook_is() -> None:
    alerts = chain(5)
    assert problems([*alerts[:3], *alerts[1:]]) == []
    swapped = [alerts[0], alerts[2], alerts[1], *alerts[3:]]
    assert problems(swapped) == [(Fault.ORDER, 2, 2)]


def test_two_heads_with_one_number_show_that_the_outbox_was_replaced() -> None:
    alerts, others = chain(4), chain(4, start="1" * 64)
    assert (Fault.HEAD, 3, 3) in problems(alerts, head(alerts, 3), head(others, 3))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "atm-1/17"},
        {"id": "atm-1/x/1"},
        {"source": "atm-1"},
        {"source": "branch-7/atm-2/front"},
        {"sequence": "2"},
        {"sequence": None},
        {"id": "atm-1/17/0", "sequence": "0"},
        {"data": {"score": float("nan")}},
        {"data": "\ud800"},
    ],
)
def test_what_is_no_alert_is_refused(change: Document) -> None:
    with pytest.raises(ValueError, match=r"."):
        Link.of({**chain(1)[0], **change})


NUMBERS = st.floats(0, 1e7) | st.integers(0, 10_000_000)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    score=NUMBERS,
    duration=NUMBERS,
    box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
@settings(max_examples=200, deadline=None)
def test_the_hash_is_that_of_the_parsed_json_however_it_is_written(
    text: str, score: float, duration: float, box: tuple[float, float, float, float]
) -> None:
    alert = Alert(
        rule="presence",
        name=text,
        camera="front",
        state=AlertState.ENDED,
        severity=Severity.HIGH,
        timestamp=12.5,
        wall_time=1_790_000_000.0,
        decided_after=1.0,
        duration=duration,
        incident=text,
        score=score,
        boxes=(box,),
    )
    made = event(
        alert,
        origin=Origin("branch-7", "atm-1"),
        epoch=17,
        sequence=1,
        model=None,
        clock_synchronised=True,
    ).chained(BEGINNING)
    parsed = json.loads(made.to_json())
    assert digest(parsed) == made.hash
    again = json.loads(json.dumps(dict(reversed(parsed.items())), indent=2, ensure_ascii=False))
    again["data"]["duration"] = float(again["data"]["duration"])
    assert digest(again) == made.hash


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    # Sections 3.2.2 and 3.2.3: whole numbers without a point, short escapes, members in order.
    document = {"b": 1.0, "a": [0.0, 0.25, -0.0], "c": {"z": 'é\n\u0001"', "y": None, "x": True}}
    assert canonical(document) == (
        '{"a":[0,0.25,0],"b":1,"c":{"x":true,"y":null,"z":"é\\n\\u0001\\""}}'.encode()
    )


def test_the_outbox_chains_what_it_commits_over_deliveries_and_restarts(
    tmp_path: Path, origin: Origin, alert: Alert
) -> None:
    path = tmp_path / "o.db"
    told: list[Document] = []
    for delivered in ([], [1, 2, 3, 4], [5], [6, 8]):
        with Outbox(path, origin) as outbox:
            for _ in range(2):
                made = outbox.commit(alert, model=None, clock_synchronised=True)
                told.append(json.loads(made.to_json()))
                assert outbox.head.hash == made.hash
            outbox.delivered(delivered)
    with Outbox(path, origin) as outbox:
        last = outbox.head
    name = ChainName(origin.site, origin.device, last.epoch)
    ledger = Ledger(name)
    for document in told:
        ledger.add(Link.of(document))
    assert ledger.numbers == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (last.first, last.sequence) == (1, 8)
    told_heads = [ToldHead(last, "now")]
    assert [*ledger.links(1), *ledger.gaps(1), *ledger.against(told_heads)] == []


def test_a_renamed_device_begins_a_chain_of_its_own(
    tmp_path: Path, origin: Origin, alert: Alert
) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, origin) as outbox:
        outbox.commit(alert, model=None, clock_synchronised=True)
    with Outbox(path, Origin("branch-7", "atm-2")) as outbox:
        assert (outbox.head.first, outbox.head.hash) == (2, BEGINNING)
        made = outbox.commit(alert, model=None, clock_synchronised=True)
        assert (made.sequence, made.previoushash) == ("2", BEGINNING)
    with Outbox(path, Origin("branch-7", "atm-2")) as outbox:
        assert (outbox.head.first, outbox.head.hash) == (2, made.hash)


def test_an_alert_that_is_in_no_outbox_has_no_hash(alert: Alert, origin: Origin) -> None:
    made = event(alert, origin=origin, epoch=0, sequence=1, model=None, clock_synchronised=True)
    assert "hash" not in made.to_json()
