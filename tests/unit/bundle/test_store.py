"""What is installed, what came before it, and what never gets there."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.errors import (
    GoldenError,
    HashMismatchError,
    NotInstalledError,
    StoreError,
    UnknownKeyError,
    VersionError,
)
from edge_runtime.bundle.reading import Bundle
from edge_runtime.bundle.store import Installed, install, load, names, rollback
from edge_runtime.bundle.trust import TrustedKeys
from tests.unit.bundle.making import FILES

Version = Callable[..., Bundle]


def works(_: Path) -> None:
    """The files of these bundles are no models: that a real one is tried has its own tests."""


def fails(_: Path) -> None:
    raise GoldenError("it does not work here")


def put(bundle: Bundle, store: Path) -> Installed:
    return install(bundle, store, prove=works)


def folders(store: Path) -> int:
    return sum(path.is_dir() for path in (store / "person").iterdir())


def test_what_is_installed_is_found_again(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(3), tmp_path)
    installed = load(tmp_path, "person", trusted)
    assert (installed.manifest.version, installed.previous) == (3, None)
    assert {name: (installed.folder / name).read_bytes() for name in FILES} == FILES
    assert names(tmp_path) == ("person",)


def test_the_one_before_is_kept_and_older_ones_go(tmp_path: Path, version: Version) -> None:
    for number in (1, 2, 5):
        installed = put(version(number), tmp_path)
    assert (installed.manifest.version, installed.previous) == (5, 2)
    assert folders(tmp_path) == 2


@pytest.mark.parametrize("number", [1, 4])
def test_a_version_that_does_not_rise_is_refused(
    number: int, tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(4), tmp_path)
    other = version(number, threshold=0.7)
    with pytest.raises(VersionError, match=f"person {number} is not newer than version 4"):
        put(other, tmp_path)
    assert load(tmp_path, "person", trusted).manifest.threshold == 0.5


def test_installing_what_runs_changes_nothing(tmp_path: Path, version: Version) -> None:
    put(version(1), tmp_path)
    before = put(version(2), tmp_path)
    assert install(version(2), tmp_path, prove=fails) == before


def test_installing_what_runs_mends_its_files(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    damaged = put(version(2), tmp_path)
    (damaged.folder / "model.tflite").write_bytes(b"rotten")
    with pytest.raises(HashMismatchError):
        load(tmp_path, "person", trusted)
    put(version(2), tmp_path)
    mended = load(tmp_path, "person", trusted)
    assert (mended.manifest.version, mended.previous) == (2, 1)


def test_a_bundle_that_does_not_work_here_leaves_all_as_it_was(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    with pytest.raises(GoldenError):
        install(version(2), tmp_path, prove=fails)
    assert load(tmp_path, "person", trusted).manifest.version == 1
    assert folders(tmp_path) == 1


def test_a_bundle_is_complete_when_it_is_tried(tmp_path: Path, version: Version) -> None:
    seen: dict[str, bytes] = {}
    bundle = version(1)
    install(
        bundle,
        tmp_path,
        prove=lambda folder: seen.update({p.name: p.read_bytes() for p in folder.iterdir()}),
    )
    assert seen == {name: bytes(content) for name, content in bundle.members().items()}


def test_rolling_back_goes_to_the_one_before_and_back_again(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    put(version(2), tmp_path)
    back = rollback(tmp_path, "person", trusted, prove=works)
    assert (back.manifest.version, back.previous) == (1, 2)
    assert load(tmp_path, "person", trusted) == back
    again = rollback(tmp_path, "person", trusted, prove=works)
    assert (again.manifest.version, again.previous) == (2, 1)


def test_after_rolling_back_the_next_version_is_taken(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    put(version(2), tmp_path)
    rollback(tmp_path, "person", trusted, prove=works)
    after = put(version(3), tmp_path)
    assert (after.manifest.version, after.previous) == (3, 1)
    assert folders(tmp_path) == 2


def test_there_has_to_be_something_to_roll_back_to(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    with pytest.raises(NotInstalledError, match=r"no bundle person is installed in .*are: none"):
        rollback(tmp_path, "person", trusted, prove=works)
    put(version(1), tmp_path)
    with pytest.raises(NotInstalledError, match="cannot be rolled back: 1 is the only version in"):
        rollback(tmp_path, "person", trusted, prove=works)


def test_what_came_before_is_verified_and_tried_before_it_runs_again(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    first = put(version(1), tmp_path)
    put(version(2), tmp_path)
    with pytest.raises(GoldenError):
        rollback(tmp_path, "person", trusted, prove=fails)
    with pytest.raises(UnknownKeyError):
        rollback(tmp_path, "person", TrustedKeys(), prove=works)
    (first.folder / "model.tflite").write_bytes(b"rotten")
    with pytest.raises(HashMismatchError):
        rollback(tmp_path, "person", trusted, prove=works)
    assert load(tmp_path, "person", trusted).manifest.version == 2


def test_what_is_installed_is_no_longer_loaded_when_its_key_is_no_longer_trusted(
    tmp_path: Path, version: Version
) -> None:
    put(version(1), tmp_path)
    with pytest.raises(UnknownKeyError):
        load(tmp_path, "person", TrustedKeys())


def test_what_is_not_installed_is_told(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    with pytest.raises(NotInstalledError, match=r"no bundle face is installed in .*are: person"):
        load(tmp_path, "face", trusted)


def test_a_damaged_state_says_what_to_do(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    state = tmp_path / "person" / "installed.json"
    for damaged in ("", "{}", state.read_text().replace('"1-', '"../1-')):
        state.write_text(damaged)
        for act in (
            lambda: load(tmp_path, "person", trusted),
            lambda: put(version(2), tmp_path),
            lambda: rollback(tmp_path, "person", trusted, prove=works),
        ):
            with pytest.raises(StoreError, match=r"is damaged \(.*remove .* and install again"):
                act()


def test_two_installations_at_a_time_are_refused(tmp_path: Path, version: Version) -> None:
    put(version(1), tmp_path)
    lock = os.open(tmp_path / "person" / ".lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="person is being changed by another installation"):
            put(version(2), tmp_path)
    finally:
        os.close(lock)
    put(version(2), tmp_path)


def test_a_disk_that_takes_no_more_leaves_all_as_it_was(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    put(version(1), tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(StoreError, match=r"a bundle cannot be kept in .*File too large"):
            put(version(2), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load(tmp_path, "person", trusted).manifest.version == 1
    assert folders(tmp_path) == 1


def test_a_place_that_is_no_folder_is_told(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match=r"a bundle cannot be kept in .*Not a directory"):
        put(version(1), tmp_path / "store")
    with pytest.raises(StoreError, match="cannot be read: Not a directory"):
        load(tmp_path / "store", "person", trusted)


def test_a_folder_that_is_gone_can_be_installed_again(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    shutil.rmtree(put(version(1), tmp_path).folder)
    put(version(1), tmp_path)
    assert load(tmp_path, "person", trusted).manifest.version == 1


def test_others_may_read_what_root_installs(tmp_path: Path, version: Version) -> None:
    old = os.umask(0o077)
    try:
        folder = put(version(1), tmp_path).folder
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o755}
    assert (folder / "model.tflite").stat().st_mode & 0o777 == 0o644
