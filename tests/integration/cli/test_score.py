"""`edge-runtime score` on the real clip, and on a folder of pictures with truths made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.daemon import edge_runtime
from tests.segments import FPS, VISITS

PERSON, NOBODY = "squat.jpg", "parrot.jpg"


@pytest.fixture(scope="session")
def album_of_one_visit(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pictures, one a second; a person is there from 3 s to 7 s."""
    folder = tmp_path_factory.mktemp("visit")
    for number in range(12):
        name = PERSON if 3 <= number < 8 else NOBODY
        (folder / f"{number:02}.jpg").symlink_to(data_dir / "images" / name)
    return folder


@pytest.fixture(scope="session")
def rules(data_dir: Path) -> list[str]:
    """The arguments that name the real detector and one rule."""
    return [
        *("--model", f"{data_dir}/models/ssd_mobilenet_v1_coco_quant_300.tflite"),
        *("--labels", f"{data_dir}/labels/coco_labels.txt"),
        *("--presence", "person=1.0"),
    ]


def truth(path: Path, events: list[dict[str, Any]], **members: Any) -> Path:
    path.write_text(json.dumps({"version": 1, "events": events} | members))
    return path


def scored(*arguments: object) -> dict[str, Any]:
    done = edge_runtime("score", *arguments, "--json", timeout=110)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def presence(start: float, end: float) -> dict[str, Any]:
    return {"kind": "presence", "start": start, "end": end}


def test_the_six_visits_of_the_real_clip_are_all_told_and_nothing_else(
    clip: Path, detector: str, tmp_path: Path
) -> None:
    config = tmp_path / "lobby.toml"
    config.write_text(
        f'[device]\nsite = "paris-12"\nname = "atm-1"\n{detector}\n'
        '[[cameras]]\nname = "hall"\nsource = "rtsp://camera.invalid/1"\n'
        '[[rules]]\nkind = "presence"\nseconds = 1.0\nclasses = ["person"]\n'
    )
    path = truth(tmp_path / "t.json", [presence(a / FPS, b / FPS) for a, b in VISITS])
    report = scored(clip, path, "--config", config)
    total = report["total"]
    assert (total["true"], total["false"], total["missed"]) == (6, 0, 0)
    assert (total["precision"], total["recall"], total["f1"]) == (1, 1, 1)
    assert all(0.5 <= delay <= 2.5 for delay in total["delays"])
    low, high = total["false_per_hour_interval"]
    assert (low, high) == (0, pytest.approx(3.689 / (139.3 / 3600), rel=1e-3))
    assert report["unjudged"] == {}


def test_what_is_missed_what_is_false_and_what_is_not_judged(
    album_of_one_visit: Path, rules: list[str], tmp_path: Path
) -> None:
    late = truth(tmp_path / "late.json", [presence(6, 9), presence(9, 10)])
    found = scored(album_of_one_visit, late, *rules)["total"]
    assert (found["true"], found["false"], found["missed"]) == (0, 1, 2)
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)
    other = truth(tmp_path / "other.json", [], kinds=["crowd"])
    report = scored(album_of_one_visit, other, *rules)
    assert report["unjudged"] == {"presence": 1}
    assert report["total"]["f1"] is None


def test_tracks_are_scored_where_the_truth_has_them(
    album_of_one_visit: Path, rules: list[str], tmp_path: Path
) -> None:
    told = edge_runtime("replay", album_of_one_visit, *rules, "--json")
    box = json.loads(told.stdout.splitlines()[0])["data"]["boxes"][0]
    walk = {"id": 7, "boxes": [[3, *box], [7, *box]]}
    path = truth(tmp_path / "t.json", [presence(3, 7)], tracks=[walk])
    tracks = scored(album_of_one_visit, path, *rules)["tracks"]
    assert (tracks["boxes"], tracks["objects"], tracks["switches"]) == (5, 1, 0)
    assert tracks["missed"] == 1  # a track is believed at the second sighting
    assert tracks["mota"] == pytest.approx(1 - 1 / 5)


def test_without_json_it_is_a_table(
    album_of_one_visit: Path, rules: list[str], tmp_path: Path
) -> None:
    path = truth(tmp_path / "t.json", [presence(3, 7)])
    done = edge_runtime("score", album_of_one_visit, path, *rules)
    heads, row, total, rate = done.stdout.splitlines()
    assert heads.split() == [
        *("kind", "true", "false", "missed", "precision", "recall", "F1", "delay")
    ]
    assert row.split() == ["presence", "1", "0", "0", "100.0%", "100.0%", "100.0%", "1.0", "s"]
    assert total.split()[0] == "all"
    assert rate.startswith("false alarms an hour: 0.00, with 95% confidence 0.00 to ")


def test_a_truth_that_is_wrong_is_said_to_be_so_before_anything_is_replayed(
    tmp_path: Path,
) -> None:
    path = truth(tmp_path / "t.json", [{"kind": "presence", "start": 3}])
    done = edge_runtime("score", "no-such-clip.mp4", path)
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-runtime: the truth file {path} is not right: events[0].end: it is missing\n"
    )


def test_a_draft_that_is_scored_as_it_is_has_full_marks(
    album_of_one_visit: Path, rules: list[str], tmp_path: Path
) -> None:
    sheet = tmp_path / "moments.png"
    done = edge_runtime("annotate", album_of_one_visit, *rules, "--tracks", "--sheet", sheet)
    assert "correct it" in done.stderr
    assert cv2.imread(str(sheet)) is not None
    path = tmp_path / "draft.json"
    path.write_text(done.stdout)
    draft = json.loads(done.stdout)
    assert draft["events"] == [presence(3.0, 7.0)]
    assert [row[0] for row in draft["tracks"][0]["boxes"]] == [4, 5, 6, 7]
    report = scored(album_of_one_visit, path, *rules)
    assert (report["total"]["f1"], report["tracks"]["idf1"]) == (1, 1)
