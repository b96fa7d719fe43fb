"""How the devices are shown, out of what they told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from edge_runtime.alerts.alert import AlertState
from edge_runtime.alerts.chain import Head
from edge_runtime.alerts.signing import Signer
from edge_runtime.centre import tables
from edge_runtime.centre.incoming import read_batch
from edge_runtime.centre.store import Store
from edge_runtime.centre.view import DeviceState, DeviceView, HeadState, look, refusals
from edge_runtime.messaging.connection import Received
from edge_runtime.rules.camera_health import KIND
from tests.centre import EPOCH, NOON, Chain
from tests.certificates import Authority


class Told:
    """A store, and what one device tells it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.chain = Chain()

    def alerts(self, *numbers: int) -> None:
        for number in numbers:
            alert = self.chain.alerts[number - 1]
            topic = self.chain.topics.alert(alert.data.camera, alert.data.rule)
            self._take(Received(topic, alert.to_json().encode()), NOON)

    def tell(self, kind: str, payload: str, now: float = NOON, *, kept: bool = False) -> None:
        self._take(Received(f"{self.chain.topics.root}/{kind}", payload.encode(), kept), now)

    def health(self, now: float = NOON, **changes: Any) -> None:
        self.tell("health", self.chain.health(now, **changes), now)

    def status(self, state: str, now: float = NOON) -> None:
        self.tell("status", json.dumps({"state": state, "reason": "connection lost"}), now)

    def view(self, now: float = NOON + 1, certificates: Path | None = None) -> DeviceView:
        (view,) = look(self.store.engine, now, 90.0, certificates)
        return view

    def _take(self, received: Received, now: float) -> None:
        self.store.record(read_batch([received]), now)


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


def test_a_device_that_tells_of_its_health_and_lacks_nothing_is_online(told: Told) -> None:
    told.chain.grow(3)
    told.alerts(1, 2, 3)
    told.status("online")
    told.health()
    view = told.view()
    assert (view.site, view.device, view.state) == ("paris-12", "atm-1", DeviceState.ONLINE)
    assert (view.reasons, view.behind, view.waiting) == ((), 0, 0)
    (chain,) = view.chains
    assert (chain.epoch, chain.acknowledged, chain.verified, chain.stored) == (EPOCH, 3, True, 3)


def test_a_device_of_which_nothing_was_heard_for_long_is_silent(told: Told) -> None:
    told.status("online")
    told.health()
    assert told.view(NOON + 89).state is DeviceState.ONLINE
    assert told.view(NOON + 91).state is DeviceState.SILENT


def test_what_the_broker_kept_counts_from_when_it_was_said(told: Told) -> None:
    told.tell("health", told.chain.health(NOON), NOON + 1000, kept=True)
    view = told.view(NOON + 1001)
    assert (view.state, view.heard) == (DeviceState.SILENT, NOON)


def test_a_device_that_only_sends_alerts_is_silent(told: Told) -> None:
    told.chain.grow(1)
    told.alerts(1)
    assert told.view().reasons == ("it never told of its health",)


def test_a_device_whose_last_will_came_is_offline_until_it_is_heard(told: Told) -> None:
    told.health()
    told.status("offline", NOON + 5)
    view = told.view(NOON + 6)
    assert (view.state, view.reasons) == (DeviceState.OFFLINE, ("connection lost",))
    told.health(NOON + 8)
    assert told.view(NOON + 9).state is DeviceState.ONLINE


def test_a_device_with_a_camera_that_delivers_nothing_is_blind(told: Told) -> None:
    told.health(cameras=[{"name": "front", "state": "stale"}, {"name": "yard", "state": "live"}])
    view = told.view()
    assert (view.state, view.reasons) == (DeviceState.BLIND, ("camera front is stale",))


def test_a_device_with_a_camera_that_is_covered_is_blind_until_that_ends(told: Told) -> None:
    assert tables.CAMERA_HEALTH == KIND
    told.chain.grow(1, rule=KIND, incident="front/covered/1")
    told.chain.grow(1, rule=KIND, incident="front/covered/1", state=AlertState.ENDED)
    told.alerts(1)
    told.health(outbox={"depth": 0, "epoch": EPOCH, "committed": 1})
    assert told.view().reasons == ("camera front: front/covered/1",)
    told.alerts(2)
    assert told.view().state is DeviceState.ONLINE


def test_an_incident_that_a_restart_left_open_blinds_nobody(told: Told) -> None:
    told.chain.grow(1, rule=KIND)
    told.alerts(1)
    told.health(NOON + 60, started="2036-09-21T14:14:20.000Z")
    assert told.view(NOON + 61).state is DeviceState.ONLINE


def test_a_device_that_says_it_is_degraded_is(told: Told) -> None:
    told.health(state="degraded", reasons=["the TPU is gone"])
    view = told.view()
    assert (view.state, view.reasons) == (DeviceState.DEGRADED, ("the TPU is gone",))


def test_a_device_whose_alerts_are_not_here_is_behind(told: Told) -> None:
    told.chain.grow(5)
    told.alerts(1, 2, 5)
    told.health(outbox={"depth": 3, "epoch": EPOCH, "committed": 5})
    view = told.view()
    assert (view.state, view.behind, view.waiting) == (DeviceState.BEHIND, 3, 3)
    assert view.chains[0].gaps == ((3, 4),)
    assert view.reasons[-1] == f"alerts 3 to 4 in epoch {EPOCH} are waited for"


def test_what_was_dropped_leaves_a_chain_verified_and_what_was_lost_does_not(told: Told) -> None:
    told.chain.grow(6)
    told.alerts(1, 3, 6)
    told.tell("dropped", told.chain.dropped(2, 4))
    (view,) = told.view().chains
    assert (view.acknowledged, view.dropped, view.verified) == (4, 2, True)
    (ask,) = told.store.asks(NOON + 60, 3.0, 5.0, 60.0)
    result = {"sent": 0, "missing": [[5, 5]]}
    answer = {"id": ask.id, "command": "resend", "outcome": "done", "result": result}
    told.tell("response/resend", json.dumps(answer))
    (view,) = told.view().chains
    assert (view.acknowledged, view.missing, view.verified) == (6, 1, False)
    # It came after all.
    told.alerts(5)
    (view,) = told.view().chains
    assert (view.missing, view.verified) == (0, True)


def test_the_end_of_the_chain_is_checked_with_the_device_s_certificate(
    told: Told, tmp_path: Path
) -> None:
    chain = told.chain
    chain.grow(2)
    told.alerts(1, 2)
    identity = Authority(tmp_path / "ca").client("atm-1")
    head = Head("paris-12", "atm-1", EPOCH, 1, 2, chain.alerts[1].hash or "")
    signed = Signer(identity.key).signed(head, "2026-11-25T12:00:00.000Z")
    told.health()
    assert told.view().head is HeadState.UNSIGNED
    told.health(chain=dict(signed))
    assert told.view().head is HeadState.UNCHECKED

    known = tmp_path / "known" / "paris-12"
    known.mkdir(parents=True)
    (known / "atm-1.pem").write_bytes(identity.certificate.read_bytes())
    assert told.view(certificates=tmp_path / "known").head is HeadState.SIGNED

    told.health(chain={**signed, "first": 2})
    view = told.view(certificates=tmp_path / "known")
    assert view.head is HeadState.FORGED
    assert "it is forged" in view.reasons[0]
    told.health()
    assert told.view(certificates=tmp_path / "known").head is HeadState.FORGED

    told.health(chain={**signed, "hash": "e" * 64})
    assert told.view().head is HeadState.CONTRADICTED


def test_many_devices_are_looked_at_with_as_many_queries_as_one(store: Store) -> None:
    def devices(count: int) -> Iterator[Received]:
        for number in range(count):
            chain = Chain(device=f"atm-{number}")
            chain.grow(1, rule=KIND, incident=f"front/covered/{number}")
            chain.grow(5)
            for alert in chain.alerts[:2] + chain.alerts[5:]:
                topic = chain.topics.alert(alert.data.camera, alert.data.rule)
                yield Received(topic, alert.to_json().encode())
            yield Received(chain.topics.dropped, chain.dropped(3, 3).encode())
            yield Received(chain.topics.health, chain.health(NOON).encode())

    asked: list[str] = []

    def hear(*arguments: Any) -> None:
        asked.append(arguments[2])

    def asked_of(count: int) -> list[str]:
        store.record(read_batch(devices(count)), NOON)
        asked.clear()
        assert len(look(store.engine, NOON + 1)) == count
        return [*asked]

    event.listen(store.engine, "before_cursor_execute", hear)
    assert len(asked_of(1)) == len(asked_of(30))
    views = look(store.engine, NOON + 1)
    assert [(view.state, view.reasons[0]) for view in views] == [
        (DeviceState.BLIND, f"camera front: front/covered/{view.device.removeprefix('atm-')}")
        for view in views
    ]
    chains = [chain for view in views for chain in view.chains]
    assert {(c.acknowledged, c.stored, c.dropped, c.gaps) for c in chains} == {(3, 3, 1, ((4, 5),))}


def test_a_name_that_leads_elsewhere_has_no_certificate(store: Store, tmp_path: Path) -> None:
    chain = Chain(site="..", device="secret")
    (tmp_path / "secret.pem").write_text("of another folder")
    health = Received(f"{chain.topics.root}/health", chain.health(NOON).encode())
    store.record(read_batch([health]), NOON)
    (view,) = look(store.engine, NOON, 90.0, tmp_path / "known")
    assert view.head is HeadState.UNSIGNED


def test_what_was_refused_is_shown(store: Store) -> None:
    store.record(read_batch([Received("edge/v1/a/b/alert/c/d", b"\x1b[2J")] * 3), NOON)
    (refused,) = refusals(store.engine)
    assert (refused.kind, refused.count) == ("alert", 3)
    assert refused.reason.isprintable()
