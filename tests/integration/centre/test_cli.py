"""edge-centre as people use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.centre.cli import main
from tests.broker import Broker, wait_for
from tests.centre import Chain, EmulatedDevice

COMMAND = (sys.executable, "-m", "edge_runtime.centre.cli")


def configure(folder: Path, broker: Broker) -> Path:
    path = folder / "centre.toml"
    path.write_text(
        f'database = "sqlite:///centre.sqlite"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nclient_id = "centre-1"\n'
    )
    return path


@contextmanager
def running(*arguments: object, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_it_runs_tails_and_shows(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, log, lines = configure(tmp_path, broker), tmp_path / "log", tmp_path / "lines"
    chain = Chain()
    with running("run", "-c", config, log=log) as centre:
        wait_for(lambda: "listening at the broker" in log.read_text(), "it listens")
        with (
            running("tail", "-c", config, "--json", "--since", "1d", log=lines),
            EmulatedDevice(broker, chain) as device,
        ):
            device.send(chain.grow(3))
            device.acknowledged_to(3)
            told = wait_for(
                lambda: (t := lines.read_text()).count("\n") == 3 and t, "they are told"
            )
        assert told.splitlines() == [each.to_json() for each in chain.alerts]
        centre.terminate()
        assert centre.wait(10) == 0

    capsys.readouterr()
    assert main(["devices", "-c", str(config), "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["devices"]
    assert (shown["device"], shown["state"], shown["chains"][0]["stored"]) == ("atm-1", "silent", 3)
    assert main(["devices", "-c", str(config)]) == 0
    assert "verified to 3" in " ".join(capsys.readouterr().out.split())
    assert main(["tail", "-c", str(config), "--since", "1d", "--no-follow"]) == 0
    assert "paris-12/atm-1/front presence started #3" in capsys.readouterr().out
    assert main(["accept", "paris-12/atm-1", "-c", str(config)]) == 0
    assert "lacks nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "-c", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["run", "-c", "{offline}"], "has no table [mqtt]"),
        (["run", "-c", "{wrong}"], "wrong.toml:2: databse: "),
        (["run", "-c", "{keyless}"], "holds no Ed25519 private key"),
        (["run", "-c", "{silent}"], "the password file"),
        (["tail", "-c", "{offline}", "--since", "soon"], "--since 'soon' is no time"),
        (["accept", "atm-1", "-c", "{offline}"], "SITE/DEVICE is asked for"),
        (["devices", "-c", "{elsewhere}"], "is given as sqlite:///file"),
    ],
)
def test_what_a_person_does_wrong_is_told_in_a_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "offline": 'database = "sqlite:///centre.sqlite"\n',
        "wrong": 'database = "sqlite:///centre.sqlite"\ndatabse = "x"\n',
        "silent": 'database = "sqlite:///c.sqlite"\n[mqtt]\nhost = "localhost"\n'
        'username = "centre"\npassword_file = "empty.toml"\n',
        "empty": "",
        "elsewhere": 'database = "mysql://x"\n',
        "keyless": 'database = "sqlite:///c.sqlite"\ncommand_key = "keyless.toml"\n'
        '[mqtt]\nhost = "localhost"\n',
    }
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    named = {name: tmp_path / f"{name}.toml" for name in files}
    assert main([each.format(**named) for each in arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_the_schema_holds_for_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) >= {"database", "mqtt", "silent_after"}


def test_help_imports_no_database() -> None:
    script = (
        "import sys; from edge_runtime.centre.cli import main; main(['--help']);"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
