"""Which commands were done: so that none is done twice, also after a restart."""

from __future__ import annotations

import json
import os
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError

MOST = 1000
"""Commands that may be remembered at a time: far more than a person gives in a day."""


class CommandIdsError(EdgeRuntimeError):
    """The file that remembers them cannot be written."""


class CommandIds:
    """The ids of the commands that have not expired yet, in a file.

    The file holds a JSON object: id to the Unix seconds at which the command expires. One that is
    damaged is begun anew: it can only keep a command from being done a second time.
    """

    def __init__(self, path: Path) -> None:
        """Remember in `path`, which may be there already."""
        self._path = path
        self._known = _read(path)

    def add(self, command_id: str, expires: float, now: float) -> bool:
        """Remember a command: whether it is a new one.

        It survives a kill once this has returned.

        Raises:
            CommandIdsError: it cannot be remembered; it must not be done then.
        """
        self._known = {known: end for known, end in self._known.items() if end > now}
        if command_id in self._known:
            return False
        if len(self._known) >= MOST:
            raise CommandIdsError(
                f"{MOST} commands are remembered already that have not expired: a later one is "
                "taken when some have"
            )
        try:
            _write(self._path, {**self._known, command_id: expires})
        except OSError as error:
            raise CommandIdsError(
                f"the command cannot be remembered in {self._path}: {error.strerror}"
            ) from error
        self._known[command_id] = expires
        return True


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: end for key, end in found.items() if isinstance(end, int | float)}


def _write(path: Path, known: dict[str, float]) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w") as file:
        json.dump(known, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
