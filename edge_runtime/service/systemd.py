"""Tells systemd how the daemon is: the sd_notify protocol, see sd_notify(3).

Outside systemd (no NOTIFY_SOCKET) nothing is sent. A manager that does not listen is told of once
in the log: cameras are watched all the same.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)

_SEND_SECONDS = 1.0


class Notifier:
    """Sends states to the service manager that started this process."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of Linux's abstract socket names.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period = environment.get("WATCHDOG_USEC", "")
        addressed = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = addressed and period.isdigit() and int(period) > 0
        self._watchdog = int(period) / 1e6 if watched else None
        self._deaf = False

    @property
    def watchdog_seconds(self) -> float | None:
        """Within which time systemd wants to hear `alive`; None where it does not watch."""
        return self._watchdog

    def ready(self, status: str) -> None:
        """The start is over."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send("RELOADING=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """The line that ``systemctl status`` shows."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_SEND_SECONDS)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError as error:
                self._complain(error)
            else:
                self._deaf = False

    def _complain(self, error: OSError) -> None:
        if not self._deaf:
            self._deaf = True
            logger.warning("the service manager does not listen at NOTIFY_SOCKET: %s", error)


def _one_line(text: str) -> str:
    """Each line of a message is a variable of its own."""
    return " ".join(text.split())
