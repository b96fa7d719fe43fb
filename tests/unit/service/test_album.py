"""The album: pictures on a disk, for so long and so many bytes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edge_runtime.service.album import Album, AlbumError, Limits, file_name

DAY = 24 * 3600.0


def incident(number: int) -> str:
    return f"atm/night/2026-11-23T22:14:{number:02}.119Z"


def aged(path: Path, seconds: float) -> None:
    """Make a file so old."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(album: Album) -> set[str]:
    return {path.name for path in album.folder.iterdir()}


def test_a_picture_is_named_after_its_incident_and_only_the_group_may_read_it(
    tmp_path: Path,
) -> None:
    album = Album(tmp_path / "snapshots", Limits(DAY, 1000))
    before = os.umask(0)  # whatever it is
    try:
        path = album.keep(incident(3), b"jpeg")
    finally:
        os.umask(before)
    assert path.name == "atm_night_2026-11-23T22.14.03.119Z.jpg"
    assert path.read_bytes() == b"jpeg"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o777 == 0o750
    assert names(album) == {path.name}


def test_no_name_of_a_camera_leads_out_of_the_folder(tmp_path: Path) -> None:
    album = Album(tmp_path / "snapshots", Limits(DAY, 1000))
    assert album.keep("../../../etc/x", b"jpeg").parent == tmp_path / "snapshots"


def test_the_oldest_makes_room_for_the_newest(tmp_path: Path) -> None:
    album = Album(tmp_path / "snapshots", Limits(DAY, 1000))
    for number in range(5):
        aged(album.keep(incident(number), b"x" * 300), 100 - number)
    assert names(album) == {file_name(incident(n)) for n in (2, 3, 4)}
    album.keep(incident(9), b"x" * 1000)
    assert names(album) == {file_name(incident(9))}


def test_what_is_too_old_goes_even_if_nothing_new_comes(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    earlier = Album(folder, Limits(DAY, 1000))
    aged(earlier.keep(incident(1), b"x"), DAY + 10)
    aged(earlier.keep(incident(2), b"x"), DAY - 100)
    (folder / "left-behind.part").write_bytes(b"of a process that was killed")
    aged(folder / "left-behind.part", DAY + 10)

    Album(folder, Limits(DAY, 1000)).tidy()  # a new process
    assert names(earlier) == {file_name(incident(2))}


def test_tidying_without_a_folder_is_no_error(tmp_path: Path) -> None:
    Album(tmp_path / "snapshots", Limits(DAY, 1000)).tidy()
    assert not (tmp_path / "snapshots").exists()


def test_a_picture_that_cannot_be_kept_is_told_in_a_sentence_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    album = Album(tmp_path / "snapshots", Limits(DAY, 1000))
    with pytest.raises(AlbumError, match="1001 bytes is more than all may have"):
        album.keep(incident(1), b"x" * 1001)
    (tmp_path / "snapshots").write_text("a file where the folder should be")
    with pytest.raises(AlbumError, match=r"cannot be kept in .*/snapshots: "):
        album.keep(incident(1), b"x")
