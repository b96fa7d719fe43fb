"""Snapshots of the real daemon: heads are blurred, and who may not have them gets none."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.capture.source import SourceSettings
from edge_runtime.capture.sources import create_source
from edge_runtime.frame import Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from tests.broker import Broker, Subscriber, publish, wait_for
from tests.daemon import DEVICE, SITE, Daemon, camera, mqtt, presence

ROOT = f"edge/v1/{SITE}/{DEVICE}"
MODEL = '[model]\nname = "person"\n'
RULE = presence("night", "seconds = 0.5")
"""Somebody stands in the drawn lobby from its sixth second on."""
ALLOW = '[commands]\nallow = ["snapshot"]\n'


def atm(*lines: str) -> str:
    return camera("atm", "scene:atm?width=1280&height=720", "fps = 4", *lines)


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


def answers(ears: Subscriber) -> list[dict[str, Any]]:
    """What was answered so far."""
    responses = f"{ROOT}/response/"
    return [each["payload"] for each in ears.messages() if each["topic"].startswith(responses)]


def faces(data: Path) -> Detector:
    return load_detector(ModelSettings(data / "models" / "face_detection_full_range_sparse.tflite"))


def assert_nobody_is_recognised(picture: Image, data: Path) -> None:
    """No face is found in the picture, nor in its upper part from near."""
    detector = faces(data)
    height, width = picture.shape[:2]
    assert len(detector.detect(picture)) == 0
    for left in range(0, width - height // 2, height // 4):
        near = picture[height // 8 : 5 * height // 8, left : left + height // 2]
        assert len(detector.detect(np.ascontiguousarray(near))) == 0


def plain(name: str) -> Image:
    """The scene itself, at the moment when somebody stands there."""
    with closing(create_source(SourceSettings(f"{name}?width=1280&height=720&fps=1"))) as source:
        source.open()
        for _ in range(8):
            picture = source.read()
    assert picture is not None
    return picture.image


def test_the_scene_itself_shows_a_face(data_dir: Path) -> None:
    """Else the tests below would show nothing."""
    assert len(faces(data_dir).detect(plain("scene:atm"))) >= 1


def test_an_alert_has_a_picture_on_the_device_and_none_of_it_goes_over_mqtt(
    tmp_path: Path, data_dir: Path
) -> None:
    with telling(tmp_path, atm(), RULE, "[snapshots]\n") as (daemon, _, ears):
        folder = daemon.state / "snapshots"
        wait_for(lambda: folder.is_dir() and any(folder.glob("*.jpg")), "a snapshot")
        (path,) = folder.glob("*.jpg")
        told = [each for each in ears.messages() if "/alert/" in each["topic"]]
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
        wait_for(lambda: any("/alert/" in each["topic"] for each in ears.messages()), "an alert")
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
