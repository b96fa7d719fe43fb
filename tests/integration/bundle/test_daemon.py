"""The daemon and the commands with bundles: what they take, what they refuse, what they say."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.bundle.trust import DEMONSTRATION_SEED
from model_export.bundling import make_bundle
from model_export.signing import SigningKey, keygen, load_key
from tests.broker import wait_for
from tests.daemon import Daemon, camera, edge_runtime, presence
from tests.integration.bundle.conftest import PASSPHRASE, Parts
from tests.visits import album

__all__ = ["album"]

DEMONSTRATION = SigningKey(Ed25519PrivateKey.from_private_bytes(DEMONSTRATION_SEED))

Made = Callable[..., Path]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bank's keys: the public one lies alone in `trusted`."""
    folder = tmp_path_factory.mktemp("bank")
    pair = keygen(folder / "bank.key", PASSPHRASE)
    (folder / "trusted").mkdir()
    pair.public.rename(folder / "trusted" / "bank.pem")
    return folder


@pytest.fixture(scope="module")
def made(keys: Path, parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Makes a bundle of the small classifier of persons, once for each version and key."""
    bank = load_key(keys / "bank.key", PASSPHRASE)
    folder = tmp_path_factory.mktemp("dist")
    known: dict[tuple[int, str], Path] = {}

    def make(version: int = 1, key: SigningKey = bank) -> Path:
        place = version, key.key_id
        if place not in known:
            known[place] = make_bundle(parts(version=version), key, folder / key.key_id)
        return known[place]

    return make


@pytest.fixture
def tables(album: Path, keys: Path) -> Callable[..., list[str]]:
    """A configuration in which a visit starts and ends once a second, with that bundle."""
    source = camera("atm", album, "fps = 10", "motion = {enabled = false}")
    rule = presence("presence", "seconds = 0.2", "grace = 0.2")

    def make(bundle: Path, *lines: str, trusted: bool = True) -> list[str]:
        keys_line = f'trusted_keys = "{keys}/trusted"' if trusted else ""
        model = "\n".join(["[model]", f'bundle = "{bundle}"', keys_line, *lines, ""])
        return [model, source, rule]

    return make


def alerts(daemon: Daemon) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{daemon.state}/outbox.sqlite?mode=ro", uri=True) as database:
        return [json.loads(row[0]) for row in database.execute("SELECT payload FROM alerts")]


def put_on_duty(daemon: Daemon) -> None:
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("[model]", "production = true\n[model]"))


def ended(daemon: Daemon) -> str:
    """What a daemon says that does not start."""
    done = edge_runtime("run", daemon.config)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("edge-runtime: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_an_alert_names_the_bundle_and_the_file_that_saw_it(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    with Daemon(tmp_path, tables(made(3))) as daemon:
        daemon.wait_for_log("presence ended")
        status = daemon.ask()
    (installed,) = (daemon.state / "models" / "vww").glob("3-*/model.tflite")
    expected = {
        "name": "vww",
        "version": "3",
        "sha256": hashlib.sha256(installed.read_bytes()).hexdigest(),
    }
    assert all(alert["data"]["model"] == expected for alert in alerts(daemon))
    assert status["cameras"][0]["model"] == expected
    assert status["warnings"] == []


def test_a_newer_bundle_is_taken_while_it_runs_and_an_older_one_is_not(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    with Daemon(tmp_path, tables(made(1))) as daemon:
        daemon.wait_for_log(" ready ")
        daemon.configure(tables(made(2)))
        daemon.reload()
        daemon.wait_for_log("the configuration is reloaded")
        assert daemon.camera("atm")["model"]["version"] == "2"
        daemon.configure(tables(made(1)))
        daemon.reload()
        daemon.wait_for_log("the configuration stays as it was: vww 1 is not newer than version 2")
        assert daemon.camera("atm")["model"]["version"] == "2"
        status, _ = daemon.stop()
        assert status == 0
    assert "vww 1 is not newer than version 2, which is installed" in ended(daemon)


def test_a_reload_with_the_same_bundle_disturbs_nobody(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    with Daemon(tmp_path, tables(made(1))) as daemon:
        daemon.wait_for_log(" ready ")
        before = daemon.camera("atm")["frames"]
        daemon.reload()
        daemon.wait_for_log("the configuration is reloaded")
        wait_for(lambda: daemon.camera("atm")["frames"] > before, "it goes on")
    assert daemon.log.count("camera atm is live") == 1


def test_a_bad_bundle_leaves_the_good_one_running(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    whole = made(2).read_bytes()
    bad = tmp_path / "vww-2.edgebundle"
    with Daemon(tmp_path, tables(made(1))) as daemon:
        daemon.wait_for_log(" ready ")
        for number, (content, said) in enumerate(
            [
                (whole[: len(whole) // 2], "is cut short"),
                (whole[:90_000] + bytes([whole[90_000] ^ 1]) + whole[90_001:], "not the file that"),
                (made(2, DEMONSTRATION).read_bytes(), "is signed with the demonstration key"),
            ],
            1,
        ):
            bad.write_bytes(content)
            daemon.configure(tables(bad))
            daemon.reload()
            daemon.wait_for_log("the configuration stays as it was: ", count=number)
            assert said in daemon.log.rpartition("the configuration stays as it was: ")[2]
        assert daemon.camera("atm")["model"]["version"] == "1"


def test_a_demonstration_is_told_in_log_and_status_and_refused_in_production(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    bundle = made(1, DEMONSTRATION)
    told = "model vww 1 is for demonstrations: "
    with Daemon(tmp_path, tables(bundle, trusted=False)) as daemon:
        daemon.wait_for_log(" ready ")
        assert told in daemon.log
        answer = edge_runtime("status", daemon.config)
    assert answer.returncode == 0
    assert f"  ! {told}" in answer.stdout
    assert told in edge_runtime("check", "--live", daemon.config).stdout

    daemon.config.write_text(
        daemon.config.read_text().replace("[model]", "production = true\n[model]")
    )
    checked = edge_runtime("check", daemon.config)
    assert checked.returncode == 1
    assert "model.trusted_keys: is missing; a device in production" in checked.stderr
    assert "model.trusted_keys: is missing; a device in production" in ended(daemon)


def test_a_device_in_production_runs_its_own_bundle(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path
) -> None:
    daemon = Daemon(tmp_path, tables(made(1)))
    daemon.config.write_text(
        daemon.config.read_text().replace("[model]", "production = true\n[model]")
    )
    with daemon:
        daemon.wait_for_log("presence started")
    assert "demonstration" not in daemon.log


def test_the_configuration_may_set_other_thresholds_than_the_bundle(
    made: Made, tables: Callable[..., list[str]], tmp_path: Path, data_dir: Path
) -> None:
    image = data_dir / "images" / "squat.jpg"
    config = Daemon(tmp_path, tables(made(1), "thresholds = {person = 0.999}")).config
    strict = edge_runtime("detect", image, "--json", "--config", config)
    assert json.loads(strict.stdout)["detections"] == []
    config = Daemon(tmp_path, tables(made(1))).config
    plain = edge_runtime("detect", image, "--json", "--config", config)
    (person,) = json.loads(plain.stdout)["detections"]
    assert person["label"] == "person"


def test_commands_take_a_bundle_without_labels_and_leave_nothing_behind(
    made: Made, keys: Path, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    image = data_dir / "images" / "squat.jpg"
    done = edge_runtime("detect", image, "--model", made(1, DEMONSTRATION))
    assert done.returncode == 0, done.stderr
    assert "%  person " in done.stdout
    own = edge_runtime("detect", image, "--model", made(1), "--trusted-keys", keys / "trusted")
    assert own.stdout == done.stdout
    strange = edge_runtime("detect", image, "--model", made(1))
    assert strange.returncode == 1
    assert "which is not trusted here: model.trusted_keys has none" in strange.stderr
    replayed = edge_runtime(
        *("replay", image, "--model", made(1, DEMONSTRATION), "--presence", "person=0"),
    )
    assert replayed.returncode == 0, replayed.stderr
    assert list(tmp_path.iterdir()) == []
