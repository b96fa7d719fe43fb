"""Settings that contradict MQTT, each other, or the files that they name."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.messaging.failures import MqttSettingsError
from edge_runtime.messaging.settings import MqttSettings, default_client_id, tls_context
from tests.certificates import Authority


def test_the_password_is_in_no_representation() -> None:
    settings = MqttSettings("broker", "c", username="atm", password="s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)


def test_the_default_client_id_names_site_and_device() -> None:
    assert default_client_id("branch-7", "atm-1") == "edge-branch-7-atm-1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"host": ""},
            "the MQTT host '' is not a host name or address, e.g. broker.bank.example",
        ),
        (
            {"host": "mqtt://broker"},
            "the MQTT host 'mqtt://broker' is not a host name or address, e.g. broker.bank.example",
        ),
        (
            {"host": "a..b"},
            "the MQTT host 'a..b' is not a host name or address, e.g. broker.bank.example",
        ),
        ({"port": 0}, "the MQTT port 0 is not between 1 and 65535"),
        ({"port": 70000}, "the MQTT port 70000 is not between 1 and 65535"),
        ({"keepalive": 0}, "the MQTT keepalive 0 is not between 1 and 65535"),
        (
            {"client_id": ""},
            "the MQTT client id '' has to be printable text of 1 to 65535 bytes",
        ),
        (
            {"username": "a\0"},
            "the MQTT user name 'a\\x00' has to be printable text of 1 to 65535 bytes",
        ),
        (
            {"password": "x"},
            "the MQTT password has no user name: set one beside it",
        ),
        (
            {"username": "u", "password": "x" * 65536},
            "the MQTT password is too long: at most 65535 bytes fit",
        ),
        (
            {"tls": True, "certificate": Path("c.pem")},
            "the MQTT client certificate has no key beside it: set both or neither",
        ),
        (
            {"tls": True, "key": Path("c.key")},
            "the MQTT client key has no certificate beside it: set both or neither",
        ),
        (
            {"ca": Path("ca.pem")},
            "MQTT certificates are set, but TLS is off: switch it on, or take them out",
        ),
    ],
)
def test_wrong_settings_are_refused_in_words(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MqttSettingsError) as error:
        MqttSettings(**{"host": "broker", "client_id": "c", **changes})
    assert str(error.value) == sentence


def test_tls_is_at_least_1_2_and_verifies_certificate_and_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    me = authority.client("atm-1")
    settings = MqttSettings(
        "broker", "c", tls=True, ca=authority.certificate, certificate=me.certificate, key=me.key
    )
    for context in (tls_context(settings), tls_context(MqttSettings("broker", "c", tls=True))):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def _context_error(**files: Path) -> str:
    with pytest.raises(MqttSettingsError) as error:
        tls_context(MqttSettings("broker", "c", tls=True, **files))
    return str(error.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    me = Authority(tmp_path).client("atm-1")
    gone = tmp_path / "gone.pem"
    assert _context_error(ca=gone) == (
        f"cannot read the MQTT CA file {gone}: No such file or directory"
    )
    assert _context_error(certificate=gone, key=me.key) == (
        f"cannot read the MQTT client certificate file {gone}: No such file or directory"
    )
    assert _context_error(certificate=me.certificate, key=gone) == (
        f"cannot read the MQTT client key file {gone}: No such file or directory"
    )


def test_the_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    me, other = authority.client("atm-1"), authority.client("atm-2")
    assert _context_error(certificate=me.certificate, key=other.key) == (
        f"the MQTT client key {other.key} does not belong to the certificate {me.certificate}"
    )


def test_a_key_with_a_passphrase_is_an_error_not_a_prompt(tmp_path: Path) -> None:
    me = Authority(tmp_path).client("atm-1", passphrase="long enough")
    assert _context_error(certificate=me.certificate, key=me.key) == (
        f"the MQTT client key {me.key} has a passphrase, which nobody is there to type: store it "
        "without one, readable for this user only"
    )


def test_files_that_are_not_pem_are_told(tmp_path: Path) -> None:
    me = Authority(tmp_path).client("atm-1")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"\x30\x82\x00\x00 not PEM")
    assert _context_error(ca=rubbish) == (
        f"the MQTT CA file {rubbish} holds no certificate in PEM form"
    )
    assert _context_error(certificate=rubbish, key=me.key) == (
        f"the MQTT client certificate {rubbish} or its key {me.key} is not in PEM form"
    )
