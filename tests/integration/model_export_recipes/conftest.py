"""A few real faces, and recipes that are done in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_export.cli import main

SIZE = 48
COUNT = 60

RECIPE = f"""
name = "face"
[data]
folder = "faces"
train_only = ["*_syn.*"]
[model]
family = "mobilenet_v1"
alpha = 0.25
size = {SIZE}
[[steps]]
name = "whole"
do = "train"
epochs = 1
learning_rate = 0.003
batch = 16
[[steps]]
name = "half"
do = "prune"
macs = 0.5
epochs = 1
batch = 16
[[steps]]
name = "int8"
do = "quantize"
pictures = 20
[bench]
runs = 20
[gate]
max_accuracy_drop = 1.0
max_size = 600_000
[bundle]
version = 1
golden = "golden.jpg"
threshold = 0.5
"""


@pytest.fixture(scope="session")
def root(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """faces/covered and faces/uncovered, with links to 60 real pictures each."""
    folder = tmp_path_factory.mktemp("root")
    for name in ("covered", "uncovered"):
        (folder / "faces" / name).mkdir(parents=True)
        found = sorted((data_dir / "images" / "face_covered" / name).iterdir())
        undrawn = [path for path in found if "_syn" not in path.name]
        # From all over, so that few are nearly the same.
        for path in undrawn[:: len(undrawn) // COUNT][:COUNT]:
            (folder / "faces" / name / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def golden(root: Path) -> bytes:
    return next((root / "faces" / "covered").iterdir()).read_bytes()


@pytest.fixture
def recipe(tmp_path: Path, golden: bytes) -> Callable[[str], Path]:
    def write(text: str = RECIPE) -> Path:
        (tmp_path / "golden.jpg").write_bytes(golden)
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return write


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])
