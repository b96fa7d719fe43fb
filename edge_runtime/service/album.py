"""The folder of the pictures that a device keeps: for so long, and so many bytes, at most."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError

logger = logging.getLogger(__name__)

FOLDER_NAME = "snapshots"
"""In the state directory."""

_FILE_MODE, _FOLDER_MODE = 0o640, 0o750
_TIDY_SECONDS = 60.0
_SUFFIX = ".jpg"
_UNFINISHED = ".part"


class AlbumError(EdgeRuntimeError):
    """A picture cannot be kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept.

    Attributes:
        seconds: no picture is older.
        size: bytes of all together.
    """

    seconds: float
    size: int

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.size <= 0:
            raise ValueError("an album is kept for a while, and has room")


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    modified: float
    path: Path
    size: int


class Album:
    """Pictures in a folder; any thread may use it.

    A file's own date says how old it is, so that what an earlier process left is kept no longer.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self._limits = limits
        self._lock = threading.Lock()
        self._tidied = float("-inf")

    def keep(self, incident: str, picture: bytes) -> Path:
        """Keep `picture` under the name of an incident; older ones make room.

        Raises:
            AlbumError: it cannot be written.
        """
        if len(picture) > self._limits.size:
            raise AlbumError(f"a snapshot of {len(picture)} bytes is more than all may have")
        path = self.folder / file_name(incident)
        unfinished = path.with_suffix(_UNFINISHED)
        with self._lock:
            try:
                self.folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                self._make_room(len(picture))
                _write(unfinished, picture)
                unfinished.replace(path)
            except OSError as error:
                with suppress(OSError):
                    unfinished.unlink(missing_ok=True)
                raise AlbumError(
                    f"the snapshot {path.name} cannot be kept in {self.folder}: {error.strerror}"
                ) from error
        return path

    def tidy(self) -> None:
        """Once a minute, delete what has been kept for long enough."""
        now = time.monotonic()
        if now - self._tidied < _TIDY_SECONDS:
            return
        self._tidied = now
        with self._lock:
            try:
                self._make_room(0)
            except OSError as error:
                logger.error("snapshots cannot be deleted in %s: %s", self.folder, error.strerror)

    def _make_room(self, coming: int) -> None:
        """Delete what is too old, and then the oldest, until `coming` bytes more have room."""
        kept = sorted(self._kept())
        oldest = time.time() - self._limits.seconds
        total = sum(each.size for each in kept) + coming
        for each in kept:
            if each.modified >= oldest and total <= self._limits.size:
                return
            each.path.unlink(missing_ok=True)
            total -= each.size

    def _kept(self) -> Iterator[_Kept]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    yield _Kept(stat.st_mtime, Path(entry.path), stat.st_size)


def file_name(incident: str) -> str:
    """The name of an incident's picture: the incident, as a file system takes it.

    ``atm/night/2026-11-23T22:14:03.119Z`` becomes ``atm_night_2026-11-23T22.14.03.119Z.jpg``.
    """
    return incident.replace("/", "_").replace(":", ".") + _SUFFIX


def _write(path: Path, content: bytes) -> None:
    """A new file, whose rights do not depend on the process's umask."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, _FILE_MODE)
        file.write(content)
