"""What steps made is found again under the hash of what went into it, and only when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_export.errors import ExportError
from model_export.recipes.cache import Cache, file_hash, key_of


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "steps")
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "model").write_bytes(b"made")

    first, reused = cache.folder("ab" * 32, make)
    again, reused_again = cache.folder("ab" * 32, make)
    assert (reused, reused_again, len(calls)) == (False, True, 1)
    assert first == again
    assert (again / "model").read_bytes() == b"made"
    assert cache.folder("cd" * 32, make)[1] is False


def test_what_was_interrupted_is_not_there(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "steps")

    def stop(folder: Path) -> None:
        (folder / "model").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.folder("ab" * 32, stop)
    assert list((tmp_path / "steps").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "steps").write_text("a file")
    with pytest.raises(ExportError, match=r"steps cannot be written: "):
        Cache(tmp_path / "steps").folder("ab" * 32, lambda _: None)


def test_keys_depend_on_what_is_in_them_and_not_on_its_order() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_a_folders_hash_is_that_of_its_files_and_their_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "variables").mkdir(parents=True)
        (tmp_path / name / "variables" / "data").write_bytes(b"weights")
    assert file_hash(tmp_path / "one") == file_hash(tmp_path / "two")
    (tmp_path / "two" / "variables" / "data").rename(tmp_path / "two" / "data")
    assert file_hash(tmp_path / "one") != file_hash(tmp_path / "two")
    with pytest.raises(ExportError, match="none does not exist"):
        file_hash(tmp_path / "none")
