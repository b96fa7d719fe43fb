from __future__ import annotations

from pathlib import Path

import pytest

from model_export.datasets.checks import check_labelled, require
from model_export.datasets.folders import read_folders
from model_export.errors import ExportError
from tests.unit.model_export_data.conftest import save, scene


def test_each_folder_is_a_class_in_the_order_of_names(folders: Path) -> None:
    data = read_folders(folders)
    assert data.classes == ("covered", "open")
    assert data.counts() == {"covered": 6, "open": 6}
    assert [sample.path.name for sample in data.samples[:2]] == ["0.png", "1.png"]
    assert data.samples[0].read().shape == (80, 96, 3)


def test_classes_take_the_order_that_a_model_has(folders: Path) -> None:
    data = read_folders(folders, ("open", "covered"))
    assert data.classes == ("open", "covered")
    assert data.samples[0].path.parent.name == "open"
    assert data.samples[0].label == 0


def test_pictures_below_a_class_count_and_other_files_do_not(folders: Path) -> None:
    save(folders / "open" / "more" / "a.jpg", scene(7))
    (folders / "open" / "notes.txt").write_text("no picture")
    (folders / ".cache").mkdir()
    assert read_folders(folders).counts() == {"covered": 6, "open": 7}


def test_what_cannot_be_read_is_said_in_a_sentence(folders: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    empty = tmp_path / "empty"
    empty.mkdir()
    hollow = tmp_path / "hollow"
    (hollow / "class").mkdir(parents=True)
    for root, classes, sentence in (
        (tmp_path / "none", None, "does not exist"),
        (file, None, "is a file: name the folder that holds one folder for each class"),
        (empty, None, "holds no folders: one for each class is needed"),
        (hollow, None, "hold no pictures (.bmp, .jpeg, .jpg"),
        (
            folders,
            ("person", "nobody"),
            "are covered, open, and the model's classes are person, nobody: "
            "they have to be the same",
        ),
    ):
        with pytest.raises(ExportError) as caught:
            read_folders(root, classes)
        assert sentence in str(caught.value)
        assert str(root) in str(caught.value)


def test_all_broken_pictures_and_empty_classes_are_named_at_once(folders: Path) -> None:
    (folders / "nobody").mkdir()
    whole = (folders / "open" / "1.png").read_bytes()
    (folders / "open" / "1.png").write_bytes(whole[:40])
    (folders / "covered" / "2.png").write_bytes(b"no picture")
    problems = check_labelled(read_folders(folders))
    assert problems[0] == "the class nobody has no pictures"
    assert [name in text for name, text in zip(("2.png", "1.png"), problems[1:], strict=True)] == [
        True,
        True,
    ]
    with pytest.raises(ExportError, match=r"^the data has 3 problems:\n  the class nobody"):
        require(problems)


def test_good_data_has_no_problems(folders: Path) -> None:
    require(check_labelled(read_folders(folders)))


def test_of_very_many_problems_the_first_twenty_are_told() -> None:
    with pytest.raises(ExportError) as caught:
        require(tuple(f"problem {number}" for number in range(50)))
    assert str(caught.value).endswith("problem 19\n  and 30 more")
