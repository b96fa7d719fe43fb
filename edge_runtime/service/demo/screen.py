"""What the visitor reads while it goes on."""

from __future__ import annotations

import shutil
import threading
from datetime import datetime
from typing import Any, TextIO

from edge_runtime.service.demo.subscriber import Received

_CLEAR_LINE = "\r\033[K"
_BOLD, _RED, _YELLOW, _GREEN, _DIM, _PLAIN = (
    f"\033[{code}m" for code in ("1", "1;31", "33", "32", "2", "0")
)


class Screen:
    """Lines that stay, and on a terminal one below them that changes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._state = ""

    def say(self, text: str, colour: str = "") -> None:
        """Add a line."""
        with self._lock:
            if self._terminal:
                line = f"{colour}{text}{_PLAIN}" if colour else text
                self._stream.write(f"{_CLEAR_LINE}{line}\n{self._state}")
            else:
                self._stream.write(f"{text}\n")
            self._stream.flush()

    def event(self, seconds: float, text: str) -> None:
        """Something was done to the broker."""
        self.say(f"{seconds:6.1f} s  {text}", _YELLOW)

    def received(self, seconds: float, message: Received) -> None:
        """A message reached the subscriber."""
        text, colour = _told(message)
        self.say(f"{seconds:6.1f} s  {text}", colour)

    def state(self, text: str) -> None:
        """How it is now."""
        if self._terminal:
            # A line that is wrapped could not be taken back.
            shown = text[: shutil.get_terminal_size().columns - 1]
            with self._lock:
                self._state = f"{_DIM}{shown}{_PLAIN}" if text else ""
                self._stream.write(f"{_CLEAR_LINE}{self._state}")
                self._stream.flush()


class NoScreen(Screen):
    """Nobody reads; a machine gets the figures at the end."""

    def __init__(self) -> None:
        self._terminal = False

    def say(self, text: str, colour: str = "") -> None:
        """Say nothing."""

    def state(self, text: str) -> None:
        """Say nothing."""


def delay(message: Received) -> float:
    """Seconds from the frame that decided an alert to its arrival at the subscriber."""
    payload = message.payload
    happened = datetime.fromisoformat(payload["time"]).timestamp()
    return message.wall - happened - float(payload["data"]["decided_after"])


def is_alert(message: Received) -> bool:
    """Whether a message is an alert."""
    return "/alert/" in message.topic


def _told(message: Received) -> tuple[str, str]:
    payload = message.payload
    if is_alert(message):
        data = payload["data"]
        colour = _RED if data["state"] == "started" else _GREEN
        return f"alert   {_alert(data)}  [{payload['severity']}]  {_took(message)}", colour
    if message.topic.endswith("/status"):
        reason = payload.get("reason") or "; ".join(payload.get("reasons", ()))
        return f"status  {payload['state']}" + (f" ({reason})" if reason else ""), _BOLD
    return f"health  {_health(payload)}", _DIM


def _alert(data: dict[str, Any]) -> str:
    text = f"{data['name']} {data['state']}"
    if data.get("label"):
        text += f": {data['label']} {data['score']:.0%}"
    if data.get("zone"):
        text += f" in {data['zone']}"
    return text + (f", after {data['duration']:.1f} s" if data["state"] == "ended" else "")


def _took(message: Received) -> str:
    seconds = delay(message)
    return f"waited {seconds:.1f} s on disk" if seconds > 1 else f"{seconds * 1e3:.0f} ms"


def _health(payload: dict[str, Any]) -> str:
    cameras = ", ".join(
        f"{camera['name']} {camera['state']} at {camera['fps']:.1f} a second"
        for camera in payload["cameras"]
    )
    return f"{cameras}; {payload['resident_mb']:.0f} MB; {payload['outbox']['depth']} alerts wait"
