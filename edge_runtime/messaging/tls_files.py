"""Notices that the files of the TLS identity were replaced, so that they are used before a failure.

A certificate and its key are two files, and are not replaced in one instant: until they fit
together the connection that there is goes on.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.messaging.failures import MqttSettingsError
from edge_runtime.messaging.settings import MqttSettings, tls_context

_EVERY = 5.0
"""Seconds between two looks."""
_Stamp = tuple[int, int, int]


class TlsFiles:
    """The files that `settings` names, as they were when they were last used."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._paths = (settings.ca, settings.certificate, settings.key)
        self._used = self._stamps()
        self._due = 0.0

    def used(self) -> None:
        """They are about to be read for a connection."""
        self._used = self._stamps()

    def replaced(self, now: float) -> bool:
        """Whether there are others now, which can be used; `now` in monotonic seconds."""
        if now < self._due:
            return False
        self._due = now + _EVERY
        if self._stamps() == self._used:
            return False
        try:
            tls_context(self._settings)
        except MqttSettingsError:
            return False
        return True

    def _stamps(self) -> list[_Stamp | None]:
        return [_stamp(path) for path in self._paths if path is not None]


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
