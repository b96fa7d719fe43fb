"""A Unix socket on which the running daemon says how it is.

The protocol: connect, read one JSON object until the end, done. There is nothing to send.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgeRuntimeError

logger = logging.getLogger(__name__)

SOCKET_NAME = "control.sock"
_TIMEOUT = 2.0
_LONGEST_ADDRESS = 107
"""Bytes of a Unix socket's path; see unix(7)."""


class NotRunningError(EdgeRuntimeError):
    """Nobody answers on the control socket."""


class ControlError(EdgeRuntimeError):
    """The control socket cannot be made."""


class ControlServer:
    """Answers every connection with a fresh `snapshot`."""

    def __init__(self, path: Path, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        """Begin to answer.

        Raises:
            ControlError: there can be no socket at `path`.
        """
        self._path = path
        self._snapshot = snapshot
        self._socket = _listening(path)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and take the socket away."""
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_TIMEOUT)
                try:
                    connection.sendall(json.dumps(self._snapshot()).encode())
                except OSError as error:
                    logger.debug("status was asked for by one who did not wait: %s", error)


def _listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # A socket that a killed daemon left behind would keep the address taken.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ControlError(
            f"the control socket {path} cannot be made ({error.strerror or error}): "
            "device.state_dir has to be a folder that this user may write to, with a path of at "
            f"most {_LONGEST_ADDRESS - len(SOCKET_NAME) - 1} bytes"
        ) from error
    return listener


def ask(path: Path) -> dict[str, Any]:
    """The running daemon's answer; raises NotRunningError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT)
        try:
            connection.connect(str(path))
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            status: dict[str, Any] = json.loads(answer)
        except PermissionError as error:
            raise NotRunningError(
                f"{path} may not be read by you: ask as root or as the daemon's user"
            ) from error
        except (OSError, ValueError) as error:
            raise NotRunningError(
                f"no daemon answers at {path}: start it with `edge-runtime run CONFIG`, or name "
                "the configuration that it runs with"
            ) from error
    return status
