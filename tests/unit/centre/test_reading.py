"""Reading what may be anything as an alert."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.alerts.alert import (
    Alert,
    AlertEvent,
    ModelIdentity,
    Origin,
    event,
)
from edge_runtime.alerts.chain import BEGINNING, digest
from edge_runtime.centre.reading import LARGEST_ALERT, read_alert
from edge_runtime.messaging.wire import WireError
from tests.alerts import ALERT as PLAIN

TOPIC = "edge/v1/branch-7/atm-1/alert/front/presence"
ALERT = replace(PLAIN, score=0.5, track=3, boxes=((0.1, 0.2, 0.3, 1.0),))


def made(alert: Alert = ALERT) -> AlertEvent:
    model = ModelIdentity("person", "1", "ab" * 32)
    return event(
        alert,
        origin=Origin("branch-7", "atm-1"),
        epoch=1795416937655337,
        sequence=1,
        model=model,
        clock_synchronised=True,
    ).chained(BEGINNING)


def changed(rehash: bool = True, **members: Any) -> str:
    document = {**json.loads(made().to_json()), **members}
    if rehash:
        document["hash"] = digest(document)
    return json.dumps(document)


def test_an_alert_comes_back_as_it_was_made() -> None:
    for alert in (ALERT, replace(ALERT, boxes=(), track=None, score=None, zone="door")):
        assert read_alert(made(alert).to_json().encode(), TOPIC) == made(alert)


@pytest.mark.parametrize("time", ["1790000000", "2026-09-21", "2026-09-21 14:13:20z"])
def test_a_time_that_is_not_in_the_form_of_rfc_3339_is_refused(time: str) -> None:
    with pytest.raises(WireError, match="time"):
        read_alert(changed(time=time))


def test_how_the_json_is_laid_out_does_not_matter() -> None:
    assert read_alert(json.dumps(json.loads(made().to_json()), indent=2), TOPIC) == made()


def test_what_a_newer_device_adds_counts_for_the_hash_alone() -> None:
    assert read_alert(changed(novelty=[1.5, "x"]), TOPIC).id == made().id
    with pytest.raises(WireError, match="hash"):
        read_alert(changed(rehash=False, novelty=1), TOPIC)


@pytest.mark.parametrize(
    "members",
    [
        {"id": "atm-2/1795416937655337/1"},
        {"id": "atm-1/1795416937655337/2"},
        {"id": "atm-1/01795416937655337/1"},
        {"id": "atm-1/-5/1"},
        {"source": "branch-7/atm-1/back"},
        {"source": "branch-8/atm-1/front"},
        {"source": "branch-7"},
        {"type": "io.github.edge-runtime.alert.crowd.v1"},
        {"sequence": "01"},
        {"sequence": 1},
        {"sequence": "9" * 19, "id": "atm-1/1795416937655337/" + "9" * 19},
        {"severity": "urgent"},
        {"time": "yesterday"},
        {"time": None},
        {"previoushash": None},
        {"previoushash": "A" * 64},
        {"specversion": "0.3"},
        {"data": {}},
    ],
)
def test_a_contradiction_is_no_alert_even_with_a_right_hash(members: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        read_alert(changed(**members), TOPIC)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"9" * 5000,
        b" " * (LARGEST_ALERT + 1),
        made().to_json().replace('"score":0.5', '"score":NaN'),
        made().to_json().replace('"score":0.5', '"score":1e999'),
        made().to_json().replace('"at the machine"', '"\\ud800"'),
        made().to_json().replace("{", '{"id":"x",', 1),
    ],
)
def test_what_is_no_json_of_an_alert_is_refused_in_a_sentence(payload: bytes | str) -> None:
    with pytest.raises(WireError):
        read_alert(payload)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_comes_is_refused_in_a_sentence(payload: bytes | str) -> None:
    with pytest.raises(WireError):
        read_alert(payload)


@given(st.integers(0, len(made().to_json()) - 1), st.characters(codec="ascii"))
def test_one_other_character_makes_it_no_alert(place: int, character: str) -> None:
    text = made().to_json()
    altered = text[:place] + character + text[place + 1 :]
    if json.loads(text) == _loaded(altered):
        return
    with pytest.raises(WireError):
        read_alert(altered, TOPIC)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
