from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.labels import read_labels


@pytest.fixture
def labels(tmp_path: Path):
    def labels(text: str | bytes) -> tuple[str, ...]:
        path = tmp_path / "labels.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_labels(path)

    return labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("person\nbicycle\n", ("person", "bicycle")),
        ("person\r\nstop sign\r\n\r\n", ("person", "stop sign")),
        ("\ufeffperson\n", ("person",)),
        ("0 person\n1 bicycle\n", ("person", "bicycle")),
        ("0: person\n1: stop sign\n", ("person", "stop sign")),
        ("0  person\n2  car\n", ("person", "unused", "car")),
        ("1 bicycle\n0 person\n", ("person", "bicycle")),
        ("3 of hearts\nperson\n", ("3 of hearts", "person")),
    ],
)
def test_one_label_a_line(labels, text: str, expected: tuple[str, ...]) -> None:
    assert labels(text) == expected


def test_the_real_lists_are_read_whole(data_dir: Path) -> None:
    coco = read_labels(data_dir / "labels" / "coco_labels.txt")
    assert (len(coco), coco[0]) == (90, "person")
    imagenet = read_labels(data_dir / "labels" / "imagenet_labels.txt")
    assert (len(imagenet), imagenet[0]) == (1001, "background")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("\n\n", "is empty: one label a line is needed"),
        (b"\xff\xfe\x00p", "is not text in UTF-8"),
        ("0 person\n0 car\n", "gives one number to two labels"),
        ("0 person\n999999999 car\n", "numbers a label 999999999: that is no class"),
    ],
)
def test_a_bad_file_is_one_sentence(labels, content, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        labels(content)


def test_a_missing_file_and_a_directory_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.txt does not exist"):
        read_labels(tmp_path / "no.txt")
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_labels(tmp_path)
