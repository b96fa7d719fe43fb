"""The demo from its start to its end: broker, subscriber, daemon; and the outage in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.bundle.shipped import PERSON, shipped
from edge_runtime.capture.scene import COVERED_AT
from edge_runtime.config import load
from edge_runtime.redaction import redact
from edge_runtime.rules.camera_health import KIND as CAMERA_HEALTH
from edge_runtime.service.control import SOCKET_NAME, NotRunningError, ask
from edge_runtime.service.demo.brokers import Broker, made_broker
from edge_runtime.service.demo.errors import DemoError
from edge_runtime.service.demo.recorder import SHEET, VIDEO
from edge_runtime.service.demo.screen import Screen, delay, is_alert
from edge_runtime.service.demo.setting import DEVICE, SITE, THE_END, Wish, configuration
from edge_runtime.service.demo.subscriber import Received, Subscriber
from edge_runtime.service.demo.summary import Covered, Delivery, Outage, Percentiles, Summary
from edge_runtime.timing import Stage

OUTAGE_AT = 0.275
"""When the broker is killed, as a fraction of the demo: somebody leaves meanwhile."""
OUTAGE_SECONDS = 5.0

_TURN_SECONDS = 0.2
_FIRST_FRAME_SECONDS = 30.0
_FAILED_SECONDS = 3.0
"""A camera that is not there is tried again for so long: it may just be waking up."""
_DRAIN_SECONDS = 30.0
"""More than the daemon's longest wait before it tries a broker again, after 5 s without."""
_STOP_SECONDS = 20.0


def demo(wish: Wish, screen: Screen) -> Summary:
    """Show it.

    Raises:
        EdgeRuntimeError: it cannot be shown.
    """
    if PERSON not in shipped():
        raise DemoError(f"the model {PERSON!r} does not come with this edge-runtime: `make models`")
    _make_folder(wish.folder)
    with ExitStack() as stack:
        # A short path: a Unix socket's may have 107 bytes.
        private = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-demo-"))
        broker = made_broker(wish.broker, Path(private))
        stack.callback(broker.kill)
        broker.start()
        show = _Show(wish, screen, broker, Path(private))
        return show.run()


class _Show:
    """One demo under way."""

    def __init__(self, wish: Wish, screen: Screen, broker: Broker, private: Path) -> None:
        self._wish = wish
        self._screen = screen
        self._broker = broker
        self._state = private / "state"
        self._state.mkdir()
        self._source = redact(wish.source)
        self._config = private / "edge-runtime.toml"  # it may hold a camera's password
        self._log = wish.folder / "daemon.log"
        self._began = time.monotonic()
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._killed_at: float | None = None
        self._back_at: float | None = None

    def run(self) -> Summary:
        self._config.touch(mode=0o600)
        self._config.write_text(configuration(self._wish, self._state, self._broker.port))
        load(self._config)  # tells what is wrong with the source, without a process for it
        subscriber = Subscriber(self._broker.port, self._take)
        try:
            if not subscriber.start(_FIRST_FRAME_SECONDS):
                raise DemoError(f"nobody can subscribe at the broker {self._broker.name}")
            self._announce()
            with self._daemon() as daemon:
                status = self._watch(daemon)
            self._wait_for_all(self._expected())
        finally:
            subscriber.stop()
            self._screen.state("")
        return self._summary(status)

    def _announce(self) -> None:
        self._screen.say(
            f"{self._source} is watched for {self._wish.seconds:.0f} s; this is what a "
            f"subscriber receives from the broker {self._broker.name}:"
        )

    # The daemon

    @contextmanager
    def _daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """The daemon's process, which is ended as systemd would end it."""
        command = [sys.executable, "-P", "-m", "edge_runtime.service.demo.watching"]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [*command, str(self._config), str(self._wish.folder)],
                stdout=log,
                stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": ""},
            )
        try:
            yield process
            process.terminate()
            if process.wait(_STOP_SECONDS):
                raise DemoError(f"the daemon failed: {self._last_words()}")
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"the daemon does not end: {self._log} says more") from error
        finally:
            process.kill()
            process.wait()

    def _watch(self, daemon: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Look on until the time is over or the clip is, and all is brought; the last status."""
        last = self._first_frame(daemon)
        self._began = time.monotonic()
        while (seconds := time.monotonic() - self._began) < self._wish.seconds:
            if daemon.poll() is not None:
                break
            self._meddle(seconds)
            last = self._ask() or last
            self._screen.state(
                _state(seconds, last, broker=self._killed_at is None or self._back_at is not None)
            )
            time.sleep(_TURN_SECONDS)
        self._seconds = time.monotonic() - self._began
        # The camera must not be watched for longer only because the broker is not back yet.
        daemon.send_signal(THE_END)
        if self._killed_at is not None and self._back_at is None:
            self._restore()
        return self._drained(daemon) or last

    def _first_frame(self, daemon: subprocess.Popen[bytes]) -> dict[str, Any]:
        reason = ""
        deadline = time.monotonic() + _FIRST_FRAME_SECONDS
        while daemon.poll() is None and time.monotonic() < deadline:
            status = self._ask()
            if status and status["cameras"]:
                (camera,) = status["cameras"]
                if camera["frames"]:
                    return status
                reason = camera["last_error"] or ""
                if camera["state"] == "failed" and camera["seconds_in_state"] > _FAILED_SECONDS:
                    break
            self._screen.state("the daemon starts")
            time.sleep(_TURN_SECONDS)
        if daemon.poll() == 0:
            raise DemoError(f"{self._source} is over at once: some seconds of a clip are needed")
        raise DemoError(f"{self._source} gives no picture: {reason or self._last_words()}")

    def _drained(self, daemon: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        """Give the daemon the time to bring away what waits, and to end; its last status."""
        last = None
        deadline = time.monotonic() + _DRAIN_SECONDS
        while daemon.poll() is None and time.monotonic() < deadline:
            last = self._ask() or last
            time.sleep(_TURN_SECONDS)
        return last

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace").strip().rpartition("\n")[2]

    def _ask(self) -> dict[str, Any] | None:
        try:
            return ask(self._state / SOCKET_NAME)
        except NotRunningError:
            return None

    # The broker

    def _meddle(self, seconds: float) -> None:
        """Kill the broker and start it again, when it is time."""
        if self._killed_at is None and seconds >= OUTAGE_AT * self._wish.seconds:
            self._broker.kill()
            self._killed_at = time.monotonic()
            self._screen.event(seconds, "BROKER  killed; what is told now waits on disk")
        elif (
            self._killed_at is not None
            and self._back_at is None
            and time.monotonic() - self._killed_at >= OUTAGE_SECONDS
        ):
            self._restore()

    def _restore(self) -> None:
        self._broker.start()
        self._back_at = time.monotonic()
        self._screen.event(self._back_at - self._began, "BROKER  is back")

    # The subscriber

    def _take(self, message: Received) -> None:
        """In the subscriber's thread."""
        with self._lock:
            known = any(
                each.topic == message.topic and each.payload == message.payload
                for each in self._received
            )
            self._received.append(message)
        if not (message.retained and known):
            self._screen.received(message.at - self._began, message)

    def _alerts(self) -> list[Received]:
        with self._lock:
            return [message for message in self._received if is_alert(message)]

    def _expected(self) -> list[str]:
        """The ids of all alerts that the daemon ever committed, as its outbox knows them."""
        with Outbox(self._state / "outbox.sqlite", Origin(SITE, DEVICE)) as outbox:
            return [f"{DEVICE}/{outbox.epoch}/{n}" for n in range(1, outbox.committed + 1)]

    def _wait_for_all(self, expected: list[str]) -> None:
        deadline = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < deadline:
            if {alert.payload["id"] for alert in self._alerts()} >= set(expected):
                return
            time.sleep(_TURN_SECONDS)

    # The end

    def _summary(self, status: dict[str, Any]) -> Summary:
        (camera,) = status["cameras"]
        alerts = self._alerts()
        late = self._late(alerts)
        (self._wish.folder / "received.jsonl").write_text(
            "".join(f"{json.dumps(message.payload)}\n" for message in self._received)
        )
        summary = Summary(
            source=self._source,
            model=camera["model"],
            backend=camera["backend"],
            broker=self._broker.name,
            seconds=round(self._seconds, 1),
            frames=camera["frames"],
            analysed=camera["analysed"],
            dropped=camera["dropped"],
            looked=camera["looked"],
            stages={
                name: Percentiles(values[0], values[1])
                for name, values in camera["latency_ms"].items()
            },
            delivery=Delivery.of(self._expected(), alerts, late),
            outage=self._outage(late),
            covered=self._covered(alerts),
            resident_mb=status["resident_mb"],
            warnings=tuple(status["warnings"]),
            files={
                "video": str(self._wish.folder / VIDEO),
                "contact sheet": str(self._wish.folder / SHEET),
                "all that was received": str(self._wish.folder / "received.jsonl"),
                "the daemon's log": str(self._log),
            },
        )
        figures = json.dumps(summary.as_dict(), indent=1)
        (self._wish.folder / "summary.json").write_text(f"{figures}\n")
        return summary

    def _late(self, alerts: list[Received]) -> list[Received]:
        """The alerts that were decided while the daemon had no broker."""
        if self._killed_at is None or self._back_at is None:
            return []
        killed, back = self._killed_at, self._back_at
        again = min((each.at for each in self._received if each.at >= back), default=back)
        return [each for each in alerts if killed <= each.at - delay(each) < again]

    def _outage(self, late: list[Received]) -> Outage | None:
        if self._killed_at is None or self._back_at is None:
            return None
        return Outage(
            began=round(self._killed_at - self._began, 1),
            seconds=round(self._back_at - self._killed_at, 1),
            waited=len(late),
            longest_wait=round(max(map(delay, late), default=0.0), 1),
        )

    def _covered(self, alerts: list[Received]) -> Covered | None:
        if not self._wish.drawn or self._wish.seconds <= COVERED_AT:
            return None
        since = [each.payload["data"] for each in alerts if each.at - self._began >= COVERED_AT]
        return Covered(
            at=COVERED_AT,
            # What the end of the demo ended has a reason.
            ended=sum(
                (a["rule"], a["state"], a.get("reason")) == ("presence", "ended", None)
                for a in since
            ),
            told=any(a["rule"] == CAMERA_HEALTH for a in since),
        )


def _state(seconds: float, status: dict[str, Any], *, broker: bool) -> str:
    (camera,) = status["cameras"]
    invoke = camera["latency_ms"].get(Stage.INVOKE, [0.0])[0]
    return (
        f"{seconds:6.1f} s  {camera['state']}, {camera['fps']:.1f} a second, looked at "
        f"{camera['looked']} of {camera['analysed']}, invoke {invoke:.0f} ms, "
        f"{status['outbox']['depth']} wait, broker {'there' if broker else 'AWAY'}"
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"the folder {folder} cannot be made: {error.strerror}") from error
