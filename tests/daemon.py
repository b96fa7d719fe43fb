"""The real daemon in a process of its own, with its own configuration and state directory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.broker import Broker, wait_for

SITE, DEVICE = "paris-12", "atm-1"
STATUS_TOPIC = f"edge/v1/{SITE}/{DEVICE}/status"
COMMAND = (sys.executable, "-m", "edge_runtime.cli")
START_SECONDS = 20.0


def edge_runtime(*arguments: object, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run one command of `edge-runtime` to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def camera(name: str, source: str | Path, *lines: str) -> str:
    """A [[cameras]] table."""
    return "\n".join(["[[cameras]]", f'name = "{name}"', f'source = "{source}"', *lines, ""])


def presence(name: str = "presence", *lines: str) -> str:
    """A [[rules]] table for a person."""
    return "\n".join(["[[rules]]", 'kind = "presence"', f'name = "{name}"', *lines, ""])


def mqtt(broker: Broker, *lines: str) -> str:
    """The [mqtt] table for `broker`."""
    return "\n".join(["[mqtt]", f'host = "{broker.host}"', f"port = {broker.port}", *lines, ""])


class Notifications:
    """Stands in systemd's place: receives what the daemon tells the service manager.

    Attributes:
        received: messages and the monotonic moments of their arrival.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.received: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def __enter__(self) -> Notifications:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def __contains__(self, text: str) -> bool:
        return any(text in message for _, message in tuple(self.received))

    def moments(self, text: str) -> list[float]:
        """When messages with `text` in them came."""
        return [moment for moment, message in tuple(self.received) if text in message]

    def _receive(self) -> None:
        while message := self._socket.recv(4096):
            self.received.append((time.monotonic(), message.decode()))


class Daemon:
    """`edge-runtime run` on `tables`, a configuration without [device], as a context manager.

    It runs from entering to leaving; in between it can be stopped, killed and started again.

    Args:
        folder: for the configuration, the state and the log.
        tables: the configuration but for [device].
        arguments: further arguments of `run`.
        environment: variables that are added to those of the tests.
        command: another one in the place of `edge-runtime run`.
    """

    def __init__(
        self,
        folder: Path,
        tables: Iterable[str],
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        command: Iterable[str] = (*COMMAND, "run"),
    ) -> None:
        self.config = folder / "edge-runtime.toml"
        self.state = folder / "state"
        self._log = folder / "daemon.log"
        self._log.touch()
        self._command = (*command, str(self.config), *arguments)
        self._environment = os.environ | {"NOTIFY_SOCKET": ""} | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(tables)

    @property
    def log(self) -> str:
        """All that it wrote to standard error, in all its lives."""
        return self._log.read_text(errors="replace")

    @property
    def started(self) -> bool:
        """Whether it was started and neither stopped nor killed since."""
        return self._process is not None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process
        return self._process.pid

    def configure(self, tables: Iterable[str]) -> None:
        """Write the configuration; a running daemon does not know of it yet."""
        device = f'[device]\nsite = "{SITE}"\nname = "{DEVICE}"\nstate_dir = "{self.state}"\n'
        self.config.write_text("\n".join([device, *tables]))

    def start(self) -> None:
        """Start it; `wait_for_log` says when it has come how far."""
        assert self._process is None, "the daemon runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env=self._environment,
            )

    def start_ready(self) -> None:
        """Start it and wait until it says that it is ready."""
        before = self.log.count(" ready ")
        self.start()
        self.wait_for_log(" ready ", count=before + 1, timeout=START_SECONDS)

    def reload(self) -> None:
        """SIGHUP."""
        self.send(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        assert self._process
        self._process.send_signal(number)

    def stop(self, timeout: float = 10.0) -> tuple[int, float]:
        """SIGTERM: the exit status, and the seconds that it took."""
        assert self._process
        self._process.terminate()
        return self.wait(timeout)

    def wait(self, timeout: float) -> tuple[int, float]:
        """Wait until it ends by itself: the exit status, and the seconds that it took."""
        assert self._process
        began = time.monotonic()
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it runs after {timeout:g} s; its log: {self.log}") from None
        self._process = None
        return status, time.monotonic() - began

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def wait_for_log(self, text: str, *, count: int = 1, timeout: float = 20.0) -> None:
        """Wait until `text` stands `count` times in the log."""

        def there() -> bool:
            assert self._process is None or self._process.poll() is None, f"it ended: {self.log}"
            return self.log.count(text) >= count

        try:
            wait_for(there, text, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log: {self.log}") from None

    def ask(self) -> dict[str, Any]:
        """What `edge-runtime status --json` prints; an AssertionError if nobody answers."""
        answer = edge_runtime("status", self.config, "--json")
        assert answer.returncode in (0, 3), answer.stderr
        status: dict[str, Any] = json.loads(answer.stdout)
        return status

    def ask_quickly(self) -> dict[str, Any]:
        """The same by way of the socket alone, many times a second if need be."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self.state / "control.sock"))
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        status: dict[str, Any] = json.loads(answer)
        return status

    def camera(self, name: str) -> dict[str, Any]:
        """The status of one camera."""
        return next(each for each in self.ask_quickly()["cameras"] if each["name"] == name)

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.kill()
