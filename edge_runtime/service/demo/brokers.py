"""The broker of the demo: Mosquitto where it is installed, else one that is written in Python.

Each runs as a process of its own on a free port of 127.0.0.1, so that it can really be killed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path

from edge_runtime.service.demo.errors import DemoError

HOST = "127.0.0.1"
_START_SECONDS = 15.0
_SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where Debian puts Mosquitto, and a user's PATH does not lead."""


class BrokerKind(StrEnum):
    """Which broker."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    PYTHON = "python"


class Broker:
    """One broker, which can be killed and started again on the same port."""

    def __init__(self, name: str, command: list[str], port: int, log: Path) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes connections; raises DemoError."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"the broker {self.name} does not start: {self._log} says why")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9; it has no time to write anything down."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def made_broker(kind: BrokerKind, folder: Path) -> Broker:
    """A broker that is not started yet, with its files in `folder`.

    Raises:
        DemoError: there is none of that kind.
    """
    port = _free_port()
    mosquitto = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":" + _SYSTEM_PATH)
    if kind is not BrokerKind.PYTHON and mosquitto:
        config = folder / "mosquitto.conf"
        config.write_text(_mosquitto_config(port, folder))
        command = [mosquitto, "-c", str(config)]
        return Broker(_mosquitto_name(mosquitto), command, port, folder / "broker.log")
    if kind is not BrokerKind.MOSQUITTO and _python_broker_is_there():
        command = [sys.executable, "-P", "-m", "edge_runtime.service.demo.python_broker", str(port)]
        return Broker("moat-lib-mqtt", command, port, folder / "broker.log")
    raise DemoError(
        "there is no MQTT broker for the demo: install Mosquitto (apt-get install mosquitto), or "
        "the one for Python (pip install 'edge-runtime[demo]')"
    )


def _python_broker_is_there() -> bool:
    try:
        return importlib.util.find_spec("moat.lib.mqtt") is not None
    except ModuleNotFoundError:
        return False


def _mosquitto_config(port: int, folder: Path) -> str:
    # What it has taken it keeps over a kill: it writes after each change.
    lines = [
        f"listener {port} {HOST}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # Otherwise it gives up root, and cannot write to its folder.
    return "\n".join([*lines, ""])


def _mosquitto_name(mosquitto: str) -> str:
    """Name and version; it tells its version only along with how it is used."""
    told = subprocess.run([mosquitto, "-h"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\S+)", told)
    return f"mosquitto {version[1]}" if version else "mosquitto"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
