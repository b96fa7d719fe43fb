"""`edge-runtime detect`: a table, JSON, or drawn; and the figures of `bench`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.daemon import edge_runtime


@pytest.fixture(scope="session")
def model(data_dir: Path) -> list[str]:
    """The arguments that name the real detector."""
    return [
        *("--model", f"{data_dir}/models/ssd_mobilenet_v1_coco_quant_300.tflite"),
        *("--labels", f"{data_dir}/labels/coco_labels.txt"),
    ]


def test_a_table_has_a_line_an_object(data_dir: Path, model: list[str]) -> None:
    images = [data_dir / "images" / name for name in ("squat.jpg", "parrot.jpg")]
    done = edge_runtime("detect", *images, *model)
    assert done.returncode == 0, done.stderr
    person, *rest = done.stdout.split(str(images[1]))
    assert person.startswith(f"{images[0]} (500 x 610): ")
    assert "%  person " in person
    assert len(rest) == 1
    assert rest[0].startswith(" (512 x 929): ")
    assert "person" not in rest[0]


def test_json_has_boxes_inside_the_picture(data_dir: Path, model: list[str]) -> None:
    done = edge_runtime("detect", data_dir / "images" / "squat.jpg", *model, "--json")
    (line,) = done.stdout.splitlines()
    seen = json.loads(line)
    assert (seen["width"], seen["height"]) == (500, 610)
    best = seen["detections"][0]
    assert best["label"] == "person"
    assert 0.5 <= best["score"] <= 1.0
    x1, y1, x2, y2 = best["box"]
    assert 0 <= x1 < x2 <= 500
    assert 0 <= y1 < y2 <= 610
    assert y2 - y1 > 300  # it fills most of the picture


def test_a_threshold_keeps_the_unsure_out(data_dir: Path, model: list[str]) -> None:
    image = data_dir / "images" / "squat.jpg"
    found = [
        len(json.loads(edge_runtime("detect", image, *model, "--json", *more).stdout)["detections"])
        for more in (("--threshold", "0.2"), ("--threshold", "0.99"))
    ]
    assert found[0] > found[1] == 0


def test_the_drawn_image_is_the_picture_with_boxes_on_it(
    data_dir: Path, model: list[str], tmp_path: Path
) -> None:
    image = data_dir / "images" / "squat.jpg"
    done = edge_runtime("detect", image, *model, "--draw", tmp_path / "deep" / "out")
    assert done.returncode == 0, done.stderr
    drawn = cv2.imread(str(tmp_path / "deep" / "out" / "squat.png"))
    plain = cv2.imread(str(image))
    changed = (cv2.absdiff(drawn, plain).max(axis=2) > 0).mean()
    assert 0.005 < changed < 0.3


def test_bench_tells_every_stage_of_a_real_clip(clip: Path, model: list[str]) -> None:
    done = edge_runtime(
        *("bench", clip, *model, "--presence", "person=0.1"),
        *("--seconds", "3", "--fast", "--no-motion-gate", "--json"),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["frames"] > 20
    assert figures["looked"] == figures["frames"]
    assert {"decode", "motion", "into tensor", "invoke", "outputs", "track", "rules"} <= set(
        figures["stages"]
    )
    assert figures["stages"]["invoke"]["p50"] <= figures["stages"]["invoke"]["p99"]
    assert figures["cpu_ms"] > figures["stages"]["invoke"]["p50"] / 2
