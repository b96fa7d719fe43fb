"""Fixtures: sources that alert often, and the models for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import pytest

from tests.daemon import camera, presence

PERSON, NOBODY = "squat.jpg", "cat.jpg"
"""Pictures on which the small model is sure."""
STAY, BREAK = 5, 5
"""Pictures with and without a person, in turn."""
FPS = 10.0
PAIRS_A_SECOND = FPS / (STAY + BREAK)

Visits = Callable[..., list[str]]


@pytest.fixture(scope="session")
def small_model(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The [model] table of a classifier that takes a tenth of a millisecond."""
    return make_small_model(data_dir, tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="session")
def detector(data_dir: Path) -> str:
    """The [model] table of the real detector."""
    return (
        f'[model]\npath = "{data_dir}/models/ssd_mobilenet_v1_coco_quant_300.tflite"\n'
        f'labels = "{data_dir}/labels/coco_labels.txt"\n'
    )


@pytest.fixture(scope="session")
def clip(data_dir: Path) -> Path:
    """139 s at 10 frames a second, 768x432."""
    return data_dir / "clips" / "one-by-one-person-detection.mp4"


@pytest.fixture(scope="session")
def album(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 10,000 pictures: a person comes and goes every ten."""
    return make_album(data_dir, tmp_path_factory.mktemp("album"))


@pytest.fixture(scope="session")
def visits(album: Path, small_model: str) -> Visits:
    """The tables of a configuration in which a visit starts and ends once a second.

    Its argument is the camera's name; with ``--fast`` hundreds of visits take a second.
    """

    return partial(tables_of_visits, album, small_model)


def make_small_model(data_dir: Path, folder: Path) -> str:
    """The table of `small_model`, with its labels in `folder`."""
    labels = folder / "labels.txt"
    labels.write_text("nobody\nperson\n")
    return f'[model]\npath = "{data_dir}/models/vww_96_int8.tflite"\nlabels = "{labels}"\n'


def small_picture(data_dir: Path, name: str) -> bytes:
    """One of the pictures as JPEG, 128x128."""
    picture = cv2.resize(cv2.imread(str(data_dir / "images" / name)), (128, 128))
    return cv2.imencode(".jpg", picture)[1].tobytes()


def make_album(data_dir: Path, folder: Path) -> Path:
    """Put the pictures of `album` into `folder`."""
    person, nobody = (folder / f"{name}.original" for name in (PERSON, NOBODY))
    person.write_bytes(small_picture(data_dir, PERSON))
    nobody.write_bytes(small_picture(data_dir, NOBODY))
    for number in range(10_000):
        there = number % (STAY + BREAK) >= BREAK
        (folder / f"{number}.jpg").symlink_to(person if there else nobody)
    return folder


def tables_of_visits(album: Path, small_model: str, name: str = "atm") -> list[str]:
    """The configuration of `visits`."""
    source = camera(name, album, f"fps = {FPS}", "motion = {enabled = false}")
    return [small_model, source, presence("presence", "seconds = 0.2", "grace = 0.2")]
