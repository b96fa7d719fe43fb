"""Which pictures a recipe takes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.config.errors import ConfigError
from model_export.errors import ExportError
from model_export.recipes.data import DataSource, load_data
from model_export.recipes.reading import of_document

SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}


@pytest.fixture
def source(tmp_path: Path) -> DataSource:
    """Three pictures to train on and two to validate with, each with a box."""
    images, boxes = [], []
    for number in range(5):
        name = f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        cv2.imwrite(str(tmp_path / name), pixels)
        split = "train" if number < 3 else "val"
        images.append({"id": number, "file_name": name, "width": 40, "height": 40, "split": split})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [5, 5, 20, 20]})
    annotations = tmp_path / "annotations.json"
    categories = [{"id": 1, "name": "person"}]
    annotations.write_text(
        json.dumps({"images": images, "annotations": boxes, "categories": categories})
    )
    return DataSource(tmp_path, annotations, SHARES, exclude=tmp_path / "excluded.txt")


def test_what_is_excluded_is_in_no_part_and_another_list_is_other_data(source: DataSource) -> None:
    assert source.exclude is not None
    source.exclude.write_text("")
    whole = load_data(source)
    source.exclude.write_text("1.png\n\n4.png\n")
    found = load_data(source)
    assert [picture.path.name for picture in found.train.pictures] == ["0.png", "2.png"]  # type: ignore[union-attr]
    assert [picture.path.name for picture in found.test.pictures] == ["3.png"]  # type: ignore[union-attr]
    assert found.sha256 != whole.sha256


def test_a_list_that_names_what_is_not_there_or_is_missing_is_told(source: DataSource) -> None:
    assert source.exclude is not None
    with pytest.raises(ExportError, match=r"excluded\.txt cannot be read: No such file"):
        load_data(source)
    source.exclude.write_text("other.png\n")
    with pytest.raises(ExportError, match=r"excludes other\.png, which the annotations do not"):
        load_data(source)


def test_a_recipe_without_boxes_excludes_nothing() -> None:
    with pytest.raises(ConfigError, match="exclude is for pictures with boxes"):
        of_document({"name": "a", "data": {"folder": "f", "exclude": "x.txt"}}, "recipe")
