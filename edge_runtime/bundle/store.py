"""Installed bundles: on disk, the one that runs and the one before it.

    STORE/NAME/installed.json      which folders those two are: the only file that is ever replaced
    STORE/NAME/VERSION-XXXXXXXX/   a bundle, each member as a file

A bundle is written into a new folder, made durable and tried there; then a new installed.json is
renamed over the old one. Before that rename nothing has happened, after it everything has: what a
power cut or a kill leaves behind is a folder that nothing points to, and the next installation
removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_runtime.bundle import golden
from edge_runtime.bundle.errors import NotInstalledError, StoreError, VersionError
from edge_runtime.bundle.manifest import Manifest, Sha256, first_problem
from edge_runtime.bundle.reading import Bundle, read_folder
from edge_runtime.bundle.trust import TrustedKeys

STATE = "installed.json"
_LOCK = ".lock"
_NEW_STATE = f"{STATE}.new"
# Who installs may be another user than the one that the daemon runs as.
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644

Prove = Callable[[Path], None]
"""Tries the model of the verified bundle in a folder; raises BundleError."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    version: int
    manifest_sha256: Sha256
    folder: Annotated[str, Field(pattern=r"^[0-9]+-[a-z0-9_]+$")]


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    format: Literal[1] = 1
    current: _Entry
    previous: _Entry | None = None


@dataclass(frozen=True, slots=True)
class Installed:
    """A bundle that is installed, verified when it was looked up.

    Attributes:
        manifest: what it says of itself.
        folder: where its files lie. It stays until two newer ones are installed.
        previous: the version that `rollback` would go to; None: there is none.
    """

    manifest: Manifest
    folder: Path
    previous: int | None


def install(bundle: Bundle, store: Path, *, prove: Prove = golden.prove) -> Installed:
    """Make `bundle` the one that runs, if it is newer than what runs now and works here.

    Installing what runs already changes nothing, but for files that are damaged on disk: they
    are written again.

    Raises:
        VersionError: its version does not rise.
        GoldenError: it does not work here; what ran before stays.
        StoreError: the disk cannot be written, or another installation is under way.
    """
    home = store / bundle.manifest.name
    with _changing(home):
        state = _state(home)
        again = state is not None and state.current.manifest_sha256 == _digest(bundle)
        if state is not None and again and _holds(home / state.current.folder, bundle):
            return _installed(bundle, home, state)
        if state is not None and not again:
            _check_rising(bundle.manifest, state.current)
        _sweep(home, state)
        try:
            staged = _staged(bundle, home)
            prove(staged)
            after = _after(state, bundle, staged, again=again)
            _write_state(home, after)
        finally:
            # Asked of the disk: it knows whether the one step was taken.
            _sweep(home, _state(home))
        return _installed(bundle, home, after)


def rollback(
    store: Path, name: str, trusted: TrustedKeys, *, prove: Prove = golden.prove
) -> Installed:
    """Go back to the version that ran before; that one can be rolled back in turn.

    Raises:
        NotInstalledError: there is none.
        BundleError: what ran before is damaged on disk, no longer trusted, or works no more.
    """
    home = store / name
    if not home.is_dir():
        raise _not_installed(store, name)
    with _changing(home):
        state = _state(home)
        if state is None:
            raise _not_installed(store, name)
        if state.previous is None:
            raise NotInstalledError(
                f"{name} cannot be rolled back: {state.current.version} is the only version in "
                f"{home}"
            )
        folder = home / state.previous.folder
        bundle = read_folder(folder, trusted)
        prove(folder)
        after = _State(current=state.previous, previous=state.current)
        _write_state(home, after)
        return _installed(bundle, home, after)


def load(store: Path, name: str, trusted: TrustedKeys) -> Installed:
    """The bundle of that name that runs, verified anew: signature and all hashes.

    Raises:
        NotInstalledError: there is none.
        BundleError: it is damaged on disk, or no longer trusted.
    """
    home = store / name
    state = _state(home)
    if state is None:
        raise _not_installed(store, name)
    return _installed(read_folder(home / state.current.folder, trusted), home, state)


def names(store: Path) -> tuple[str, ...]:
    """The names of all bundles that are installed."""
    return tuple(sorted(path.parent.name for path in store.glob(f"*/{STATE}")))


def _installed(bundle: Bundle, home: Path, state: _State) -> Installed:
    previous = state.previous.version if state.previous else None
    return Installed(bundle.manifest, home / state.current.folder, previous)


def _digest(bundle: Bundle) -> str:
    return hashlib.sha256(bundle.manifest_bytes).hexdigest()


def _check_rising(manifest: Manifest, current: _Entry) -> None:
    if manifest.version <= current.version:
        raise VersionError(
            f"{manifest.title} is not newer than version {current.version}, which is installed: "
            "give the bundle a higher version, or roll back"
        )


def _after(state: _State | None, bundle: Bundle, staged: Path, *, again: bool) -> _State:
    """What is installed once the bundle in `staged` is; `again`: in the place of its like."""
    entry = _Entry(
        version=bundle.manifest.version, manifest_sha256=_digest(bundle), folder=staged.name
    )
    if state is None:
        return _State(current=entry)
    return _State(current=entry, previous=state.previous if again else state.current)


def _holds(folder: Path, bundle: Bundle) -> bool:
    """Whether the folder holds this bundle, byte by byte."""
    return all(_is(folder / name, content) for name, content in bundle.members().items())


def _is(path: Path, content: bytes | memoryview) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


# The disk


@contextmanager
def _changing(home: Path) -> Iterator[None]:
    """Nobody else changes `home` meanwhile; what the disk says becomes a StoreError."""
    try:
        if not home.is_dir():
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(_FOLDER_MODE)
        with ExitStack() as stack:
            lock = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise StoreError(
            f"{home.name} is being changed by another installation: wait until it is done"
        ) from error
    except OSError as error:
        raise StoreError(
            f"a bundle cannot be kept in {home} ({error.filename or home}: {error.strerror})"
        ) from error


def _staged(bundle: Bundle, home: Path) -> Path:
    """A new folder with the bundle, on the disk for good."""
    folder = Path(tempfile.mkdtemp(prefix=f"{bundle.manifest.version}-", dir=home))
    for name, content in bundle.members().items():
        _write(folder / name, content)
    folder.chmod(_FOLDER_MODE)
    _sync_folder(folder)
    _sync_folder(home)
    return folder


def _state(home: Path) -> _State | None:
    """Which bundles are installed; None: none."""
    path = home / STATE
    try:
        return _State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(
            f"{path} is damaged ({first_problem(error)}): remove {home} and install again"
        ) from error


def _write_state(home: Path, state: _State) -> None:
    """The one step by which anything changes."""
    new = home / _NEW_STATE
    _write(new, state.model_dump_json(indent=1).encode())
    new.replace(home / STATE)
    _sync_folder(home)


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), _FILE_MODE)
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(home: Path, state: _State | None) -> None:
    """Remove what nothing points to; what cannot be removed now is removed next time."""
    entries = (state.current, state.previous) if state else ()
    kept = {entry.folder for entry in entries if entry}
    for path in home.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
    (home / _NEW_STATE).unlink(missing_ok=True)


def _not_installed(store: Path, name: str) -> NotInstalledError:
    there = ", ".join(names(store)) or "none"
    return NotInstalledError(f"no bundle {name} is installed in {store}; installed are: {there}")
