"""`edge-runtime provision`: an identity's whole life, and what the daemon makes of it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path

import pytest

from edge_runtime.cli import main
from tests.bank import Bank
from tests.broker import wait_for
from tests.certificates import Identity
from tests.daemon import DEVICE, Daemon, camera, edge_runtime, mqtt


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    return path


def provision(*arguments: object, wrong: bool = False) -> str:
    """What the command prints: where things go `wrong`, what it complains of."""
    printed, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(complained):
        status = main(["provision", *map(str, arguments)])
    assert status == int(wrong), complained.getvalue()
    return (complained if wrong else printed).getvalue()


def tls(identity: Identity, bank: Bank) -> str:
    files = {"ca": bank.ca, "certificate": identity.certificate, "key": identity.key}
    return "\n".join(["[mqtt.tls]", *(f'{key} = "{path}"' for key, path in files.items()), ""])


def test_an_identity_from_its_making_to_its_end(tmp_path: Path, passphrase: Path) -> None:
    ca = tmp_path / "ca"
    opens = ("--ca", ca, "--passphrase-file", passphrase)
    board, desk = tmp_path / "board", tmp_path / "desk"
    board.mkdir()
    desk.mkdir()
    provision("ca", ca, "--passphrase-file", passphrase)
    provision("request", "atm-1", "--out", board)
    told = provision("sign", board / "atm-1.csr", *opens, "--days", 20, "--out", board)
    assert told.startswith(f"{board}/atm-1.pem is for the device atm-1, until 20")
    assert provision("list", "--ca", ca).split()[:2] == ["atm-1", "device"]
    (listed,) = json.loads(provision("list", "--ca", ca, "--expiring", 30, "--json"))
    assert (listed["name"], listed["state"]) == ("atm-1", "valid")

    (renewed,) = json.loads(
        provision("renew", "--expiring", 30, *opens, "--days", 90, "--out", desk, "--json")
    )
    assert renewed["file"] == f"{desk}/atm-1.pem"
    assert provision("renew", "--expiring", 30, *opens, "--out", desk) == (
        "there is nothing to renew\n"
    )

    config = board / "edge-runtime.toml"
    config.write_text(
        '[device]\nsite = "s"\nname = "atm-1"\n[model]\nname = "person"\n'
        '[[cameras]]\nname = "atm"\nsource = "scene:atm"\n[mqtt]\nhost = "b"\n'
        f'[mqtt.tls]\nca = "{ca}/ca.pem"\ncertificate = "atm-1.pem"\nkey = "atm-1.key"\n'
    )
    old = (board / "atm-1.pem").read_bytes()
    assert "is renewed" in provision("install", desk / "atm-1.pem", config)
    assert (board / "atm-1.pem").read_bytes() == (desk / "atm-1.pem").read_bytes() != old
    assert "is in place already" in provision("install", desk / "atm-1.pem", config)

    provision("request", "atm-2", "--out", desk)
    provision("sign", desk / "atm-2.csr", *opens)
    assert provision("install", desk / "atm-2.pem", config, wrong=True) == (
        f"edge-runtime: the certificate {desk}/atm-2.pem is not taken: {board}/atm-1.key is not "
        f"the key of the certificate {desk}/atm-2.pem\n"
    )
    provision("ca", tmp_path / "other", "--passphrase-file", passphrase)
    signing = ("--ca", tmp_path / "other", "--passphrase-file", passphrase)
    provision("sign", board / "atm-1.csr", *signing, "--out", desk)
    assert provision("install", desk / "atm-1.pem", config, wrong=True) == (
        f"edge-runtime: the certificate {desk}/atm-1.pem is not taken, for it was signed by none "
        f"of the authorities in {ca}/ca.pem\n"
    )
    assert "2 of atm-1 revoked" in provision("revoke", "atm-1", *opens)
    listed = json.loads(provision("list", "--ca", ca, "--json"))
    states = {each["name"]: each["state"] for each in listed}
    assert states == {"atm-1": "revoked", "atm-2": "valid"}


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, passphrase: Path) -> None:
    opens = ("--ca", tmp_path, "--passphrase-file", passphrase)
    assert provision("revoke", "atm-1", *opens, wrong=True) == (
        f"edge-runtime: {tmp_path} is no authority, for there is no ca.pem in it: `provision ca` "
        "makes one\n"
    )
    assert provision("renew", *opens, wrong=True) == (
        "edge-runtime: either names or --expiring DAYS are asked for\n"
    )
    passphrase.write_text("short")
    assert provision("ca", tmp_path / "ca", "--passphrase-file", passphrase, wrong=True) == (
        "edge-runtime: the passphrase needs 8 characters or more\n"
    )
    assert "no terminal to ask for a passphrase" in provision("ca", tmp_path / "ca", wrong=True)


def test_the_certificate_of_another_device_is_told_by_check(
    small_model: str, tmp_path: Path
) -> None:
    bank = Bank(tmp_path / "bank")
    identity = bank.identity("atm-9")
    link = f'[mqtt]\nhost = "127.0.0.1"\n{tls(identity, bank)}'
    config = Daemon(tmp_path, [small_model, camera("atm", "synthetic:"), link]).config
    done = edge_runtime("check", config)
    assert done.returncode == 1
    assert done.stderr == (
        f"WRONG certificate: the certificate {identity.certificate} is for 'atm-9', and this "
        "device is 'atm-1': a broker that lets a device write under the name in its certificate "
        "refuses its alerts; one name for both is asked for, or mqtt.client_id where the broker "
        "has other rules\n"
    )
    config.write_text(config.read_text().replace("[mqtt]", '[mqtt]\nclient_id = "mine"'))
    assert edge_runtime("check", config).returncode == 0


def test_a_daemon_keeps_its_connection_while_it_is_checked_and_warns_of_its_certificate(
    small_model: str, tmp_path: Path
) -> None:
    bank = Bank(tmp_path / "bank")
    identity = bank.identity(DEVICE, valid=timedelta(days=20))
    with bank.broker() as broker:
        tables = [small_model, camera("atm", "synthetic:"), mqtt(broker, tls(identity, bank))]
        daemon = Daemon(tmp_path, tables)
        asleep = edge_runtime("check", "--live", daemon.config)
        assert asleep.returncode == 0, asleep.stderr
        assert "accepts this device over TLS" in asleep.stdout
        assert f"ok    certificate: the certificate {identity.certificate} expires on" in (
            asleep.stdout
        )
        with daemon:
            daemon.wait_for_log("MQTT online")
            awake = edge_runtime("check", "--live", daemon.config)
            assert awake.returncode == 0, awake.stderr
            assert "take each other's certificate; the daemon that runs says that it is online" in (
                awake.stdout
            )
            status = daemon.ask_quickly()
            assert status["mqtt"]["reconnects"] == 0
            assert [text for text in status["warnings"] if "expires on" in text]

            bank.identity(DEVICE)  # in the place of the old, for longer
            wait_for(lambda: daemon.ask_quickly()["mqtt"]["reconnects"] == 1, "it is taken up")
            assert not [text for text in daemon.ask_quickly()["warnings"] if "expires" in text]
