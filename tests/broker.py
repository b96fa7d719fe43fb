"""A real MQTT broker and real subscribers, for tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
MOSQUITTO_SUB = shutil.which("mosquitto_sub")
MOSQUITTO_PUB = shutil.which("mosquitto_pub")


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 20.0) -> Any:
    """What `condition` returns as soon as that is true; an AssertionError after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain: {what}"
        time.sleep(0.005)
    return result


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Mosquitto on a free port of 127.0.0.1, as a context manager.

    It runs from entering to leaving; in between it can be stopped, killed, frozen, and started
    again with the same port and the same stored messages.

    Args:
        users: names and passwords; None lets anybody in.
        ca, certificate, key: PEM files for TLS; None for a listener without.
        client_certificates: whether clients have to show a certificate of that `ca`.
        extra: further lines of mosquitto.conf.
        configuration: a whole mosquitto.conf in place of all that; the folders in it become this
            broker's own.
        files: what the configuration names, by its name below /etc/mosquitto.
    """

    def __init__(
        self,
        *,
        users: dict[str, str] | None = None,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        client_certificates: bool = False,
        extra: Iterable[str] = (),
        configuration: Path | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._users = users
        self._files = files or {}
        self._lines = [
            f"listener {self.port} {self.host}",
            "user root",  # Otherwise it gives up root, and cannot read its folder then.
            "persistence true",
            "persistence_location /var/lib/mosquitto/",
            "autosave_interval 1",
            "autosave_on_changes true",
            f"allow_anonymous {'false' if users else 'true'}",
        ]
        if configuration:
            shipped = configuration.read_text(encoding="utf-8")
            listening = shipped.replace("listener 8883", f"listener {self.port} {self.host}")
            self._lines = ["user root", *listening.splitlines()]
        if certificate:
            self._lines += [f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}"]
            self._lines.append(f"require_certificate {'true' if client_certificates else 'false'}")
        self._lines += extra

    @property
    def log(self) -> str:
        """What the broker has logged."""
        return (self._folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        assert MOSQUITTO, "these tests need mosquitto: apt-get install mosquitto"
        assert self._process is None, "the broker runs already"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [MOSQUITTO, "-c", str(self._folder / "mosquitto.conf"), "-v"],
                stdout=log,
                stderr=log,
            )
        wait_for(self._listens, f"mosquitto listens; its log: {self.log}")

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def replace(self, name: str, path: Path) -> None:
        """Put a copy of `path` where the configuration looks for /etc/mosquitto/`name`."""
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)

    def reload(self) -> None:
        """SIGHUP: it reads its certificates, its rules and the list of the revoked anew."""
        assert self._process
        known = self.log.count("Reloading config")
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log.count("Reloading config") > known, "mosquitto reloads")

    def freeze(self) -> None:
        """Stop it from running, with all its connections open."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run again."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Broker:
        self._folder = Path(tempfile.mkdtemp(prefix="edge-broker-"))
        lines = [*self._lines]
        if self._users:
            lines.append(f"password_file {self._write_passwords(self._users)}")
        for name, path in self._files.items():
            self.replace(name, path)
        text = re.sub("/(etc|var/lib)/mosquitto/", f"{self._folder}/", "\n".join([*lines, ""]))
        (self._folder / "mosquitto.conf").write_text(text)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        assert self._process, "the broker does not run"
        self._process.send_signal(how)
        self._process.wait(10)
        self._process = None

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"mosquitto ended: {self.log}"
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def _write_passwords(self, users: dict[str, str]) -> Path:
        path = self._folder / "passwords"
        path.touch(mode=0o600)
        for name, password in users.items():
            subprocess.run(["mosquitto_passwd", "-b", str(path), name, password], check=True)
        return path


class Subscriber:
    """A real mosquitto_sub, as a context manager; it is subscribed when it has been entered.

    Args:
        broker: where to subscribe; it has to run.
        topic: a topic filter.
        extra: further arguments of mosquitto_sub.
    """

    def __init__(self, broker: Broker, topic: str = "#", extra: Iterable[str] = ()) -> None:
        self._broker = broker
        self._path = Path(tempfile.mkstemp(prefix="edge-subscriber-")[1])
        self._arguments = [
            *("-V", "mqttv5", "-q", "1", "-t", topic, "-h", broker.host, "-p", str(broker.port)),
            *("-F", "%J", *extra),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def messages(self) -> list[dict[str, Any]]:
        """What came so far: dictionaries with ``topic``, ``retain``, ``properties``, ``payload``.

        A payload that is JSON is decoded.
        """
        return [_decoded(line) for line in self._path.read_text().splitlines(keepends=True)]

    def payloads(self, topic_part: str = "") -> list[Any]:
        """The payloads of the messages whose topic holds `topic_part`."""
        return [each["payload"] for each in self.messages() if topic_part in each["topic"]]

    def __enter__(self) -> Subscriber:
        assert MOSQUITTO_SUB, "these tests need mosquitto_sub: apt-get install mosquitto-clients"
        known = self._broker.log.count("Sending SUBACK")
        with self._path.open("wb") as output:
            self._process = subprocess.Popen([MOSQUITTO_SUB, *self._arguments], stdout=output)
        wait_for(lambda: self._broker.log.count("Sending SUBACK") > known, "mosquitto_sub came")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(10)
        self._path.unlink()


def publish(broker: Broker, topic: str, payload: str | bytes, *options: str) -> None:
    """Publish with QoS 1 by a real mosquitto_pub; `options` are further ones of it."""
    assert MOSQUITTO_PUB, "these tests need mosquitto_pub: apt-get install mosquitto-clients"
    subprocess.run(
        [
            *(MOSQUITTO_PUB, "-V", "mqttv5", "-q", "1", "-h", broker.host, "-p", str(broker.port)),
            *("-t", topic, "-s", *options),
        ],
        input=payload.encode() if isinstance(payload, str) else payload,
        check=True,
        timeout=10,
    )


def _decoded(line: str) -> dict[str, Any]:
    if not line.endswith("\n"):
        return {"topic": "", "payload": None}  # Still being written.
    message: dict[str, Any] = json.loads(line)
    if isinstance(message.get("payload"), str):
        message["payload"] = json.loads(message["payload"])
    return message
