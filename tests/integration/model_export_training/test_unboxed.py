"""A real detector looks for persons that nobody put a box around."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.capture.images import read_image
from edge_runtime.inference.model import ModelSettings
from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.datasets.unboxed import with_crowds
from model_export.errors import ExportError


@pytest.fixture(scope="module")
def settings(data_dir: Path) -> ModelSettings:
    return ModelSettings(
        data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite",
        data_dir / "labels/coco_labels.txt",
        "cpu",
    )


@pytest.fixture(scope="module")
def portrait(data_dir: Path) -> BoxedPictures:
    """One person, and no box."""
    path = data_dir / "images/grace_hopper.jpg"
    height, width = read_image(path).shape[:2]
    return BoxedPictures(("person",), (BoxedPicture(1, path, width, height, ()),))


def test_a_person_without_a_box_becomes_a_crowd(
    settings: ModelSettings, portrait: BoxedPictures
) -> None:
    told: list[float] = []
    (found,) = with_crowds(portrait, settings, told.append).pictures
    (crowd,) = found.boxes
    assert crowd.crowd
    assert crowd.label == 0
    assert crowd.width * crowd.height > 0.4 * found.width * found.height
    corners = np.array([crowd.x, crowd.y, crowd.x + crowd.width, crowd.y + crowd.height])
    assert (corners >= 0).all()
    assert (corners <= [found.width, found.height] * 2).all()
    assert told == [1.0]


def test_what_has_a_box_stays_as_it_is(settings: ModelSettings, portrait: BoxedPictures) -> None:
    (picture,) = portrait.pictures
    box = Box(0.05 * picture.width, 0, 0.9 * picture.width, picture.height, 0)
    boxed = replace(portrait, pictures=(replace(picture, boxes=(box,)),))
    assert with_crowds(boxed, settings) == boxed


def test_data_of_several_classes_are_refused(
    settings: ModelSettings, portrait: BoxedPictures
) -> None:
    with pytest.raises(ExportError, match="in data of one class, not 2"):
        with_crowds(replace(portrait, classes=("person", "cat")), settings)
