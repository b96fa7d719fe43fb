"""An alert that no broker takes does not keep those behind it on the device for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Severity
from edge_runtime.centre.held import ChainView
from tests.broker import Broker, wait_for
from tests.centre import database_in, running_centre, seen
from tests.integration.messaging.conftest import BY_CENTRE, Device, MakeDevice, make_alert

TOO_LARGE = replace(make_alert(boxes=200), severity=Severity.CRITICAL)
AT_ONCE = {**BY_CENTRE, "give_up_after": 0.0}
REFUSALS = [
    pytest.param("max_packet_size 2000", id="the broker says how much it takes"),
    pytest.param("message_size_limit 2000", id="the connection breaks"),
]


@pytest.fixture(autouse=True)
def suspects_wait_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.messaging.delivery._SUSPECT_SECONDS", 0.02)


def held(url: str) -> ChainView:
    (chain,) = seen(url).chains
    return chain


def set_aside(device: Device) -> bool:
    return device.publisher.stats().set_aside == 1


def delivered(device: Device) -> int:
    return device.publisher.stats().delivered


def reconnect(broker: Broker, device: Device) -> None:
    """It tries again what it had set aside."""
    before = device.publisher.stats().reconnects
    broker.kill()
    broker.start()
    wait_for(lambda: device.publisher.stats().reconnects > before, "it is back")


@pytest.mark.parametrize("limit", REFUSALS)
def test_it_is_dropped_so_that_those_behind_it_can_be_acknowledged(
    make_device: MakeDevice, tmp_path: Path, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = database_in(tmp_path)
    with Broker(extra=[limit]) as broker, running_centre(broker, url):
        device = make_device(broker, AT_ONCE)
        device.commit(2)
        device.commit(alert=TOO_LARGE)
        device.commit(20)
        wait_for(lambda: delivered(device) >= 22 and set_aside(device), "the others are through")
        wait_for(lambda: device.waiting()[0] == 3, "the first are acknowledged")
        reconnect(broker, device)
        device.wait_until_empty()
        wait_for(lambda: device.outbox.given_up().untold == 0, "the centre knows")
        chain = held(url)
        device.commit()
        device.wait_until_empty()
    assert (chain.stored, chain.dropped, chain.acknowledged) == (22, 1, 23)
    assert (chain.gaps, chain.verified) == ((), True)
    assert device.outbox.given_up().evicted == {Severity.CRITICAL: 1}
    assert (
        "alert 3 (critical, presence at front) is dropped: the broker has not taken it for 0 s, "
        "and those behind it cannot be acknowledged: "
    ) in caplog.text


def test_it_has_its_time(make_device: MakeDevice, tmp_path: Path) -> None:
    with (
        Broker(extra=["max_packet_size 2000"]) as broker,
        running_centre(broker, database_in(tmp_path)),
    ):
        device = make_device(broker, {**BY_CENTRE, "give_up_after": 60.0})
        device.commit(alert=TOO_LARGE)
        device.commit(5)
        for times in (1, 2):
            wait_for(
                lambda times=times: set_aside(device) and delivered(device) >= 5 * times, "it waits"
            )
            reconnect(broker, device)
        assert device.waiting() == [1, 2, 3, 4, 5, 6]
        assert device.outbox.drops == 0


def test_it_stays_while_it_is_in_nobodys_way(make_device: MakeDevice, tmp_path: Path) -> None:
    with (
        Broker(extra=["max_packet_size 2000"]) as broker,
        running_centre(broker, database_in(tmp_path)),
    ):
        device = make_device(broker, AT_ONCE)
        device.commit(3)
        large = device.commit(alert=TOO_LARGE)
        for _ in range(2):
            wait_for(lambda: set_aside(device) and device.waiting() == large, "it waits")
            reconnect(broker, device)
        assert device.waiting() == large


@pytest.mark.parametrize("limit", REFUSALS)
def test_what_is_dropped_is_told_in_messages_that_this_broker_takes(
    make_device: MakeDevice, tmp_path: Path, limit: str
) -> None:
    url = database_in(tmp_path)
    with Broker(extra=[limit]) as broker, running_centre(broker, url):
        device = make_device(broker, AT_ONCE, start=False)
        for number in range(1, 41):
            device.commit()
            if number % 2:
                device.outbox.give_up(device.outbox.pending(number - 1, 1)[0])
        assert len(device.outbox.dropped(100)) == 20
        device.publisher.start()
        device.wait_until_empty()
        chain = held(url)
    assert (chain.stored, chain.dropped, chain.acknowledged) == (20, 20, 40)
