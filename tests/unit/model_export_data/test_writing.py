from __future__ import annotations

from pathlib import Path

import pytest

from model_export import writing
from model_export.errors import ExportError


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")
    writing.write_whole(path, b"after")
    assert path.read_bytes() == b"after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]


def test_a_failure_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(ExportError, match=r"model.tflite cannot be written: No space left"):
        writing.write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]


def test_places_that_cannot_be_written_to_are_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the folder .*none for a does not exist: make it first"):
        writing.write_whole(tmp_path / "none" / "a", b"")
    with pytest.raises(ExportError, match="is a folder: name the file that is to be written"):
        writing.write_whole(tmp_path, b"")
