from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.service.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd makes it, and its address as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify")
    abstract = request.param == "abstract"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name if abstract else name)
        receiver.settimeout(2.0)
        yield receiver, "@" + name if abstract else name


def test_each_state_is_one_message_of_the_protocol(manager: tuple[socket.socket, str]) -> None:
    receiver, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("first inference")
    notifier.alive()
    notifier.status("all cameras are watched")
    notifier.reloading()
    notifier.stopping()
    assert [receiver.recv(1000).decode() for _ in range(5)] == [
        "READY=1\nSTATUS=first inference",
        "WATCHDOG=1",
        "STATUS=all cameras are watched",
        "RELOADING=1",
        "STOPPING=1",
    ]


def test_a_status_of_many_lines_cannot_forge_a_state(manager: tuple[socket.socket, str]) -> None:
    receiver, address = manager
    Notifier({"NOTIFY_SOCKET": address}).status("camera failed:\nSTOPPING=1")
    assert receiver.recv(1000).decode() == "STATUS=camera failed: STOPPING=1"


def test_outside_systemd_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({})
    notifier.ready("x")
    assert notifier.watchdog_seconds is None
    assert caplog.records == []


def test_a_manager_that_does_not_listen_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.alive()
    notifier.alive()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("the service manager does not listen at NOTIFY_SOCKET: ")


def test_a_manager_that_is_frozen_holds_nobody_up(manager: tuple[socket.socket, str]) -> None:
    """Its queue is full: the daemon goes on, and is heard again when there is room."""
    receiver, address = manager
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    notifier = Notifier({"NOTIFY_SOCKET": address})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                filler.sendto(b"x" * 1000, receiver.getsockname())
    notifier.alive()
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            receiver.recv(2000)
    notifier.alive()
    assert receiver.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_period_is_read(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment).watchdog_seconds == seconds
