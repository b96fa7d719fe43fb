"""Snapshots of the real daemon: heads are blurred, and who may not have them gets none."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.analysis.blurring import blurred
from edge_runtime.capture.drawn import Drawing
from edge_runtime.capture.lobby import LEDGE
from edge_runtime.capture.scene import VISITOR, Lobby, Mark, Walk
from edge_runtime.capture.source import SourceSettings
from edge_runtime.capture.sources import create_source
from edge_runtime.config import load
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from edge_runtime.service import models, wiring
from edge_runtime.service.snapshots import LARGEST_ANSWER, jpeg, people_in
from edge_runtime.tracks import Box
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.daemon import DEVICE, SITE, Daemon, camera, mqtt, presence

ROOT = f"edge/v1/{SITE}/{DEVICE}"
MODEL = '[model]\nname = "person"\n'
RULE = presence("night", "seconds = 0.5")
"""Somebody stands in the drawn lobby from its sixth second on."""
ALLOW = '[commands]\nallow = ["snapshot"]\n'
WIDTH, HEIGHT = 1280, 720
SAME = 12.0
"""Grey levels by which noise and JPEG change a small part of the lobby at most."""


def atm(*lines: str) -> str:
    return camera("atm", f"scene:atm?width={WIDTH}&height={HEIGHT}", "fps = 4", *lines)


@contextmanager
def telling(folder: Path, *tables: str) -> Iterator[tuple[Daemon, Broker, Subscriber]]:
    """A daemon on these tables, and all that goes over its broker."""
    with (
        Broker() as broker,
        Subscriber(broker, "#") as ears,
        Daemon(folder, [MODEL, *tables, mqtt(broker)]) as daemon,
    ):
        daemon.wait_for_log("MQTT online")
        yield daemon, broker, ears


def ask(broker: Broker, ears: Subscriber, **arguments: Any) -> dict[str, Any]:
    """Ask for a snapshot: the answer."""
    known = len(answers(ears))
    content = {
        "id": f"c-{time.monotonic_ns()}",
        "expires": rfc3339(time.time() + 60),
        "arguments": arguments,
    }
    publish(broker, f"{ROOT}/command/snapshot", json.dumps(content))
    wait_for(lambda: len(answers(ears)) > known, "an answer")
    return answers(ears)[-1]


def alerts(ears: Subscriber) -> list[dict[str, Any]]:
    """What was told so far."""
    return [each for each in ears.messages() if "/alert/" in each["topic"]]


def answers(ears: Subscriber) -> list[dict[str, Any]]:
    """What was answered so far."""
    responses = f"{ROOT}/response/"
    return [each["payload"] for each in ears.messages() if each["topic"].startswith(responses)]


def faces(data: Path) -> Detector:
    return load_detector(ModelSettings(data / "models" / "face_detection_full_range_sparse.tflite"))


def assert_nobody_is_recognised(picture: Image, data: Path) -> None:
    """No face is found in the picture, nor in its upper part from near.

    What the detector takes for a face where nothing but the lobby itself is, is none: of the drawn
    plant beside what is blurred it sometimes is half sure.
    """
    found = faces_in(picture, faces(data))
    assert [box for box in found if not is_empty_lobby(picture, box)] == []


def faces_in(picture: Image, detector: Detector) -> list[Box]:
    """All faces that are found, in pixels."""
    height, width = picture.shape[:2]
    top, side = height // 8, height // 2
    boxes = detector.detect(picture).boxes.tolist()
    for left in range(0, width - side, side // 2):
        near = np.ascontiguousarray(picture[top : top + side, left : left + side])
        boxes += [
            (x1 + left, y1 + top, x2 + left, y2 + top)
            for x1, y1, x2, y2 in detector.detect(near).boxes.tolist()
        ]
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in boxes]


def is_empty_lobby(picture: Image, box: Box) -> bool:
    """Whether each part of `box` shows the lobby without anybody, in whatever light."""
    return unlike_the_lobby(picture, box) < SAME


def unlike_the_lobby(picture: Image, box: Box) -> float:
    """By how many grey levels the part of `box` differs from it that differs most."""
    nobody = Lobby(Drawing(WIDTH, HEIGHT), (), math.inf).paint(0, 0.0)
    (x1, y1), (x2, y2) = np.clip(np.reshape(box, (2, 2)), 0, (WIDTH, HEIGHT)).astype(int)
    shown, empty = (each[y1:y2, x1:x2].astype(np.float32) for each in (picture, nobody))
    shown *= empty.mean() / max(float(shown.mean()), 1.0)
    return float(cv2.blur(np.abs(shown - empty).mean(axis=2), (9, 9)).max())


def plain(seconds: float = 7.0) -> Image:
    """The scene itself at a moment; at this one somebody stands there."""
    settings = SourceSettings(f"scene:atm?width={WIDTH}&height={HEIGHT}&fps=10")
    with closing(create_source(settings)) as source:
        source.open()
        for _ in range(round(seconds * 10) + 1):
            picture = source.read()
    assert picture is not None
    return picture.image


@pytest.mark.parametrize("seconds", [7.0, 4.2])
def test_the_scene_itself_shows_a_face_which_is_told_from_the_lobby(
    data_dir: Path, seconds: float
) -> None:
    """Else the tests below would show nothing. At 4.2 s the face is before the plant."""
    picture = plain(seconds)
    found = faces_in(picture, faces(data_dir))
    assert found
    assert min(unlike_the_lobby(picture, box) for box in found) > 5 * SAME
    with pytest.raises(AssertionError):
        assert_nobody_is_recognised(picture, data_dir)


def test_an_alert_has_a_picture_on_the_device_and_none_of_it_goes_over_mqtt(
    tmp_path: Path, data_dir: Path
) -> None:
    with telling(tmp_path, atm(), RULE, "[snapshots]\n") as (daemon, _, ears):
        folder = daemon.state / "snapshots"
        wait_for(lambda: folder.is_dir() and any(folder.glob("*.jpg")), "a snapshot")
        (path,) = folder.glob("*.jpg")
        # The picture may be there first: the alert has yet to go over MQTT.
        told = wait_for(lambda: alerts(ears), "an alert")
        sizes = [len(json.dumps(each["payload"])) for each in ears.messages()]

    incident = told[0]["payload"]["data"]["incident"]
    assert path.stem == incident.replace("/", "_").replace(":", ".")
    assert path.stat().st_mode & 0o777 == 0o640
    assert max(sizes) < 8000
    picture = np.asarray(cv2.imread(str(path)), np.uint8)
    assert picture.shape == (720, 1280, 3)
    assert_nobody_is_recognised(picture, data_dir)


def test_without_the_table_no_picture_is_made(tmp_path: Path) -> None:
    with telling(tmp_path, atm(), RULE) as (daemon, _, ears):
        wait_for(lambda: alerts(ears), "an alert")
        assert not (daemon.state / "snapshots").exists()


def test_who_may_ask_gets_a_blurred_picture_and_no_mask_is_lifted(
    tmp_path: Path, data_dir: Path
) -> None:
    corner = "[[cameras.masks]]\npolygon = [[0, 0], [0.2, 0], [0.2, 0.2], [0, 0.2]]\n"
    with telling(tmp_path, atm() + corner, ALLOW, "[snapshots]\n", RULE) as (daemon, broker, ears):
        daemon.wait_for_log("alert")  # somebody is there
        unknown = ask(broker, ears, camera="hall")
        answer = ask(broker, ears)
    assert (unknown["outcome"], unknown["reason"]) == (
        "refused",
        "there is no camera 'hall', only atm",
    )
    assert answer["outcome"] == "done"
    result = answer["result"]
    assert (result["camera"], result["media_type"]) == ("atm", "image/jpeg")
    coded = base64.b64decode(result["picture"])
    assert len(coded) <= 200_000
    picture = np.asarray(cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    assert picture[:130, :240].max() < 16
    assert_nobody_is_recognised(picture, data_dir)


def test_who_is_not_allowed_to_ask_gets_none(tmp_path: Path) -> None:
    with telling(tmp_path, atm(), RULE, "[snapshots]\n") as (daemon, broker, ears):
        daemon.wait_for_log("first inference")
        answer = ask(broker, ears)
    assert answer["outcome"] == "refused"
    assert answer["reason"].endswith("its configuration does not allow it")
    assert "picture" not in json.dumps(answer)


WALKS = (
    Walk((Mark(18, 1.3, 0.62), Mark(20.5, 0.36, 0.74), Mark(math.inf, 0.36, 0.74))),
    Walk((Mark(20, 1.3, 0.56), Mark(22.5, 0.77, 0.64), Mark(math.inf, 0.77, 0.64)), other=True),
)
"""Two come, as they do in the lobby itself."""


def test_at_no_moment_of_coming_in_is_a_face_left_open(tmp_path: Path, data_dir: Path) -> None:
    """Who comes in over the edge is seen in parts first, and by closer looks."""
    path = tmp_path / "edge-runtime.toml"
    device = f'[device]\nsite = "a"\nname = "b"\nstate_dir = "{tmp_path}"\n'
    path.write_text("\n".join([device, MODEL, atm(), RULE, "[snapshots]\n"]))
    config = load(path)
    model = models.ready(config, tmp_path).settings
    (atm_camera,) = config.cameras
    rules = config.rules_for("atm")
    detector = load_detector(wiring.sought(model, rules, blurring=True))
    pipeline = wiring.pipeline(atm_camera, rules, model, detector)
    lobby, face = Lobby(Drawing(WIDTH, HEIGHT), WALKS, math.inf), face_of_visitor(data_dir)
    seen = twice = 0
    for number in range(170, 230):
        seconds = number / 10
        frame = Frame(lobby.paint(number, seconds), seconds, seconds, number)
        analysed = pipeline.step(frame)
        twice += analysed.closer is not None
        looks = analysed.detections or (detector.detect(frame.image),)
        picture = blurred(frame.image, people_in(frame, analysed.tracks, looks))
        for x1, y1, x2, y2 in faces_at(seconds, face):
            changed = (picture != frame.image)[y1:y2, x1:x2].any(axis=2)
            assert changed.mean() > 0.95, f"open at {seconds:g} s"
            seen += 1
        coded = np.frombuffer(jpeg(picture, LARGEST_ANSWER), np.uint8)
        assert_nobody_is_recognised(
            np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8), data_dir
        )
    assert seen > 50
    assert twice > 5


def face_of_visitor(data: Path) -> Box:
    """The face in the picture of the lobby's visitor, in 0..1."""
    whole = np.asarray(cv2.imread(str(VISITOR), cv2.IMREAD_COLOR), np.uint8)
    ((x1, y1, x2, y2),) = faces(data).detect(whole).boxes.tolist()
    height, width = whole.shape[:2]
    return x1 / width, y1 / height, x2 / width, y2 / height


def faces_at(seconds: float, face: Box) -> Iterator[tuple[int, int, int, int]]:
    """What is in the picture of the faces of those who walk; the step's up and down left out."""
    aspect = cv2.imread(str(VISITOR)).shape
    for walk in WALKS:
        if place := walk.at(seconds):
            mark, _ = place
            tall = mark.size * HEIGHT
            wide = tall * aspect[1] / aspect[0]
            left, top = mark.x * WIDTH - wide / 2, (LEDGE + 0.03) * HEIGHT - tall
            x1, y1, x2, y2 = face
            if walk.other:  # the picture is mirrored
                x1, x2 = 1 - x2, 1 - x1
            start, end = left + x1 * wide, min(left + x2 * wide, WIDTH)
            if end - start > 10:
                yield int(start), int(top + y1 * tall), int(end), int(top + y2 * tall)
