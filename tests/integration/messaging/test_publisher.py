"""The publisher against a real broker that is down, dies, freezes, or says no."""

from __future__ import annotations

import logging
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge_runtime import __version__
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.link import LinkState
from tests.broker import Broker, Subscriber, wait_for
from tests.integration.messaging.conftest import (
    Device,
    MakeDevice,
    first_arrivals,
    make_alert,
)

ACCEPTED = bytes.fromhex("20 03 00 00 00")
"""A CONNACK with success."""


@contextmanager
def _server(broker: Broker, answer: Callable[[], bytes]) -> Iterator[None]:
    """In the place of `broker`: a server that answers whatever is said first, and closes."""

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            # The publisher may have gone at any moment.
            with client, suppress(OSError):
                client.settimeout(2.0)
                client.recv(4096)
                client.sendall(answer())
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass

    with socket.create_server((broker.host, broker.port)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


STATUS = "edge/v1/branch-7/atm-1/status"


def test_an_alert_arrives_as_the_contract_says(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker, "edge/v1/+/+/alert/#") as subscriber:
        device = make_device(broker)
        made = device.outbox.commit(make_alert(), model=None, clock_synchronised=True)
        (message,) = wait_for(subscriber.messages, "the alert")
        assert message["topic"] == "edge/v1/branch-7/atm-1/alert/front/presence"
        assert (message["qos"], message["retain"]) == (1, 0)
        assert message["payload"]["id"] == made.id
        assert message["properties"] == {
            "payload-format-indicator": 1,
            "content-type": "application/cloudevents+json",
            "user-properties": {"severity": "high", "sequence": "1"},
        }
        device.wait_until_empty()


def test_a_broker_that_is_down_at_the_start_gets_everything_in_order_when_it_comes(
    make_device: MakeDevice,
) -> None:
    broker = Broker()
    device = make_device(broker)
    sequences = device.commit(100)
    device.wait_for_state(LinkState.WAITING)
    assert device.publisher.stats().depth == 100
    assert device.publisher.stats().last_error == (
        f"nothing listens at 127.0.0.1:{broker.port}: the broker is down, or the port is another"
    )
    with broker, Subscriber(broker) as subscriber:
        device.wait_until_empty()
        wait_for(lambda: len(subscriber.payloads("alert")) >= 100, "all alerts")
        assert first_arrivals(subscriber.payloads("alert")) == sequences


def test_a_broker_that_is_killed_and_comes_back_costs_no_alert_and_no_order(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker, Subscriber(broker) as subscriber:
        device = make_device(broker)
        device.wait_for_state(LinkState.ONLINE)
        committed: list[int] = []
        over = threading.Event()

        def commit() -> None:
            while not over.is_set():
                committed.extend(device.commit())
                over.wait(0.002)

        analysis = threading.Thread(target=commit)
        analysis.start()
        for _ in range(2):
            seen = len(subscriber.payloads("alert"))
            wait_for(lambda seen=seen: len(subscriber.payloads("alert")) > seen + 50, "alerts")
            broker.kill()
            device.wait_for_state(LinkState.WAITING)
            wait_for(lambda: device.outbox.depth() > 50, "alerts wait")
            broker.start()
        over.set()
        analysis.join()
        device.wait_until_empty()
        wait_for(
            lambda: len(set(first_arrivals(subscriber.payloads("alert")))) == len(committed),
            "every committed alert",
        )
        assert first_arrivals(subscriber.payloads("alert")) == committed
        assert device.publisher.stats().reconnects == 2


def test_alerts_wait_for_a_subscriber_and_are_not_given_to_nobody(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge_runtime")
    with Broker() as broker:
        device = make_device(broker)
        sequences = device.commit(30)
        wait_for(lambda: device.publisher.stats().held, "the alerts are held")
        # Several tries later they are still there, in flight one at a time, told of once.
        wait_for(lambda: broker.log.count("Received PUBLISH from atm-1") >= 5, "some tries")
        assert device.publisher.stats().depth == 30
        assert device.publisher.stats().in_flight <= 1
        assert caplog.text.count("No matching subscribers") == 1
        with Subscriber(broker, "edge/v1/+/+/alert/#") as subscriber:
            device.wait_until_empty()
            wait_for(lambda: len(subscriber.messages()) >= 30, "all alerts")
            assert first_arrivals(subscriber.payloads()) == sequences
        assert device.publisher.stats().held is None


def test_held_alerts_are_tried_again_at_once_on_a_new_connection(make_device: MakeDevice) -> None:
    with Broker() as broker:
        # No retry on this connection, and enough time for a subscriber before the next.
        device = make_device(
            broker, publisher={"retry": Backoff(600, 600), "reconnect": Backoff(1.5, 1.5)}
        )
        device.commit(3)
        wait_for(lambda: device.publisher.stats().held, "the alerts are held")
        broker.kill()
        device.wait_for_state(LinkState.WAITING)
        broker.start()
        with Subscriber(broker) as subscriber:
            device.wait_until_empty()
            wait_for(lambda: len(subscriber.payloads("alert")) >= 3, "the alerts")


def test_what_waited_when_the_process_ended_is_sent_by_the_next(make_device: MakeDevice) -> None:
    broker = Broker()
    before = make_device(broker)
    before.commit(5)
    before.publisher.stop(1.0)
    before.outbox.close()
    with broker, Subscriber(broker) as subscriber:
        after = make_device(broker)
        assert after.commit() == [6]
        after.wait_until_empty()
        wait_for(lambda: len(subscriber.payloads("alert")) >= 6, "all alerts")
        assert first_arrivals(subscriber.payloads("alert")) == [1, 2, 3, 4, 5, 6]


def test_the_birth_is_retained_and_changes_of_status_and_health_too(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker:
        device = make_device(broker)
        device.wait_for_state(LinkState.ONLINE)
        with Subscriber(broker, STATUS) as subscriber:
            (birth,) = wait_for(subscriber.messages, "the birth")
            assert birth["retain"] == 1
            assert birth["payload"]["state"] == "online"
            assert birth["payload"]["version"] == __version__
            assert birth["payload"]["since"].endswith("Z")
        device.publisher.publish_status({"state": "degraded", "reason": "no TPU"})
        device.publisher.publish_health({"outbox": {"depth": 3}})
        with Subscriber(broker, "edge/v1/branch-7/atm-1/+") as late:
            wait_for(lambda: late.payloads("health"), "the health")
            assert late.payloads("health")[-1] == {"outbox": {"depth": 3}}
            wait_for(lambda: late.payloads("status")[-1]["state"] == "degraded", "the status")
        # A broker that was killed may have forgotten both: they are the first that it is told.
        broker.kill()
        broker.start()
        with Subscriber(broker, STATUS) as again:
            wait_for(
                lambda: any(each["state"] == "degraded" for each in again.payloads()),
                "the same status as before",
            )


def test_a_clean_stop_sends_what_waits_and_says_offline(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as subscriber:
        device = make_device(broker)
        device.wait_for_state(LinkState.ONLINE)
        device.commit(200)
        started = time.monotonic()
        device.publisher.stop(2.0)
        assert time.monotonic() - started < 2.0
        assert device.outbox.depth() == 0
        assert device.publisher.stats().link is LinkState.STOPPED
        wait_for(lambda: len(subscriber.payloads()) >= 202, "birth, alerts and farewell")
        assert len(subscriber.payloads("alert")) == 200
        assert subscriber.payloads()[-1] == {
            "state": "offline",
            "reason": "stopped",
            "version": __version__,
        }


def test_a_stop_without_a_broker_returns_within_its_time(make_device: MakeDevice) -> None:
    device = make_device(Broker(), publisher={"reconnect": Backoff(60, 60)})
    device.commit(3)
    device.wait_for_state(LinkState.WAITING)
    started = time.monotonic()
    device.publisher.stop(1.0)
    assert time.monotonic() - started < 0.5
    assert device.outbox.depth() == 3


def test_a_stop_with_a_frozen_broker_returns_within_its_time(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker):
        device = make_device(broker)
        device.wait_for_state(LinkState.ONLINE)
        broker.freeze()
        device.commit(3)
        started = time.monotonic()
        device.publisher.stop(1.0)
        assert time.monotonic() - started < 1.2
        assert device.outbox.depth() == 3


PUBLISHING_PROCESS = """
import pathlib, sys, time
from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
outbox = Outbox(pathlib.Path(sys.argv[1]), Origin("branch-7", "atm-1"))
settings = MqttSettings("127.0.0.1", "atm-1", int(sys.argv[2]))
Publisher(settings, outbox, Topics("branch-7", "atm-1")).start()
time.sleep(600)
"""


def test_the_last_will_tells_of_a_process_that_was_killed(tmp_path: Path) -> None:
    with Broker() as broker, Subscriber(broker, STATUS) as subscriber:
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHING_PROCESS, str(tmp_path / "o.db"), str(broker.port)]
        )
        wait_for(subscriber.payloads, "the birth")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        wait_for(lambda: len(subscriber.payloads()) >= 2, "the last will")
        assert subscriber.payloads()[1] == {
            "state": "offline",
            "reason": "connection lost",
            "version": __version__,
        }
        with Subscriber(broker, STATUS) as late:
            (will,) = wait_for(late.messages, "the retained will")
            assert will["retain"] == 1
            assert will["payload"]["state"] == "offline"


def test_a_wrong_password_is_refused_told_once_and_nowhere_repeated(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Broker(users={"atm": "right"}) as broker:
        device = make_device(broker, username="atm", password="wr0ng-s3cret")
        device.commit()
        wait_for(lambda: broker.log.count("not authorised") >= 3, "three tries")
        stats = device.publisher.stats()
        assert stats.link in {LinkState.REFUSED, LinkState.CONNECTING}
        assert stats.last_error == (
            f"the broker 127.0.0.1:{broker.port} refused the connection: user name or password "
            "is wrong, or this client may not connect (Not authorized)"
        )
        assert caplog.text.count("refused the connection") == 1
        assert "wr0ng" not in caplog.text + repr(stats)
        assert device.outbox.depth() == 1


def test_the_right_password_is_let_in(make_device: MakeDevice) -> None:
    with Broker(users={"atm": "right"}) as broker:
        make_device(broker, username="atm", password="right").wait_for_state(LinkState.ONLINE)


def test_a_broker_that_freezes_is_found_by_the_watch_on_progress(make_device: MakeDevice) -> None:
    with Broker() as broker, Subscriber(broker) as subscriber:
        device = make_device(broker, publisher={"stall_after": 1.0})
        device.wait_for_state(LinkState.ONLINE)
        broker.freeze()
        sequences = device.commit(30)
        device.wait_for_state(LinkState.WAITING)
        assert device.publisher.stats().last_error == (
            f"the broker 127.0.0.1:{broker.port} has acknowledged nothing for 1 s: connecting again"
        )
        broker.thaw()
        device.wait_until_empty()
        wait_for(lambda: len(first_arrivals(subscriber.payloads("alert"))) == 30, "all alerts")
        assert first_arrivals(subscriber.payloads("alert")) == sequences


def test_a_half_open_connection_is_found_by_the_keepalive(make_device: MakeDevice) -> None:
    with Broker() as broker:
        device = make_device(broker, keepalive=1)
        device.wait_for_state(LinkState.ONLINE)
        wait_for(lambda: device.publisher.stats().depth == 0, "nothing waits")
        broker.freeze()
        device.wait_for_state(LinkState.WAITING)
        broker.thaw()
        device.wait_for_state(LinkState.ONLINE)


def test_each_change_of_the_link_is_logged_once_and_counted(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge_runtime")
    broker = Broker()
    device = make_device(broker, publisher={"reconnect": Backoff(0.02, 0.02)})
    wait_for(lambda: device.publisher.stats().changes.get(LinkState.WAITING, 0) >= 5, "five tries")
    assert [record.getMessage() for record in caplog.records] == [
        f"MQTT waiting: nothing listens at 127.0.0.1:{broker.port}: the broker is down, or the "
        "port is another"
    ]
    with broker:
        # The state is set before it is logged.
        wait_for(lambda: len(caplog.records) > 1, "the second line")
        assert caplog.records[-1].getMessage() == f"MQTT online: 127.0.0.1:{broker.port}"
        assert len(caplog.records) == 2


def test_an_alert_that_breaks_the_connection_stays_and_stops_nobody(
    make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    # Mosquitto 2.0.11 answers a payload above this limit with a PUBACK that MQTT 5 does not know
    # (0x95), which paho takes for the end of the connection.
    with Broker(extra=["message_size_limit 2000"]) as broker, Subscriber(broker) as subscriber:
        device = make_device(broker)
        device.commit()
        large = device.commit(alert=make_alert(boxes=200))
        device.commit(3)
        wait_for(lambda: device.outbox.depth() == 1, "only the large one waits")
        wait_for(lambda: len(subscriber.payloads("alert")) >= 4, "the others")
        assert first_arrivals(subscriber.payloads("alert")) == [1, 3, 4, 5]
        assert [entry.sequence for entry in device.outbox.pending(0, 10)] == large
        assert device.publisher.stats().set_aside == 1
        assert device.publisher.stats().last_error == (
            f"the broker 127.0.0.1:{broker.port} sent something that is not MQTT 5"
        )
        assert (
            "the broker will not take alert 2, which stays in the outbox: the connection breaks "
            "whenever it is sent"
        ) in caplog.text
        assert device.commit() == [6]
        wait_for(lambda: 6 in first_arrivals(subscriber.payloads("alert")), "the next alert")


def test_a_packet_above_the_brokers_maximum_is_not_sent_at_all(make_device: MakeDevice) -> None:
    with Broker(extra=["max_packet_size 2000"]) as broker, Subscriber(broker):
        device = make_device(broker)
        device.commit(alert=make_alert(boxes=200))
        device.commit(3)
        wait_for(lambda: device.outbox.depth() == 1, "only the large one waits")
        assert device.publisher.stats().set_aside == 1
        assert device.publisher.stats().reconnects == 0


def test_a_backlog_keeps_to_the_brokers_receive_maximum(make_device: MakeDevice) -> None:
    with Broker(extra=["max_inflight_messages 2"]) as broker, Subscriber(broker):
        device = make_device(broker)
        device.commit(200)
        for number in range(50):
            device.publisher.publish_health({"number": number})
        device.wait_until_empty()
        assert device.publisher.stats().reconnects == 0


def test_an_alert_that_is_not_authorised_waits(make_device: MakeDevice, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite edge/v1/branch-7/atm-1/status\n")
    rights.chmod(0o600)
    with Broker(extra=[f"acl_file {rights}"]) as broker:
        device = make_device(broker)
        device.commit(3)
        wait_for(lambda: device.publisher.stats().held, "the alerts are held")
        assert device.publisher.stats().held == (
            "the broker does not take the alerts: its rules do not let this device write to its "
            "topics; the name in the certificate, or the user name, has to be the one that they "
            "are for (Not authorized)"
        )
        assert device.outbox.depth() == 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x8B, "it is shutting down (Server shutting down)"),
        (0x8E, "another client connected with the same client id (Session taken over)"),
    ],
)
def test_a_broker_that_closes_the_connection_says_why(
    make_device: MakeDevice, code: int, reason: str
) -> None:
    # Mosquitto 2.0.11 closes without a word in these cases.
    broker = Broker()
    with _server(broker, lambda: ACCEPTED + bytes((0xE0, 2, code, 0))):
        device = make_device(broker, publisher={"reconnect": Backoff(60, 60)})
        device.wait_for_state(LinkState.WAITING)
        assert device.publisher.stats().last_error == (
            f"the broker 127.0.0.1:{broker.port} closed the connection: {reason}"
        )


def test_two_devices_of_one_client_id_do_not_throw_each_other_out_in_a_storm(
    make_device: MakeDevice,
) -> None:
    with Broker() as broker:
        device = make_device(broker, publisher={"reconnect": Backoff(0.05, 30.0)})
        device.wait_for_state(LinkState.ONLINE)
        with Subscriber(broker, extra=["-i", "atm-1"]):
            # The other one comes back each second; our waits double although each start is good.
            wait_for(
                lambda: device.publisher.stats().changes.get(LinkState.WAITING, 0) >= 5,
                "five times thrown out",
            )
            assert device.publisher.stats().reconnects <= 8


@pytest.mark.parametrize("seed", range(4))
def test_a_server_that_answers_rubbish_cannot_end_the_publisher(
    make_device: MakeDevice, seed: int
) -> None:
    rng = random.Random(seed)

    def rubbish() -> bytes:
        kind = rng.choice((0x20, 0x40, 0x90, 0xE0, 0x30, 0xD0, 0x50))
        packet = bytes((kind, rng.randrange(12))) + rng.randbytes(40)
        return rng.choice((b"", ACCEPTED)) + packet

    broker = Broker()
    with _server(broker, rubbish):
        device = make_device(broker, publisher={"reconnect": Backoff(0.001, 0.002)})
        device.commit(2)
        wait_for(
            lambda: device.publisher.stats().changes.get(LinkState.CONNECTING, 0) > 150,
            "150 tries",
        )
    device.outbox.delivered([1, 2])  # By now they may be thought the cause, and wait.
    with broker, Subscriber(broker):
        device.commit()
        device.wait_until_empty()


def test_the_heartbeat_beats_in_every_state(make_device: MakeDevice) -> None:
    def beats(device: Device) -> None:
        last = device.publisher.heartbeat
        wait_for(lambda: device.publisher.heartbeat > last, "the next beat", timeout=3.0)

    broker = Broker()
    device = make_device(broker, publisher={"reconnect": Backoff(2, 2)})
    device.wait_for_state(LinkState.WAITING)
    beats(device)
    with broker:
        device.wait_for_state(LinkState.ONLINE)
        beats(device)
        device.commit()
        wait_for(lambda: device.publisher.stats().held, "the alert is held")
        beats(device)
