"""The broker as deploy/mosquitto configures it: who is let in, as whom, and what each may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from edge_runtime.messaging.connection import Connection, Message
from edge_runtime.messaging.failures import BrokerRefusedError, MqttError
from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.probe import probe, shake_hands
from edge_runtime.messaging.settings import MqttSettings
from tests.bank import Bank
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.certificates import Authority, Identity
from tests.integration.messaging.conftest import MakeDevice, first_arrivals

SUCCESS, NOBODY_LISTENS, NOT_AUTHORISED = 0x00, 0x10, 0x87


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return Bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def broker(bank: Bank) -> Iterator[Broker]:
    with bank.broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def atm(bank: Bank) -> Identity:
    return bank.identity("atm-1")


@pytest.fixture(scope="module")
def centre(bank: Bank) -> Identity:
    return bank.centre()


def answers(settings: MqttSettings, topics: list[str]) -> dict[str, int]:
    """The broker's reason code for a message on each of `topics`."""
    with Connection(settings) as connection:
        connection.open()
        turn_until(connection, lambda: connection.accepted)
        numbers = {connection.publish(Message(each, "{}", "text/plain")): each for each in topics}
        turn_until(connection, lambda: len(connection.answers) == len(topics))
        return {numbers[answer.message]: answer.code for answer in connection.answers}


def turn_until(connection: Connection, condition: object) -> None:
    deadline = monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert monotonic() < deadline, "the broker does not answer"
        connection.turn(None, 0.1)
        if connection.failure:
            raise connection.failure


def test_a_device_writes_under_its_own_name_only(bank: Bank, broker: Broker, atm: Identity) -> None:
    own = "edge/v1/paris-12/atm-1"
    kinds = ["alert/front/presence", "status", "health", "dropped", "response/x"]
    allowed = [f"{own}/{kind}" for kind in kinds]
    refused = [
        *(f"edge/v1/paris-12/atm-2/{kind}" for kind in kinds),
        *(f"edge/v1/{tail}" for tail in ("atm-1/status", "paris-12/atm-1/atm-2/status", "a/b/c/d")),
        f"{own}/ack",
        f"{own}/command/reload",
        "edge/v1/paris-12/atm-2/command/reload",
        "edge/v2/paris-12/atm-1/status",
        "anything",
    ]
    told = answers(bank.settings(broker, atm), allowed + refused)
    assert {told[topic] for topic in allowed} <= {SUCCESS, NOBODY_LISTENS}
    assert {topic for topic in refused if told[topic] != NOT_AUTHORISED} == set()


def test_what_a_device_says_its_client_id_is_changes_nothing(
    bank: Bank, broker: Broker, atm: Identity
) -> None:
    settings = bank.settings(broker, atm, client_id="atm-2")
    told = answers(settings, ["edge/v1/s/atm-2/status", "edge/v1/s/atm-1/status"])
    assert list(told.values()) == [NOT_AUTHORISED, NOBODY_LISTENS]


def test_a_device_hears_what_is_meant_for_it_and_nothing_else(
    bank: Bank, broker: Broker, atm: Identity, centre: Identity
) -> None:
    with Subscriber(broker, "#", bank.options(atm)) as spy:
        for device in ("atm-2", "atm-1"):
            for topic in ("ack", "command/reload"):
                told = json.dumps({"to": device})
                publish(broker, f"edge/v1/s/{device}/{topic}", told, *bank.options(centre))
        wait_for(lambda: len(spy.messages()) >= 2, "both came")
        assert [each["topic"] for each in spy.messages()] == [
            "edge/v1/s/atm-1/ack",
            "edge/v1/s/atm-1/command/reload",
        ]


def test_a_centre_hears_all_devices_and_cannot_speak_for_one(
    bank: Bank, broker: Broker, atm: Identity, centre: Identity
) -> None:
    topics = [f"edge/v1/s/atm-1/{kind}" for kind in ("alert/front/presence", "status", "health")]
    with Subscriber(broker, "$share/centre/edge/v1/#", bank.options(centre)) as subscriber:
        assert set(answers(bank.settings(broker, atm), topics).values()) == {SUCCESS}
        wait_for(lambda: len(subscriber.messages()) == 3, "all three came")
    told = answers(bank.settings(broker, centre), topics)
    assert set(told.values()) == {NOT_AUTHORISED}


def test_a_device_delivers_to_a_centre(
    make_device: MakeDevice, bank: Bank, broker: Broker, atm: Identity, centre: Identity
) -> None:
    with Subscriber(broker, "edge/v1/+/+/alert/#", bank.options(centre)) as subscriber:
        device = make_device(broker, tls=True, **bank.tls(atm))
        sequences = device.commit(100)
        device.wait_until_empty()
        wait_for(lambda: len(subscriber.payloads()) >= 100, "all alerts")
        assert first_arrivals(subscriber.payloads()) == sequences


def test_a_device_with_the_certificate_of_another_is_told_why_nothing_is_taken(
    make_device: MakeDevice, bank: Bank, broker: Broker
) -> None:
    device = make_device(broker, tls=True, **bank.tls(bank.identity("atm-7")))
    device.commit()
    wait_for(lambda: device.publisher.stats().held, "the alert is held")
    assert device.publisher.stats().held == (
        "the broker does not take the alerts: its rules do not let this device write to its "
        "topics; the name in the certificate, or the user name, has to be the one that they are "
        "for (Not authorized)"
    )
    assert device.outbox.depth() == 1


def test_shaking_hands_disturbs_nobody(
    make_device: MakeDevice, bank: Bank, broker: Broker, tmp_path: Path
) -> None:
    mine = bank.identity("atm-9")
    device = make_device(broker, tls=True, **bank.tls(mine))
    device.wait_for_state(LinkState.ONLINE)
    assert shake_hands(bank.settings(broker, mine)) == (
        f"the broker 127.0.0.1:{broker.port} and this device take each other's certificate"
    )
    stranger = Authority(tmp_path / "stranger").client("atm-9")
    with pytest.raises(MqttError, match=r"rejects the client certificate|before it answered"):
        shake_hands(bank.settings(broker, mine, **bank.tls(stranger)))
    assert device.publisher.stats().link is LinkState.ONLINE
    assert device.publisher.stats().reconnects == 0


def test_a_revoked_certificate_is_refused_after_a_reload_and_others_are_not(
    bank: Bank, atm: Identity
) -> None:
    stolen = bank.identity("stolen")
    with bank.broker() as broker:
        assert probe(bank.settings(broker, stolen))
        bank.revoke("stolen")
        broker.replace("certs/crl.pem", bank.revocations)
        broker.reload()
        with pytest.raises(MqttError) as refused:
            probe(bank.settings(broker, stolen))
        at = f"the broker 127.0.0.1:{broker.port}"
        # The second where the broker's reset overtakes its reason.
        assert str(refused.value) in {
            f"{at} rejects the client certificate: it has been revoked; a new one, for a new key, "
            "is asked for",
            f"{at} closed the connection before it answered: it may ask for another client "
            "certificate",
        }
        assert probe(bank.settings(broker, atm))


def test_a_certificate_of_another_authority_and_none_at_all_are_refused(
    bank: Bank, broker: Broker, atm: Identity, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger").client("atm-1")
    for changes in (bank.tls(stranger), {"certificate": None, "key": None}):
        with pytest.raises(MqttError):
            probe(bank.settings(broker, atm, **{**changes, "ca": bank.ca}))
    with pytest.raises(BrokerRefusedError, match="an authority that is not trusted"):
        probe(bank.settings(broker, atm, ca=tmp_path / "stranger/ca.pem"))


def test_a_certificate_that_is_replaced_is_used_when_it_fits_its_key(
    make_device: MakeDevice, bank: Bank, broker: Broker, tmp_path: Path
) -> None:
    old, new = bank.identity("atm-5"), bank.identity("atm-6")
    certificate, key = tmp_path / "my.pem", tmp_path / "my.key"
    for source, place in ((old.certificate, certificate), (old.key, key)):
        place.write_bytes(source.read_bytes())
    device = make_device(broker, tls=True, ca=bank.ca, certificate=certificate, key=key)
    device.wait_for_state(LinkState.ONLINE)
    certificate.write_bytes(new.certificate.read_bytes())
    key.write_bytes(new.key.read_bytes())
    wait_for(lambda: device.publisher.stats().reconnects == 1, "it connects anew")
    assert device.publisher.stats().last_error is None
    assert " as atm-6 (" in broker.log
