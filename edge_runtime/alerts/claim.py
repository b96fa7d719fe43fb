"""One daemon an outbox: an advisory lock on a file beside it.

The kernel takes it back however the daemon dies.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from edge_runtime.alerts.database import OutboxError


def claim(path: Path) -> int:
    """Lock the outbox for this process: the descriptor that holds the lock, until it is closed.

    Raises:
        OutboxError: another process has it, or the file cannot be written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutboxError(
            f"cannot write the outbox {path}: {error.strerror}; its folder has to exist and to "
            "be writable for this user"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise OutboxError(
            f"the outbox {path} is in use by process {holder}: stop that one, or give this one a "
            "state directory of its own"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
