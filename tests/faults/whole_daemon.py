"""The whole daemon as what is killed: `edge-runtime run`, before pictures on which people come."""

from __future__ import annotations

import re
from pathlib import Path

from tests.broker import Broker
from tests.daemon import Daemon, camera, mqtt
from tests.visits import tables_of_visits

_COMMITTED = re.compile(r" alert atm-1/\d+/(\d+): ")


class WholeDaemon:
    """It alerts as fast as it can, from its start until it is killed.

    Args:
        folder: for the configuration, the state and the log.
        broker: where its alerts go.
        album: a folder of pictures, see `tests.visits`.
        model: the [model] table of one that is sure of them.
    """

    def __init__(self, folder: Path, broker: Broker, *, album: Path, model: str) -> None:
        link = mqtt(broker)
        self._calm = [model, camera("yard", "synthetic:"), link]
        self._daemon = Daemon(folder, [*tables_of_visits(album, model), link], "--fast")
        self.outbox = self._daemon.state / "outbox.sqlite"
        self._runs = False

    def start(self) -> None:
        """Start it; it is at work a second later."""
        self._daemon.start()
        self._runs = True

    def kill(self) -> None:
        """kill -9."""
        if self._runs:
            self._daemon.kill()
            self._runs = False

    def committed(self) -> dict[int, str | None]:
        """The numbers of the alerts of which its log tells; it tells no hashes."""
        return {int(number): None for number in _COMMITTED.findall(self._daemon.log)}

    def quiet(self) -> None:
        """From its next start on it tells nothing new."""
        self._daemon.configure(self._calm)
