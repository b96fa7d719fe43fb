"""The command that trains the person detector, gone through in small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from model_export.architectures.spec import Detector
from model_export.training.devices import has_accelerator
from model_export.weights import load

pytestmark = pytest.mark.usefixtures("keras")
ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "examples/recipes/person_training.py"
EACH = 16


@pytest.fixture(scope="module")
def small(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data with a few pictures of each kind, in a tar as the others are."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("models", "labels"):
        (folder / name).symlink_to(data_dir / name)
    source, into = (root / "images/person_boxes" for root in (data_dir, folder))
    into.mkdir(parents=True)
    document = json.loads((source / "annotations.json").read_text(encoding="utf-8"))
    excluded = SCRIPT.with_name("person-excluded.txt").read_text(encoding="utf-8").split()
    with tarfile.open(source / "images-0.tar") as whole:
        images = [i for i in document["images"] if i["file_name"] in set(whole.getnames())]
        kinds = (
            [i for i in images if i["split"] == "train" and i["file_name"] not in excluded],
            [i for i in images if i["split"] == "val"],
            [i for i in images if i["origin"] == "scene15-negative"],
        )
        document["images"] = [image for kind in kinds for image in kind[:EACH]]
        with tarfile.open(into / "images-0.tar", "w") as part:
            for image in document["images"]:
                member = whole.getmember(image["file_name"])
                part.addfile(member, whole.extractfile(member))
    numbers = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in numbers]
    (into / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def trained(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        cwd=ROOT,
        # Most of the time it compiles; what is compiled need not be fast.
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
def test_a_trial_goes_all_the_way_to_a_network_like_the_one_that_ships(
    small: Path, tmp_path: Path
) -> None:
    pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")
    done = trained(small, tmp_path / "out", "--trial")
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("whole", "pupil", "again"):
        assert f" {name}: 1 epochs" in done.stdout
    whole, person = (load(tmp_path / "out" / name) for name in ("whole.npz", "person.npz"))
    shipped = load(SCRIPT.with_name("person.npz"))
    shapes = [
        {name: found.kernel.shape for name, found in each.weights.items()}
        for each in (person, shipped)
    ]
    assert shapes[0] == shapes[1]
    assert isinstance(person.network, Detector)
    assert isinstance(whole.network, Detector)
    assert person.network.backbone.input.height == 64
    assert whole.network.backbone.input.height == 96
    assert all(np.isfinite(found.kernel).all() for found in person.weights.values())


def test_without_a_gpu_it_says_so_at_once(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="needs JAX, which trains on accelerators")
    if has_accelerator():
        pytest.skip("there is an accelerator")
    done = trained(small, tmp_path / "out")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("person_training: JAX has no GPU here, and without one this takes weeks")
    assert not (tmp_path / "out").exists()
