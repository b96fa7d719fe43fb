"""From a model to a bundle on a board: what is made is read, tried, installed and run."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.bundle import golden
from edge_runtime.bundle.errors import BundleError, GoldenError
from edge_runtime.bundle.reading import read
from edge_runtime.bundle.settings import model_settings
from edge_runtime.bundle.store import install, load
from edge_runtime.bundle.trust import TrustedKeys
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import ModelSettings, load_detector
from model_export.bundling import make_bundle
from model_export.signing import SigningKey
from tests.integration.bundle.conftest import Bundled, Parts

DETECTOR = {
    "name": "coco",
    "model": "ssd_mobilenet_v1_coco_quant_300.tflite",
    "labels": "coco_labels.txt",
    "golden": "pets.jpg",
}


def test_a_detector_travels_to_a_board_and_sees_the_same(
    tmp_path: Path, parts: Parts, bundled: Bundled, trusted: TrustedKeys, data_dir: Path
) -> None:
    created = datetime(2026, 11, 23, tzinfo=UTC)
    thresholds = {"threshold": 0.45, "thresholds": {"dog": 0.6}}
    what = parts(**DETECTOR, **thresholds, quality={"ap50": 0.476}, created=created)
    bundle = bundled(what)
    manifest = bundle.manifest
    assert (manifest.task, manifest.outputs.kind) == ("detector", "ssd")
    assert manifest.input.shape == (1, 300, 300, 3)
    assert manifest.quality == {"ap50": 0.476}
    assert manifest.provenance.created == created
    assert [sighting.label for sighting in manifest.golden.sightings] == ["dog", "dog"]

    install(bundle, tmp_path / "store")
    installed = load(tmp_path / "store", "coco", trusted)
    detector = load_detector(model_settings(installed.manifest, installed.folder))
    image = cv2.imread(str(data_dir / "images" / "cat_720p.jpg"))
    found = detector.detect(image)
    original = load_detector(ModelSettings(what.model, labels=what.labels, **thresholds))
    expected = original.detect(image)
    assert len(found) >= 1
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert detector.identity.version == "1"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "vww_96_int8.tflite"},
        {"model": "vww_96_float.tflite", "range": (0.0, 1.0)},
        {"model": "yolov5_tiny_person_192_int8.tflite", "labels": ("person",)},
        {
            "model": "face_detection_short_range.tflite",
            "labels": ("face",),
            "golden": "face.jpg",
        },
    ],
    ids=lambda changes: changes["model"],
)
def test_every_kind_of_model_can_be_bundled_and_installed(
    changes: dict[str, object], tmp_path: Path, parts: Parts, bundled: Bundled
) -> None:
    installed = install(bundled(parts(**changes)), tmp_path / "store")
    assert installed.manifest.golden.sightings[0].score > 0.6


def test_the_same_parts_give_the_same_bytes(tmp_path: Path, parts: Parts, key: SigningKey) -> None:
    what = parts(created=datetime(2026, 11, 23, tzinfo=UTC))
    one, other = (make_bundle(what, key, tmp_path / name) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_the_twin_for_the_edge_tpu_travels_along(
    tmp_path: Path, parts: Parts, bundled: Bundled
) -> None:
    what = parts(
        name="birds",
        model="mobilenet_v1_0.25_128_quant.tflite",
        edgetpu="mobilenet_v1_0.25_128_quant_edgetpu.tflite",
        labels="imagenet_labels.txt",
        golden="parrot.jpg",
    )
    installed = install(bundled(what), tmp_path / "store")
    settings = model_settings(installed.manifest, installed.folder)
    assert settings.edgetpu_path == installed.folder / "model_edgetpu.tflite"
    assert load_detector(settings).status().backend == "litert-cpu"  # there is no TPU here
    with pytest.raises(EdgeRuntimeError, match="is not compiled for the Edge TPU: run edgetpu_com"):
        bundled(replace(what, edgetpu=what.model, version=2))


# What cannot be bundled


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": Path("none.tflite")}, "model none.tflite does not exist"),
        ({"model": "bad_quantized_dimension.tflite"}, "is rejected by the interpreter"),
        ({"model": "bad_invoking_error.tflite"}, "bad_invoking_error"),
        ({"labels": ("person",)}, "tells 2 classes apart and there are 1 labels"),
        ({"labels": Path("none.txt")}, "the labels file none.txt does not exist"),
        ({"labels": ("none", "per\nson")}, "the label 'per\\nson' is not one line of text"),
        ({"golden": Path("none.png")}, "the picture none.png cannot be read"),
        ({"golden": "../models/vww_96_int8.tflite"}, "is not a picture that OpenCV reads"),
        ({"card": Path("none.md")}, "the model card none.md cannot be read: No such file"),
        ({"recipe": Path("none.toml")}, "the recipe none.toml cannot be read: No such file"),
        ({"name": "VWW"}, "name: String should match pattern"),
        ({"version": 0}, "version: Input should be greater than or equal to 1"),
        ({"threshold": 1.0}, "threshold: Input should be less than 1"),
        ({"thresholds": {"cat": 0.5}}, '"cat" is none of the labels'),
        ({"quality": {"accuracy": float("nan")}}, "quality.accuracy: Input should be a finite"),
        ({"output": "ssd"}, "are not those of ssd"),
        ({"output": "poem"}, 'there is no output kind "poem"'),
        ({"range": (1.0, 0.0)}, "range = [1.0, 0.0] is not a lower and an upper value"),
        ({"score_tolerance": 0.7}, "sees nothing in"),
    ],
    ids=lambda value: f"{next(iter(value))}" if isinstance(value, dict) else "",
)
def test_what_cannot_be_bundled_is_told_and_leaves_nothing_behind(
    changes: dict[str, object], sentence: str, tmp_path: Path, parts: Parts, key: SigningKey
) -> None:
    with pytest.raises(EdgeRuntimeError) as error:
        make_bundle(parts(**changes), key, tmp_path)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_picture_without_anything_in_it_is_told(
    tmp_path: Path, parts: Parts, bundled: Bundled
) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((100, 100, 3), 128, np.uint8))
    yolo = "yolov5_tiny_person_192_int8.tflite"
    with pytest.raises(EdgeRuntimeError, match=r"the model sees nothing in .*grey\.png"):
        bundled(parts(model=yolo, labels=("person",), golden=grey))


def test_a_bundle_is_not_overwritten(tmp_path: Path, parts: Parts, key: SigningKey) -> None:
    (tmp_path / "vww-1.edgebundle").write_text("precious")
    with pytest.raises(EdgeRuntimeError, match="is there already: give the bundle a higher"):
        make_bundle(parts(), key, tmp_path)
    assert (tmp_path / "vww-1.edgebundle").read_text() == "precious"
    with pytest.raises(EdgeRuntimeError, match=r"cannot be made \(.*: Not a directory\)"):
        make_bundle(parts(), key, tmp_path / "vww-1.edgebundle" / "inside")


# What does not work on a board, though it is signed


@pytest.fixture
def staged(tmp_path: Path, parts: Parts, bundled: Bundled) -> Path:
    """The files of a good bundle in a folder."""
    folder = tmp_path / "staged"
    folder.mkdir()
    for name, content in bundled(parts()).members().items():
        (folder / name).write_bytes(content)
    return folder


def _changed(staged: Path, **changes: object) -> Path:
    manifest = staged / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | changes))
    return staged


def test_a_good_bundle_passes_its_trial(staged: Path) -> None:
    golden.prove(staged)


def test_a_model_that_sees_something_else_fails_its_trial(staged: Path) -> None:
    image = cv2.imread(str(staged / "golden.png"))
    cv2.imwrite(str(staged / "golden.png"), 255 - image)
    with pytest.raises(GoldenError, match=r"vww 1 does not see in golden\.png what it saw"):
        golden.prove(staged)


def test_a_model_of_another_input_fails_its_trial(staged: Path, data_dir: Path) -> None:
    shutil.copy(data_dir / "models" / "vww_96_float.tflite", staged / "model.tflite")
    with pytest.raises(
        GoldenError, match=r"takes float32\[1,96,96,3\], and its manifest says int8"
    ):
        golden.prove(staged)


def test_a_model_that_cannot_be_run_fails_its_trial(staged: Path, data_dir: Path) -> None:
    shutil.copy(data_dir / "models" / "bad_invoking_error.tflite", staged / "model.tflite")
    with pytest.raises(GoldenError, match=r"model\.tflite"):
        golden.prove(staged)


def test_wrong_settings_fail_the_trial(staged: Path) -> None:
    stated = json.loads((staged / "manifest.json").read_bytes())["input"]
    with pytest.raises(GoldenError, match="does not see"):
        golden.prove(_changed(staged, input=stated | {"range": [0.0, 2.0]}))


def test_a_twin_that_is_none_fails_the_trial(staged: Path) -> None:
    shutil.copy(staged / "model.tflite", staged / "model_edgetpu.tflite")
    manifest = json.loads((staged / "manifest.json").read_bytes())
    twin = manifest["files"][0] | {"name": "model_edgetpu.tflite"}
    files = [manifest["files"][0], twin, *manifest["files"][1:]]
    with pytest.raises(GoldenError, match=r"model_edgetpu\.tflite is not compiled for the Edge"):
        golden.prove(_changed(staged, files=files))


def test_a_child_that_crashes_or_hangs_is_told(
    staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LiteRT that dies, as one does on a damaged file, and one that never answers."""
    broken = tmp_path / "broken" / "ai_edge_litert"
    broken.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(broken.parent), *sys.path])
    (broken / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(GoldenError, match=r"is damaged: it crashed the interpreter \(SIGSEGV\)"):
        golden.prove(staged)
    (broken / "__init__.py").write_text("import time; time.sleep(60)")
    with pytest.raises(GoldenError, match=r"was not loaded and tried within 1\.5 s"):
        golden.prove(staged, timeout=1.5)


def test_a_bundle_that_fails_its_trial_is_not_installed(
    tmp_path: Path, parts: Parts, bundled: Bundled, key: SigningKey, trusted: TrustedKeys
) -> None:
    """The second says of itself that it saw a person with another score."""
    install(bundled(parts()), tmp_path / "store")
    good = bundled(parts(version=2))
    manifest = good.manifest
    other = manifest.golden.sightings[0].model_copy(update={"score": 0.7})
    wrong = manifest.model_copy(
        update={"golden": manifest.golden.model_copy(update={"sightings": (other,)})}
    )
    content = wrong.to_json()
    bad = replace(good, manifest=wrong, manifest_bytes=content, signature=key.sign(content))
    with pytest.raises(GoldenError, match=r"person with score 0\.700 .* is expected, and person"):
        install(bad, tmp_path / "store")
    assert load(tmp_path / "store", "vww", trusted).manifest.version == 1
    install(good, tmp_path / "store")
    assert load(tmp_path / "store", "vww", trusted).manifest.version == 2


def test_a_flipped_bit_of_a_real_model_is_refused_before_it_is_looked_at(
    tmp_path: Path, parts: Parts, key: SigningKey, trusted: TrustedKeys
) -> None:
    path = make_bundle(parts(), key, tmp_path)
    content = bytearray(path.read_bytes())
    digest = hashlib.sha256(content).digest()
    for step in range(40):
        at = int.from_bytes(digest[step % 28 : step % 28 + 4], "big") * (step + 1) % len(content)
        content[at] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(BundleError):
            read(path, trusted)
        content[at] ^= 0x10
