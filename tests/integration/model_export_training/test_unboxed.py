"""A real detector looks for persons that nobody put a box around, and for what is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.capture.images import read_image
from edge_runtime.inference.model import ModelSettings
from model_export.datasets import sightings
from model_export.datasets.coco import Box, BoxedPicture, BoxedPictures
from model_export.datasets.sightings import Sightings
from model_export.datasets.things import things
from model_export.datasets.unboxed import with_crowds
from model_export.errors import ExportError


@pytest.fixture(scope="module")
def settings(data_dir: Path) -> ModelSettings:
    return ModelSettings(
        data_dir / "models/ssd_mobilenet_v1_coco_quant_300.tflite",
        data_dir / "labels/coco_labels.txt",
        "cpu",
    )


def unboxed(path: Path) -> BoxedPictures:
    """One picture, and no box."""
    height, width = read_image(path).shape[:2]
    return BoxedPictures(("person",), (BoxedPicture(1, path, width, height, ()),))


@pytest.fixture(scope="module")
def portrait(data_dir: Path) -> BoxedPictures:
    return unboxed(data_dir / "images/grace_hopper.jpg")


@pytest.fixture(scope="module")
def seen(settings: ModelSettings, portrait: BoxedPictures) -> Sightings:
    told: list[float] = []
    found = sightings.look(portrait, settings, told.append)
    assert told == [1.0]
    return found


def test_a_person_without_a_box_becomes_a_crowd(portrait: BoxedPictures, seen: Sightings) -> None:
    (found,) = with_crowds(portrait, seen).pictures
    (crowd,) = found.boxes
    assert crowd.crowd
    assert crowd.label == 0
    assert crowd.width * crowd.height > 0.4 * found.width * found.height
    corners = np.array([crowd.x, crowd.y, crowd.x + crowd.width, crowd.y + crowd.height])
    assert (corners >= 0).all()
    assert (corners <= [found.width, found.height] * 2).all()


def test_what_has_a_box_stays_as_it_is(portrait: BoxedPictures, seen: Sightings) -> None:
    (picture,) = portrait.pictures
    box = Box(0.05 * picture.width, 0, 0.9 * picture.width, picture.height, 0)
    boxed = replace(portrait, pictures=(replace(picture, boxes=(box,)),))
    assert with_crowds(boxed, seen) == boxed


def test_data_of_several_classes_are_refused(portrait: BoxedPictures, seen: Sightings) -> None:
    with pytest.raises(ExportError, match="in data of one class, not 2"):
        with_crowds(replace(portrait, classes=("person", "cat")), seen)


def test_what_was_seen_is_kept_in_a_file(seen: Sightings, tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    sightings.save(path, seen)
    assert sightings.load(path) == seen
    assert seen["grace_hopper.jpg"][0].label == "person"


@pytest.mark.parametrize("content", ["", "[]", '{"a.jpg": [["person", 0.5]]}', '{"a.jpg": 3}'])
def test_a_file_of_something_else_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ExportError, match="does not hold what a detector saw: remove it"):
        sightings.load(path)


def test_animals_without_anybody_are_things(settings: ModelSettings, data_dir: Path) -> None:
    pets = unboxed(data_dir / "images/pets.jpg")
    found = things(pets, sightings.look(pets, settings), most=9, seed=0)
    assert {"cat", "dog"} & {thing.label for thing in found}
    for thing in found:
        assert thing.read().shape == (thing.bottom - thing.top, thing.right - thing.left, 3)
