"""Crops of persons and of background from real pictures, and models made of the real ones."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.inference.model import ModelSettings
from model_export.calibration import calibration
from model_export.conversion import float_tflite
from model_export.datasets.coco import BoxedPictures, read_coco
from model_export.datasets.crops import crops
from model_export.datasets.samples import LabelledPictures
from model_export.datasets.splits import choose_for_calibration, split_by_group
from model_export.quantization import Calibration, read_float
from model_export.scoring import Scored, score

RANGE = (0.0, 1.0)
"""What vww_96 was trained with."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what is missing, and where it is wanted."""
    missing = [name for name in ("ai_edge_quantizer", "tensorflow") if not find_spec(name)]
    if missing:
        lacking = pytest.mark.skip(
            reason=f"{missing[0]} is not installed: pip install 'edge-runtime[export]'"
        )
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(lacking)


@pytest.fixture(scope="session")
def models(data_dir: Path) -> Path:
    return data_dir / "models"


@pytest.fixture(scope="session")
def boxed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> BoxedPictures:
    """The pictures of the first tar with their person boxes."""
    source = data_dir / "images" / "person_boxes"
    folder = tmp_path_factory.mktemp("person_boxes")
    with tarfile.open(source / "images-0.tar") as tar:
        tar.extractall(folder, filter="data")
    data = read_coco(source / "annotations.json", folder)
    return data.where(lambda picture: picture.path.exists())


@pytest.fixture(scope="session")
def parts(boxed: BoxedPictures) -> dict[str, LabelledPictures]:
    """Crops: ``train`` to calibrate on, ``test`` from other pictures."""
    data = crops(boxed)
    paths = {path: number for number, path in enumerate({s.path: 0 for s in data.samples})}
    groups = np.array([paths[sample.path] for sample in data.samples])
    labels = [sample.label for sample in data.samples]
    split = split_by_group(labels, groups, {"train": 0.8, "test": 0.2})
    return {name: data.at(indexes) for name, indexes in split.items()}


@pytest.fixture(scope="session")
def float_model(models: Path) -> bytes:
    """The reference in float, without its Keras source."""
    return read_float(models / "vww_96_float.tflite")


@pytest.fixture(scope="session")
def converted(models: Path) -> bytes:
    """The reference's Keras source, converted."""
    return float_tflite(models / "vww_96.h5")


@pytest.fixture(scope="session")
def calibrated(parts: dict[str, LabelledPictures], float_model: bytes) -> Calibration:
    train = parts["train"]
    chosen = train.at(choose_for_calibration([sample.label for sample in train.samples]))
    return calibration(float_model, (sample.read() for sample in chosen.samples), RANGE)


@pytest.fixture(scope="session")
def scores(parts: dict[str, LabelledPictures]) -> Callable[[Path], Scored]:
    """What a model says of the test crops."""
    return lambda path: score(ModelSettings(path, range=RANGE), parts["test"])


def decisions(scored: Scored) -> NDArray[np.int64]:
    return scored.scores.argmax(axis=1)


def agreement(a: Scored, b: Scored) -> float:
    return float((decisions(a) == decisions(b)).mean())
