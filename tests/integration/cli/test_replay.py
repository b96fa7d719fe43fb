"""The acceptance on the real clip, and what else `edge-runtime replay` does."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.broker import wait_for
from tests.daemon import COMMAND, camera, edge_runtime, presence
from tests.segments import EMPTY, FPS, FRAMES, VISITS, assert_are_the_visits

START = "2026-11-23T22:00:00+01:00"


@dataclass(frozen=True)
class Replayed:
    """What came of one replay."""

    lines: list[str]
    errors: str
    video: Path

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture(scope="session")
def model(data_dir: Path) -> list[str]:
    """The arguments that name the real detector."""
    return [
        *("--model", f"{data_dir}/models/ssd_mobilenet_v1_coco_quant_300.tflite"),
        *("--labels", f"{data_dir}/labels/coco_labels.txt"),
    ]


@pytest.fixture(scope="session")
def replayed(clip: Path, model: list[str], tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """The whole clip, replayed and drawn, shared by all that look at it."""
    video = tmp_path_factory.mktemp("film") / "out.mp4"
    done = edge_runtime(
        *("replay", clip, *model, "--presence", "person=1.0", "--json"),
        *("--start", START, "--video", video),
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return Replayed(done.stdout.splitlines(), done.stderr, video)


@pytest.fixture(scope="session")
def short_clip(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 12 s: they end in the middle of the first visit."""
    source = cv2.VideoCapture(str(clip))
    size = (int(source.get(cv2.CAP_PROP_FRAME_WIDTH)), int(source.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    path = tmp_path_factory.mktemp("clip") / "short.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    for _ in range(round(12 * FPS)):
        writer.write(source.read()[1])
    writer.release()
    return path


def test_the_clip_gives_one_pair_of_alerts_a_visit_and_nothing_else(replayed: Replayed) -> None:
    assert_are_the_visits(
        [(each["data"]["state"], each["data"]["media_time"]) for each in replayed.alerts]
    )


def test_standard_output_is_the_alerts_own_json(replayed: Replayed) -> None:
    first, second = replayed.alerts[:2]
    assert first["specversion"] == "1.0"
    assert first["type"] == "io.github.edge-runtime.alert.presence.v1"
    assert first["source"] == "local/replay/clip"
    assert [each["sequence"] for each in replayed.alerts] == [str(n) for n in range(1, 13)]
    assert first["data"]["label"] == "person"
    assert first["data"]["incident"] == second["data"]["incident"]
    assert first["data"]["model"]["name"] == "ssd_mobilenet_v1_coco_quant_300"
    assert len(first["data"]["model"]["sha256"]) == 64
    assert first["time"].startswith("2026-11-23T21:00:0")  # --start, in UTC, and the media time


def test_the_same_clip_gives_the_same_alerts_again(
    replayed: Replayed, short_clip: Path, model: list[str]
) -> None:
    """Byte by byte; the start of the visit stands in the whole clip's output, too."""
    command = ("replay", short_clip, *model, "--presence", "person=1.0", "--json", "--start", START)
    first, again = (edge_runtime(*command).stdout for _ in range(2))
    assert first == again
    started, ended = map(json.loads, again.splitlines())
    assert started["data"]["media_time"] == replayed.alerts[0]["data"]["media_time"]
    assert ended["data"]["reason"] == "camera ended"


def test_without_the_motion_gate_it_finds_the_same_visits(clip: Path, model: list[str]) -> None:
    done = edge_runtime(
        *("replay", clip, *model, "--presence", "person=1.0", "--no-motion-gate"), timeout=110
    )
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert_are_the_visits([(each["data"]["state"], each["data"]["media_time"]) for each in alerts])
    assert f"{FRAMES} frames (139.3 s)" in done.stderr
    assert f"the detector looked at {FRAMES} on litert-cpu; 12 alerts" in done.stderr


def test_the_film_has_every_frame_and_shows_what_was_seen(replayed: Replayed, clip: Path) -> None:
    film, original = (cv2.VideoCapture(str(path)) for path in (replayed.video, clip))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(FPS)
    empty, visited = EMPTY[0][0] + 30, VISITS[0][0] + 40
    # Before the first visit only the caption; then a box around the person, and the alert.
    assert 0 < 3 * _difference(film, original, empty) < _difference(film, original, visited)
    assert [path.name for path in replayed.video.parent.iterdir()] == ["out.mp4"]


def _difference(film: cv2.VideoCapture, original: cv2.VideoCapture, frame: int) -> int:
    """How many pixels of `frame` are of quite another colour than in the original."""
    while original.get(cv2.CAP_PROP_POS_FRAMES) < frame:
        assert film.grab()
        assert original.grab()
    (_, drawn), (_, plain) = film.read(), original.read()
    return int((np.abs(drawn.astype(np.int16) - plain).max(axis=2) > 60).sum())


def test_an_interrupted_film_leaves_nothing_behind(
    clip: Path, model: list[str], tmp_path: Path
) -> None:
    video = tmp_path / "out.mp4"
    process = subprocess.Popen(
        [*COMMAND, "replay", str(clip), *model, "--presence", "person=1.0", "--video", str(video)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: any(tmp_path.iterdir()), "the film is begun")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in output + errors
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_breaks_off_leaves_no_film(
    data_dir: Path, model: list[str], tmp_path: Path
) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "film"
    folder.mkdir()
    out.mkdir()
    (folder / "1.jpg").write_bytes((data_dir / "images" / "squat.jpg").read_bytes())
    (folder / "2.jpg").write_bytes(b"not a picture")
    done = edge_runtime("replay", folder, *model, "--video", out / "out.mp4")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"edge-runtime: {folder}/2.jpg is not a picture that can be read: it is damaged, "
        "incomplete or of another format"
    )
    assert list(out.iterdir()) == []


def test_a_folder_of_images_is_a_clip_of_one_picture_a_second(
    data_dir: Path, model: list[str], tmp_path: Path
) -> None:
    for number in range(9):
        name = "squat.jpg" if 3 <= number < 7 else "parrot.jpg"
        (tmp_path / f"{number}.jpg").symlink_to(data_dir / "images" / name)
    done = edge_runtime("replay", tmp_path, *model, "--presence", "person=1.0", "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert [(each["state"], each["media_time"]) for each in told] == [
        ("started", 3.0),
        ("ended", 6.0),
    ]


def test_a_configuration_gives_zones_rules_and_model(
    short_clip: Path, detector: str, tmp_path: Path
) -> None:
    """The same clip as two cameras: one with a zone that nobody's feet reach."""
    config = tmp_path / "lobby.toml"
    sky = '[[cameras.zones]]\nname = "sky"\npolygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.1]]\n'
    config.write_text(
        "\n".join(
            [
                '[device]\nsite = "paris-12"\nname = "atm-1"\n',
                detector,
                camera("door", "rtsp://camera.invalid/1", "fps = 5"),
                camera("hall", "rtsp://camera.invalid/2", "fps = 5") + sky,
                presence("at-the-door", 'cameras = ["door"]'),
                presence("in-the-sky", 'cameras = ["hall"]', 'zone = "sky"'),
            ]
        )
    )
    door = edge_runtime("replay", short_clip, "--config", config, "--camera", "door")
    hall = edge_runtime("replay", short_clip, "--config", config, "--camera", "hall", "--json")
    (started, ended) = map(json.loads, door.stdout.splitlines())
    assert started["source"] == "paris-12/atm-1/door"
    assert started["data"]["name"] == "at-the-door"
    assert started["data"]["media_time"] == pytest.approx(VISITS[0][0] / FPS, abs=1.0)
    assert ended["data"]["reason"] == "camera ended"
    assert "60 frames" in door.stderr  # 12 s at 5 a second
    assert hall.returncode == 0
    assert hall.stdout == ""

    unnamed = edge_runtime("replay", short_clip, "--config", config)
    assert unnamed.returncode == 1
    assert unnamed.stderr == (
        f"edge-runtime: {config} has the cameras door, hall: name one with --camera\n"
    )
