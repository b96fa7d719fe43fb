"""Real models, and an Edge TPU library that is real but for the chip."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge_runtime.frame import Image
from tests.integration.inference.edgetpu_twin import make_twin

TWINNED = ("vww_96_int8", "ssd_mobilenet_v1_coco_quant_300")
TWINS = "EDGE_TEST_TWINS"
"""A folder with the twins: where the schema that makes them is not installed."""


@pytest.fixture(scope="session")
def models(data_dir: Path) -> Path:
    return data_dir / "models"


@pytest.fixture(scope="session")
def coco(data_dir: Path) -> Path:
    return data_dir / "labels" / "coco_labels.txt"


@pytest.fixture(scope="session")
def picture(data_dir: Path):
    def read(name: str) -> Image:
        image = cv2.imread(str(data_dir / "images" / name))
        assert image is not None, name
        return image

    return read


@pytest.fixture(scope="session")
def twins(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each model of `TWINNED` and its twin for the Edge TPU."""
    if TWINS in os.environ:
        return Path(os.environ[TWINS])
    folder = tmp_path_factory.mktemp("twins")
    for stem in TWINNED:
        shutil.copy(models / f"{stem}.tflite", folder)
        make_twin(models / f"{stem}.tflite", folder / f"{stem}_edgetpu.tflite")
    return folder


@pytest.fixture(scope="session")
def edgetpu_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    library = tmp_path_factory.mktemp("edgetpu") / "libedgetpu.so.1"
    source = Path(__file__).with_name("fake_edgetpu.c")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True
    )
    return str(library)


@dataclass(frozen=True)
class FakeTpu:
    """What the fake Edge TPU library is told."""

    library: str
    control: Path

    def told(self, words: str) -> None:
        self.control.write_text(words)


@pytest.fixture
def fake_tpu(edgetpu_library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTpu:
    tpu = FakeTpu(edgetpu_library, tmp_path / "control")
    tpu.told("devices=1")
    monkeypatch.setenv("FAKE_EDGETPU", str(tpu.control))
    return tpu
