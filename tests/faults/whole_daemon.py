"""The whole daemon as what is killed: `edge-runtime run`, before a camera to which people come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.messaging.receipts import AcknowledgedBy
from tests.broker import Broker
from tests.daemon import Daemon, camera, mqtt, presence
from tests.mjpeg import MjpegServer
from tests.visits import NOBODY, PERSON, make_small_model, small_picture

_FPS = 50.0
_STAY = 5
"""Pictures with and without a person, in turn."""
_COMMITTED = re.compile(r" alert atm-1/\d+/(\d+): ")


@dataclass(frozen=True, slots=True)
class Street:
    """What a device stands before.

    Attributes:
        url: a camera's, which never ends. Somebody comes and goes five times a second.
        model: the [model] table of one that is sure of them.
    """

    url: str
    model: str


@contextmanager
def busy_street(data: Path, folder: Path) -> Iterator[Street]:
    """A street with the people and the model of `data`, and a camera that is there for a while.

    Args:
        data: the tests' models and images.
        folder: for the model's labels.
    """
    nobody, person = (small_picture(data, name) for name in (NOBODY, PERSON))

    def picture(number: int) -> bytes:
        return person if number // _STAY % 2 else nobody

    with MjpegServer(picture, _FPS) as server:
        yield Street(server.url, make_small_model(data, folder))


class WholeDaemon:
    """It alerts from its start until it is killed, twice a visit.

    Args:
        folder: for the configuration, the state and the log.
        broker: where its alerts go.
        street: what it watches.
        by: whose word lets it forget an alert.
    """

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        *,
        street: Street,
        by: AcknowledgedBy = AcknowledgedBy.CENTRE,
    ) -> None:
        link = mqtt(broker, f'acknowledgement = "{by}"')
        eye = camera("atm", street.url, "motion = {enabled = false}")
        visits = presence("presence", "seconds = 0.04", "grace = 0.04")
        self._calm = [street.model, camera("yard", "synthetic:"), link]
        self._daemon = Daemon(folder, [street.model, eye, visits, link])
        self.outbox = self._daemon.state / "outbox.sqlite"

    @property
    def log(self) -> str:
        """What it wrote, in all its lives."""
        return self._daemon.log

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._daemon.alive

    def start(self) -> None:
        """Start it; it is at work a second later."""
        self._daemon.start()

    def kill(self) -> None:
        """kill -9."""
        if self._daemon.started:
            self._daemon.kill()

    def committed(self) -> dict[int, str | None]:
        """The numbers of the alerts of which its log tells; it tells no hashes."""
        return {int(number): None for number in _COMMITTED.findall(self._daemon.log)}

    def quiet(self) -> None:
        """From its next start on it tells nothing new."""
        self._daemon.configure(self._calm)
