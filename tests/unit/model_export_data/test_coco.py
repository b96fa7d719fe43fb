from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_export.datasets.checks import check_boxed
from model_export.datasets.coco import Box, read_coco
from model_export.datasets.crops import crops
from model_export.errors import ExportError
from tests.unit.model_export_data.conftest import save, scene


def document(**changes: Any) -> dict[str, Any]:
    return {
        "categories": [{"id": 7, "name": "person"}, {"id": 2, "name": "bag"}],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 96, "height": 80, "split": "train"},
            {"id": 5, "file_name": "b.png", "width": 96, "height": 80, "origin": "lobby"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 3, 45, 60], "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [50, 3, 10, 10], "iscrowd": 1},
        ],
    } | changes


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number, name in enumerate("ab"):
        save(tmp_path / "images" / f"{name}.png", scene(number))
    return tmp_path / "images"


def write(folder: Path, content: Any) -> Path:
    path = folder / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_boxes_come_with_their_pictures_and_classes_in_the_order_of_ids(
    images: Path, tmp_path: Path
) -> None:
    data = read_coco(write(tmp_path, document()), images)
    assert data.classes == ("bag", "person")
    first, second = data.pictures
    assert first.boxes == (Box(2, 3, 45, 60, 1), Box(50, 3, 10, 10, 0, crowd=True))
    assert (first.split, second.split, second.boxes) == ("train", "", ())
    assert (first.origin, second.origin) == ("", "lobby")
    assert first.read().shape == (80, 96, 3)
    assert check_boxed(data) == ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{not json", "are no JSON: Expecting property name enclosed in double quotes in line 1"),
        ([], "is no COCO JSON: list indices must be integers or slices, not str"),
        (document(images=[]), "annotation 1 is for image 1, which is not in it"),
        (document(images=[], annotations=[]), "lists no pictures"),
        (document(categories=[{"id": 7, "name": "person"}]), "is for category 2, which is not"),
        ({"images": []}, "is no COCO JSON: 'categories' is missing in it"),
        (
            document(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2]}]),
            "is no COCO JSON: not enough values to unpack",
        ),
    ],
)
def test_what_is_no_coco_json_is_said_in_a_sentence(
    content: Any, sentence: str, images: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ExportError) as caught:
        read_coco(path, images)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_files_are_said_in_a_sentence(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the annotations .*none.json do not exist"):
        read_coco(tmp_path / "none.json", images)
    with pytest.raises(ExportError, match=r"the folder of pictures .*none does not exist"):
        read_coco(write(tmp_path, document()), tmp_path / "none")


def test_boxes_outside_their_picture_broken_pictures_and_empty_classes_are_all_named(
    images: Path, tmp_path: Path
) -> None:
    boxes = [[90, 3, 20, 10], [2, 3, 0, 10], [-4, 0, 10, 10], [0, 0, 96.5, 80]]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 7, "bbox": box}
        for number, box in enumerate(boxes)
    ]
    (images / "b.png").write_bytes(b"no picture")
    problems = check_boxed(read_coco(write(tmp_path, document(annotations=annotations)), images))
    assert problems[0] == "the class bag has no boxes"
    assert problems[1] == (
        f"the box (90, 3, 20 x 10) reaches out of {images}/a.png, which is 96 x 80"
    )
    assert problems[2] == f"the box (2, 3, 0 x 10) in {images}/a.png has no area"
    assert problems[3].startswith("the box (-4, 0, 10 x 10) reaches out of")
    assert "b.png is not a picture that can be read" in problems[4]
    assert len(problems) == 5


def test_a_picture_of_another_size_than_the_json_says_is_named(
    images: Path, tmp_path: Path
) -> None:
    save(images / "b.png", scene(3, 50, 40))
    (problem,) = check_boxed(read_coco(write(tmp_path, document()), images))
    assert problem == f"{images}/b.png is 50 x 40, and the JSON says 96 x 80"


def test_crops_show_the_object_and_background_touches_no_box(images: Path, tmp_path: Path) -> None:
    data = read_coco(write(tmp_path, document()), images)
    found = crops(data, least=30)
    assert found.classes == ("background", "bag", "person")
    (person,) = [sample for sample in found.samples if sample.label == 2]
    x1, y1, x2, y2 = person.crop or (0, 0, 0, 0)
    assert x1 <= 2 and y1 <= 3 and x2 >= 47 and y2 >= 63
    assert person.read().shape == (y2 - y1, x2 - x1, 3)
    for sample in found.samples:
        if sample.label == 0:
            x1, y1, x2, y2 = sample.crop or (0, 0, 0, 0)
            assert 0 <= x1 < x2 <= 96
            assert 0 <= y1 < y2 <= 80
            for picture in data.pictures:
                for box in picture.boxes if picture.path == sample.path else ():
                    apart = (
                        x2 <= box.x
                        or box.x + box.width <= x1
                        or y2 <= box.y
                        or box.y + box.height <= y1
                    )
                    assert apart
    assert crops(data, least=30) == found
