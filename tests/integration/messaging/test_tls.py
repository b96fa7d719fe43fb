"""TLS with a real broker: what is let in, and the sentences for what is not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.messaging.failures import BrokerRefusedError, BrokerUnreachableError, MqttError
from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.probe import probe
from edge_runtime.messaging.settings import MqttSettings
from tests.broker import Broker, Subscriber, free_port, wait_for
from tests.certificates import Authority, Identity
from tests.integration.messaging.conftest import MakeDevice, first_arrivals


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "another authority")


@pytest.fixture(scope="module")
def atm(authority: Authority) -> Identity:
    return authority.client("atm-1")


@pytest.fixture(scope="module")
def tls_broker(authority: Authority) -> Iterator[Broker]:
    """It asks for no client certificate."""
    with serve(authority) as broker:
        yield broker


@pytest.fixture(scope="module")
def mutual_broker(authority: Authority) -> Iterator[Broker]:
    """It asks for a client certificate."""
    with serve(authority, client_certificates=True) as broker:
        yield broker


def serve(authority: Authority, server: Identity | None = None, **options: Any) -> Broker:
    me = server or authority.server()
    return Broker(ca=authority.certificate, certificate=me.certificate, key=me.key, **options)


def settings(broker: Broker, **changes: Any) -> MqttSettings:
    usual = {"host": broker.host, "port": broker.port, "client_id": "atm-1", "tls": True}
    return MqttSettings(**{**usual, **changes})


def showing(broker: Broker, authority: Authority, mine: Identity) -> MqttSettings:
    return settings(broker, ca=authority.certificate, certificate=mine.certificate, key=mine.key)


def failure(kind: type[MqttError], wanted: MqttSettings, timeout: float = 5.0) -> str:
    with pytest.raises(kind) as error:
        probe(wanted, timeout)
    return str(error.value)


def test_alerts_go_over_tls_with_a_client_certificate(
    make_device: MakeDevice, authority: Authority, atm: Identity, mutual_broker: Broker
) -> None:
    files = ("--cafile", authority.certificate, "--cert", atm.certificate, "--key", atm.key)
    with Subscriber(mutual_broker, extra=map(str, files)) as subscriber:
        device = make_device(
            mutual_broker,
            tls=True,
            ca=authority.certificate,
            certificate=atm.certificate,
            key=atm.key,
        )
        sequences = device.commit(300)
        device.wait_until_empty()
        wait_for(lambda: len(subscriber.payloads("alert")) >= 300, "all alerts")
        assert first_arrivals(subscriber.payloads("alert")) == sequences
        assert device.publisher.stats().reconnects == 0


def test_a_probe_says_what_it_found(tls_broker: Broker, authority: Authority) -> None:
    found = probe(settings(tls_broker, ca=authority.certificate))
    assert found.startswith(
        f"the broker 127.0.0.1:{tls_broker.port} accepts this device over TLS ("
    )


def test_an_unknown_authority_is_told(tls_broker: Broker, stranger: Authority) -> None:
    for ca in (stranger.certificate, None):
        assert failure(BrokerRefusedError, settings(tls_broker, ca=ca)) == (
            f"the certificate of the broker 127.0.0.1:{tls_broker.port} was issued by an "
            "authority that is not trusted: set the CA file of the one that issued it"
        )


def test_a_certificate_for_another_name_is_told(authority: Authority) -> None:
    for name in ("10.0.0.7", "other.example"):
        with serve(authority, authority.server(name)) as broker:
            assert failure(BrokerRefusedError, settings(broker, ca=authority.certificate)) == (
                f"the certificate of the broker 127.0.0.1:{broker.port} is for another name: set "
                "the host to the name in the certificate"
            )


def test_an_expired_server_certificate_is_told(authority: Authority) -> None:
    expired = authority.server(valid=timedelta(days=-1))
    with serve(authority, expired) as broker:
        assert failure(BrokerRefusedError, settings(broker, ca=authority.certificate)).startswith(
            f"the certificate of the broker 127.0.0.1:{broker.port} has expired: renew it, or set "
            "this device's clock, which says 20"
        )


def test_a_client_certificate_that_is_lacking_is_told(
    mutual_broker: Broker, authority: Authority
) -> None:
    at = f"the broker 127.0.0.1:{mutual_broker.port}"
    # The second where the broker's reset overtakes its reason.
    assert failure(MqttError, settings(mutual_broker, ca=authority.certificate)) in {
        f"{at} asks for a client certificate: set certificate and key",
        f"{at} closed the connection before it answered: it may ask for a client certificate",
    }


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("dates", "sentence"),
    [
        ({"valid": -DAY}, "it expired on 20"),
        ({"wait": DAY}, "it is not valid before 20"),
    ],
)
def test_a_client_certificate_that_is_not_valid_now_is_told(
    mutual_broker: Broker, authority: Authority, dates: dict[str, Any], sentence: str
) -> None:
    mine = authority.client("atm-2", **dates)
    assert failure(BrokerRefusedError, showing(mutual_broker, authority, mine)).startswith(
        f"the broker 127.0.0.1:{mutual_broker.port} rejects the client certificate: {sentence}"
    )


def test_a_client_certificate_of_an_authority_that_the_broker_does_not_trust_is_told(
    mutual_broker: Broker, authority: Authority, stranger: Authority
) -> None:
    at = f"the broker 127.0.0.1:{mutual_broker.port}"
    # The second where the broker's reset overtakes its reason.
    assert failure(MqttError, showing(mutual_broker, authority, stranger.client("atm-3"))) in {
        f"{at} rejects the client certificate: it is from an authority that the broker does not "
        "trust; one from the authority in the broker's CA file is asked for",
        f"{at} closed the connection before it answered: it may ask for another client certificate",
    }


def test_a_server_certificate_that_is_shown_by_a_client_is_told(
    mutual_broker: Broker, authority: Authority
) -> None:
    at = f"the broker 127.0.0.1:{mutual_broker.port}"
    assert failure(MqttError, showing(mutual_broker, authority, authority.server("atm-4"))) in {
        f"{at} rejects the client certificate: it is not one for clients (extended key usage "
        "clientAuth)",
        f"{at} closed the connection before it answered: it may ask for another client certificate",
    }


def test_a_revoked_client_certificate_is_told(authority: Authority) -> None:
    mine = authority.client("stolen")
    authority.revoke(mine)
    crl = f"crlfile {authority.revocations}"
    with serve(authority, client_certificates=True, extra=[crl]) as broker:
        at = f"the broker 127.0.0.1:{broker.port}"
        assert failure(MqttError, showing(broker, authority, mine)) in {
            f"{at} rejects the client certificate: it has been revoked; a new one, for a new key, "
            "is asked for",
            f"{at} closed the connection before it answered: it may ask for another client "
            "certificate",
        }
        assert probe(showing(broker, authority, authority.client("kept")))


def test_a_list_of_the_revoked_that_is_too_old_is_told(authority: Authority) -> None:
    old = Authority(authority.certificate.parent / "old")
    old.revoke(valid=-timedelta(hours=1))
    crl = f"crlfile {old.revocations}"
    with serve(old, client_certificates=True, extra=[crl]) as broker:
        at = f"the broker 127.0.0.1:{broker.port}"
        assert failure(MqttError, showing(broker, old, old.client("atm-1"))) in {
            f"{at} rejects the client certificate: it has expired by the broker's clock, or the "
            "broker's list of revoked certificates (CRL) has; a renewed one is asked for",
            f"{at} closed the connection before it answered: it may ask for another client "
            "certificate",
        }


def test_a_broker_whose_tls_is_too_old_is_told(authority: Authority) -> None:
    me, port = authority.server(), free_port()
    old = subprocess.Popen(
        [
            *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_1", "-quiet"),
            *("-cert", me.certificate, "-key", me.key, "-cipher", "DEFAULT:@SECLEVEL=0"),
        ],
        stdin=subprocess.PIPE,
    )
    try:
        wanted = MqttSettings("127.0.0.1", "c", port, tls=True, ca=authority.certificate)
        wait_for(lambda: "nothing listens" not in failure(MqttError, wanted), "it listens")
        assert failure(BrokerRefusedError, wanted) == (
            f"the broker 127.0.0.1:{port} speaks no TLS version that is still safe: it has to "
            "offer 1.2 or 1.3"
        )
    finally:
        old.kill()
        old.wait(10)


def test_tls_at_a_port_without_it_is_told(authority: Authority) -> None:
    with Broker() as broker:
        assert failure(MqttError, settings(broker, ca=authority.certificate)).endswith(
            "is this its port without TLS?"
        )


def test_no_tls_at_a_port_with_it_is_told(tls_broker: Broker) -> None:
    assert failure(BrokerUnreachableError, settings(tls_broker, tls=False)) == (
        f"the broker 127.0.0.1:{tls_broker.port} closed the connection before it answered: is "
        "this its port for TLS?"
    )


def test_a_broker_that_is_not_there_is_told() -> None:
    port = free_port()
    assert failure(BrokerUnreachableError, MqttSettings("127.0.0.1", "c", port)) == (
        f"nothing listens at 127.0.0.1:{port}: the broker is down, or the port is another"
    )


def test_a_name_that_is_not_known_is_told() -> None:
    assert failure(BrokerUnreachableError, MqttSettings("broker.invalid", "c")).startswith(
        "the broker's host name in broker.invalid:1883 cannot be resolved ("
    )


def test_a_frozen_broker_is_told_after_the_timeout(
    tls_broker: Broker, authority: Authority
) -> None:
    tls_broker.freeze()
    try:
        assert failure(BrokerUnreachableError, settings(tls_broker, tls=False), 0.3) == (
            f"the broker 127.0.0.1:{tls_broker.port} takes connections but does not answer: is it "
            "an MQTT broker, and is it well?"
        )
        encrypted = settings(tls_broker, ca=authority.certificate)
        assert failure(BrokerUnreachableError, encrypted, 0.3) == (
            f"the broker 127.0.0.1:{tls_broker.port} does not answer: check host, port and firewall"
        )
    finally:
        tls_broker.thaw()


def test_a_probe_does_not_throw_the_running_device_out(make_device: MakeDevice) -> None:
    with Broker() as broker:
        device = make_device(broker)
        device.wait_for_state(LinkState.ONLINE)
        assert "without TLS" in probe(settings(broker, tls=False))
        assert device.publisher.stats().link is LinkState.ONLINE


def test_a_device_without_its_certificate_is_refused_until_the_file_is_there(
    make_device: MakeDevice,
    mutual_broker: Broker,
    authority: Authority,
    atm: Identity,
    tmp_path: Path,
) -> None:
    certificate = tmp_path / "renewed.pem"
    device = make_device(
        mutual_broker, tls=True, ca=authority.certificate, certificate=certificate, key=atm.key
    )
    device.wait_for_state(LinkState.REFUSED)
    assert device.publisher.stats().last_error == (
        f"cannot read the MQTT client certificate file {certificate}: No such file or directory"
    )
    shutil.copy(atm.certificate, certificate)
    device.wait_for_state(LinkState.ONLINE)
