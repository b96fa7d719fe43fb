"""Files that are there whole or not at all, whatever is killed meanwhile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError

PUBLIC, SECRET = 0o644, 0o600


class ProvisioningError(EdgeRuntimeError):
    """An identity cannot be made, certified, renewed or revoked."""


def read(path: Path, what: str) -> bytes:
    """The content of `path`, which is `what`. Raises ProvisioningError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProvisioningError(f"the {what} {path} cannot be read: {error.strerror}") from error


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Make `path`; a file that is there stays as it is.

    Raises:
        ProvisioningError: it is there already, or cannot be written.
    """
    with _written(path, content, mode) as complete:
        try:
            os.link(complete, path)
        except FileExistsError as error:
            raise ProvisioningError(
                f"{path} is there already and is not overwritten: choose another name or folder"
            ) from error


def replace(path: Path, content: bytes, mode: int) -> None:
    """Make `path`, or put the new content in the place of the old. Raises ProvisioningError."""
    with _written(path, content, mode) as complete:
        complete.replace(path)


@contextmanager
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A file beside `path` that is on the disk; it is taken away if it is still there."""
    complete = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        complete = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield complete
        sync_folder(path.parent)
    except OSError as error:
        raise ProvisioningError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if complete is not None:
            complete.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """See that the names in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
