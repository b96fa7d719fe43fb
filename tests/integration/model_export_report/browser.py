"""A real browser that opens a page from disk, and tells what happens.

It is driven over a pipe, by the DevTools protocol: JSON messages that end with a NUL byte.
Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = "chromium"
_SECONDS = 60.0

_FLAGS = (
    "--headless",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def is_installed() -> bool:
    return shutil.which(CHROMIUM) is not None


@dataclass(slots=True)
class Tab:
    """One page in the browser.

    Attributes:
        requests: what it asked for, the page itself included.
        complaints: what the console said.
    """

    pipe: _Pipe
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, page: Path, width: int, *, dark: bool = False) -> None:
        """Load the page into a window of so many pixels."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")
        self.resize(width)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=page.absolute().as_uri())
        while self._note(self.pipe.receive()) != "Page.loadEventFired":
            pass

    def resize(self, width: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )

    def ask(self, expression: str) -> Any:
        """What an expression in JavaScript gives."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as PNG."""
        taken = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    def _call(self, method: str, **parameters: Any) -> Any:
        number = self.pipe.send(method, parameters, self.session)
        while (message := self.pipe.receive()).get("id") != number:
            self._note(message)
        assert "error" not in message, message
        return message["result"]

    def _note(self, message: dict[str, Any]) -> str:
        """Keep what an event tells; gives its name."""
        name, told = message.get("method", ""), message.get("params", {})
        if name == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif name in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(told))
        return name


class _Pipe:
    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._number = 0
        self._rest = b""

    def send(self, method: str, parameters: dict[str, Any], session: str | None = None) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._number

    def receive(self) -> dict[str, Any]:
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser said nothing for {_SECONDS:g} s"
            got = os.read(self._from, 1 << 20)
            assert got, "the browser ended"
            self._rest += got
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def call(self, method: str, **parameters: Any) -> Any:
        number = self.send(method, parameters)
        while (message := self.receive()).get("id") != number:
            pass
        return message["result"]


@contextmanager
def browser(profile: Path) -> Iterator[_Pipe]:
    """A browser with an empty profile, until the block ends."""
    # It reads from descriptor 3 and writes to 4.
    shell = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
    process = subprocess.Popen(
        ["sh", "-c", shell, "sh", CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin and process.stdout
    pipe = _Pipe(process.stdin.fileno(), process.stdout.fileno())
    try:
        yield pipe
        pipe.send("Browser.close", {})
        process.wait(_SECONDS)
    finally:
        process.kill()
        process.communicate()


def new_tab(pipe: _Pipe) -> Tab:
    target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
    attached = pipe.call("Target.attachToTarget", targetId=target, flatten=True)
    return Tab(pipe, attached["sessionId"])
