"""The part of a device that matters to its alerts: the real outbox and the real publisher."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from edge_runtime.alerts.outbox import Outbox
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from tests.faults.committing import ORIGIN, an_alert


class Device:
    """Commits an alert every so often, and publishes it; a context manager.

    Args:
        folder: for its outbox.
        port: the broker's, on 127.0.0.1.
        every: seconds between two alerts.
        keepalive: that of its connection.
        publisher: further arguments of `Publisher`.
    """

    def __init__(
        self, folder: Path, port: int, every: float = 0.2, keepalive: int = 10, **publisher: Any
    ) -> None:
        self.outbox = Outbox(folder / "outbox.sqlite", ORIGIN)
        settings = MqttSettings("127.0.0.1", "atm-1", port=port, keepalive=keepalive)
        topics = Topics(ORIGIN.site, ORIGIN.device)
        self.publisher = Publisher(settings, self.outbox, topics, **publisher)
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._commit_on)

    @property
    def committed(self) -> int:
        """The number of the last alert."""
        return self.outbox.committed

    def quiet(self) -> None:
        """Commit no more."""
        self._ending.set()
        self._thread.join()

    def __enter__(self) -> Device:
        self.publisher.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.quiet()
        self.publisher.stop(5.0)
        self.outbox.close()

    def _commit_on(self) -> None:
        dice = random.Random(1)
        due = time.monotonic()
        while not self._ending.wait(max(due - time.monotonic(), 0.0)):
            self.outbox.commit(an_alert(dice), model=None, clock_synchronised=True)
            due += self._every
