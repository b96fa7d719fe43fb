"""The daemon: one worker a camera, one outbox, one publisher, and the loop that watches them."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import edge_runtime
from edge_runtime.alerts.alert import Alert, ModelIdentity, Origin, rfc3339
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.alerts.signing import Signer
from edge_runtime.capture.camera import Pace
from edge_runtime.config import Config, load
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.commands import (
    CommandName,
    RefusedError,
    ResendArguments,
    RuleArguments,
    SnapshotArguments,
)
from edge_runtime.messaging.connection import Message
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.topics import Topics
from edge_runtime.report import Health, LinkReport
from edge_runtime.service import board, identity, keeping, linking, models, wiring
from edge_runtime.service.album import Album
from edge_runtime.service.commanding import Action, CommandDesk
from edge_runtime.service.control import SOCKET_NAME, ControlServer
from edge_runtime.service.fleet import Fleet
from edge_runtime.service.linking import all_brought, link_report, resend
from edge_runtime.service.snapshots import as_answer
from edge_runtime.service.systemd import Notifier
from edge_runtime.service.worker import Observe, nobody

logger = logging.getLogger(__name__)

_COMMAND, _FINISH = 0, -1
"""Among the signals, none of which has these numbers: a command waits; the watching is over."""
_BEAT_SECONDS = 1.0
_START_SECONDS = 0.05
"""A start is watched more closely, so that systemd hears of it without delay."""
_HEALTH_SECONDS = 30.0
_WORKERS_STOP_SECONDS = 0.9
_PUBLISHER_STOP_SECONDS = 0.7
"""Together less than the 2 s within which SIGTERM ends the daemon."""
_SNAPSHOT_SECONDS = 3.0
"""For so long a command waits for a camera's next frame."""
_READY_WITHOUT_FRAMES_SECONDS = 10.0
"""A daemon whose cameras are all away is ready to say so."""


class Daemon:
    """Runs a configuration until SIGTERM, or until every source has ended.

    A recorded source ends by itself, every other one by `finish`.
    """

    def __init__(self, config: Config, pace: Pace, observe: Observe = nobody) -> None:
        self._config = config
        self._notifier = Notifier()
        # A signal comes at any moment, also while its own queue is locked: this one may.
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ready = False
        self._started = time.time()
        self._born = time.monotonic()
        self._health_due = self._born
        self._told: dict[str, Any] | None = None
        self._stuck: set[str] = set()
        device = config.device
        self._state = state = wiring.made_state_directory(config)
        self._outbox = Outbox(
            state / "outbox.sqlite", Origin(device.site, device.name), wiring.outbox_limits(config)
        )
        self._drop_log = keeping.DropLog()
        self._model: models.ReadyModel | None = None
        self._album: Album | None = None
        self._signer = Signer(wiring.device_key(config))
        self._fleet = Fleet(pace, self._commit, observe)
        self._desk: CommandDesk | None = None
        self._publisher = self._make_publisher()
        self._control = ControlServer(state / SOCKET_NAME, self.status)

    def run(self) -> int:
        """Work until the end; the exit status for the shell.

        Raises:
            EdgeRuntimeError: the start fails.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _frame: self._signals.put(number))
        try:
            self._tell_of_damage()
            self._watch_with(self._config)
            if self._publisher:
                self._publisher.start()
            else:
                logger.warning("no [mqtt] in the configuration: alerts are kept, nobody is told")
            self._watch()
        finally:
            self._close()
        return 0

    def finish(self) -> None:
        """End the watching; `run` goes on until what waits is brought away.

        May be called by any thread and in a signal's handler.
        """
        self._signals.put(_FINISH)

    def status(self) -> Health:
        """How the device is: the same for `edge-runtime status` and for the health topic."""
        reasons = self._reasons()
        now = rfc3339(time.time())
        return {
            "state": "degraded" if reasons else "online",
            "reasons": reasons,
            "warnings": self._warnings(),
            "version": edge_runtime.__version__,
            "site": self._config.device.site,
            "device": self._config.device.name,
            "pid": os.getpid(),
            "started": rfc3339(self._started),
            "time": now,
            "clock_synchronised": board.clock_synchronised(),
            "temperature": board.temperature(),
            "resident_mb": round(board.resident_megabytes(), 1),
            "outbox": keeping.report(self._outbox),
            "chain": self._signer.signed(self._outbox.head, now),
            "mqtt": self._link_status(),
            "cameras": [worker.status() for worker in self._fleet],
        }

    def _watch_with(self, config: Config) -> None:
        """Watch as `config` says; an EdgeRuntimeError leaves all as it was."""
        model = models.ready(config, self._state)
        heads = models.ready_heads(config, self._state)
        album = wiring.album(config)
        self._fleet.apply(config, model.settings, _WORKERS_STOP_SECONDS, heads=heads, album=album)
        self._model, self._album = model, album

    def _warnings(self) -> list[str]:
        """What is as it was configured or ordered, and has to be known all the same."""
        # A reload in the main thread may replace both.
        model, publisher = self._model, self._publisher
        return [
            *([model.warning] if model and model.warning else []),
            *(linking.warnings(publisher.stats()) if publisher else []),
            *identity.warnings(self._config),
            *keeping.warnings(self._outbox),
            *(
                f"rule {rule} of camera {camera} rests until {rfc3339(until)}"
                for camera, rule, until in self._fleet.rests.at(time.time())
            ),
        ]

    def _commit(self, alert: Alert, model: ModelIdentity | None) -> None:
        event = self._outbox.commit(
            alert, model=model, clock_synchronised=board.clock_synchronised()
        )
        logger.info(
            "alert %s: %s %s", event.id, alert.name, alert.state, extra={"camera": alert.camera}
        )

    def _tell_of_damage(self) -> None:
        """An outbox that was found damaged and made anew is an alert."""
        if self._outbox.salvage is None:
            return
        for alert in keeping.damage_alerts(self._outbox.salvage, time.monotonic(), time.time()):
            self._commit(alert, None)

    def _renew_outbox(self) -> None:
        """Go on with a new outbox in the place of one that was found damaged."""
        if self._publisher:
            # What it knows is of places in the old one.
            self._publisher.stop(_PUBLISHER_STOP_SECONDS)
        if keeping.renew(self._outbox):
            self._tell_of_damage()
            self._relink()

    def _make_publisher(self) -> Publisher | None:
        publisher = wiring.publisher(self._config, self._outbox)
        if publisher is None:
            return None
        self._desk = CommandDesk(
            wiring.admission(self._config),
            self._state / "commands.json",
            self._actions(),
            lambda: self._signals.put(_COMMAND),
            self._send,
        )
        device = self._config.device
        publisher.subscribe(Topics(device.site, device.name).command("+"), self._desk.take)
        if found := wiring.discovery(self._config):
            publisher.introduce(found)
        return publisher

    def _send(self, message: Message) -> None:
        if self._publisher:  # a reload may have replaced the one that brought the command
            self._publisher.send(message)

    def _actions(self) -> dict[CommandName, Action]:
        return {
            CommandName.STATUS: lambda _: self.status(),
            CommandName.IDENTIFY: lambda _: self._identity(),
            CommandName.RELOAD: lambda _: self._reload(),
            CommandName.RESEND: self._resend,
            CommandName.RULE: self._switch_rule,
            CommandName.SNAPSHOT: self._take_snapshot,
        }

    def _identity(self) -> dict[str, Any]:
        device = self._config.device
        logger.warning("somebody asks which device this is")
        return {
            "site": device.site,
            "device": device.name,
            "hostname": socket.gethostname(),
            "hardware": board.hardware(),
            "serial_number": board.serial_number(),
            "version": edge_runtime.__version__,
            "cameras": [worker.name for worker in self._fleet],
        }

    def _resend(self, asked: ResendArguments) -> dict[str, Any]:
        if self._publisher is None:  # a reload took it away: nobody is there to hear this
            raise RefusedError("this device has no broker any more")
        return resend(asked, self._outbox, self._publisher)

    def _switch_rule(self, asked: RuleArguments) -> dict[str, Any]:
        until = asked.until.timestamp() if asked.until and not asked.enabled else 0.0
        cameras = self._fleet.switch(asked.camera, asked.rule, until)
        if not cameras:
            where = f"camera {asked.camera}" if asked.camera else "this device"
            raise RefusedError(f"there is no rule {asked.rule!r} on {where}")
        self._health_due = 0.0
        return {"cameras": cameras, "rule": asked.rule, "enabled": asked.enabled}

    def _take_snapshot(self, asked: SnapshotArguments) -> dict[str, Any]:
        worker = self._fleet.camera(asked.camera)
        if worker is None:
            names = ", ".join(each.name for each in self._fleet)
            raise RefusedError(
                f"there is no camera {asked.camera!r}, only {names}"
                if asked.camera
                else f"a camera is asked for, one of {names}"
            )
        snapshot = worker.snapshot(_SNAPSHOT_SECONDS)
        logger.warning("a snapshot is sent to the centre", extra={"camera": worker.name})
        return {"camera": worker.name, **as_answer(snapshot)}

    def _watch(self) -> None:
        watchdog = self._notifier.watchdog_seconds
        period = min(_BEAT_SECONDS, watchdog / 3) if watchdog else _BEAT_SECONDS
        while True:
            self._beat(time.monotonic())
            if self._finished():
                self._tell_end()
                return
            match self._next_signal(period if self._ready else _START_SECONDS):
                case signal.SIGHUP:
                    with suppress(EdgeRuntimeError):  # told in the log
                        self._reload()
                case 0 if self._desk is not None:
                    self._desk.work()
                case -1:
                    self._fleet.stop("stopped", _WORKERS_STOP_SECONDS)
                case signal.SIGTERM | signal.SIGINT:
                    return

    def _tell_end(self) -> None:
        waiting = self._outbox.depth() if self._publisher else 0
        if waiting:
            logger.warning(
                "all sources have ended; %d alerts stay in the outbox: the centre has not "
                "acknowledged them, or the broker does not take them",
                waiting,
            )
        else:
            logger.info("all sources have ended and all alerts are delivered")

    def _next_signal(self, timeout: float) -> int | None:
        try:
            return self._signals.get(timeout=timeout)
        except queue.Empty:
            return None

    def _beat(self, now: float) -> None:
        self._feed_watchdog(now)
        self._drop_log.look(self._outbox, now)
        if self._outbox.damage is not None:
            self._renew_outbox()
        if not self._ready:
            self._become_ready(now)
        if self._album:
            self._album.tidy()
        if self._publisher:
            self._tell(self._publisher, now)

    def _feed_watchdog(self, now: float) -> None:
        stuck = {f"camera {worker.name}" for worker in self._fleet if not worker.moving(now)}
        if self._publisher and not self._publisher.moving(now):
            stuck.add("the MQTT publisher")
        for name in stuck - self._stuck:
            logger.critical("%s does not move any more; the watchdog starves", name)
        self._stuck = stuck
        if not stuck:
            self._notifier.alive()

    def _become_ready(self, now: float) -> None:
        """Say ready after the first inference on a frame.

        Where no camera gives a frame, the models' own trial run has to do: a daemon that can say
        that its cameras are away must not be restarted for it.
        """
        inferred = any(worker.inferred for worker in self._fleet)
        if not inferred and now - self._born < _READY_WITHOUT_FRAMES_SECONDS:
            return
        self._ready = True
        what = "first inference" if inferred else "no camera gives frames"
        logger.info("ready %.2f s after the start: %s", now - self._born, what)
        self._notifier.ready(what)

    def _tell(self, publisher: Publisher, now: float) -> None:
        """Publish the status when it has changed, and the health when it is due."""
        reasons = self._reasons()
        status = {"state": "degraded" if reasons else "online", "reasons": reasons}
        if status != self._told:
            self._told = status
            self._notifier.status("; ".join(reasons) or "all cameras are watched")
            publisher.publish_status(status)
            self._health_due = now
        if now >= self._health_due:
            self._health_due = now + _HEALTH_SECONDS
            publisher.publish_health(self.status())

    def _reasons(self) -> list[str]:
        """Why the device is not as it should be."""
        return [
            *keeping.reasons(self._outbox),
            *(reason for worker in self._fleet if (reason := worker.degraded)),
        ]

    def _link_status(self) -> LinkReport | None:
        publisher = self._publisher  # a reload in the main thread may take it away
        if publisher is None:
            return None
        return link_report(publisher.stats())

    def _finished(self) -> bool:
        """Whether nothing more can come, and nothing waits for a broker that would take it."""
        workers = tuple(self._fleet)
        if not workers or not all(worker.ended for worker in workers):
            return False
        if self._publisher is None:
            return True
        return all_brought(self._publisher.stats())

    def _reload(self) -> None:
        """Take the new configuration over, or keep the old one whole.

        Raises:
            EdgeRuntimeError: the old one is kept.
        """
        if self._ready:
            self._notifier.reloading()
        try:
            config = load(self._config.path, check_dates=False)
            if config.device != self._config.device:
                logger.warning("device and state_dir change only with a restart")
                # model_copy keeps the path that the configuration came from.
                config = config.model_copy(update={"device": self._config.device})
            if config.outbox != self._config.outbox:
                logger.warning("the bounds of the outbox change only with a restart")
                config = config.model_copy(update={"outbox": self._config.outbox})
            self._watch_with(config)
        except EdgeRuntimeError as error:
            logger.error("the configuration stays as it was: %s", error)
            raise
        else:
            relink = (config.mqtt, config.commands) != (self._config.mqtt, self._config.commands)
            self._config = config
            if relink:
                self._relink()
            elif self._publisher and (found := wiring.discovery(config)):
                self._publisher.introduce(found)
            logger.info("the configuration is reloaded")
        finally:
            if self._ready:
                self._notifier.ready("reloaded")

    def _relink(self) -> None:
        if self._publisher:
            self._publisher.stop(_PUBLISHER_STOP_SECONDS)
        self._told = None
        self._signer = Signer(wiring.device_key(self._config))
        self._publisher = self._make_publisher()
        if self._publisher:
            self._publisher.start()

    def _close(self) -> None:
        self._notifier.stopping()
        self._fleet.stop("stopped", _WORKERS_STOP_SECONDS)
        if self._publisher:
            self._publisher.stop(_PUBLISHER_STOP_SECONDS)
        self._control.close()
        self._outbox.close()
        logger.info("stopped")


def run(config: Config, pace: Pace) -> int:
    """Run the daemon to its end: the exit status."""
    return Daemon(config, pace).run()


def leave(status: int) -> int:
    """Leave the process with `status`, whatever thread is stuck in a driver.

    Everything is on disk by then.
    """
    if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    return status
