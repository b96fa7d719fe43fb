"""The second look: at whom, how often, beside the stream; and with the real models."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.analysis.crops import Head
from edge_runtime.analysis.zones import Zone
from edge_runtime.config import CameraConfig, HeadsConfig, ModelConfig
from edge_runtime.config.rules import CoveredFaceConfig
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Face
from edge_runtime.service import models, wiring
from edge_runtime.service.second_look import SecondLook
from edge_runtime.tracks import Box, Track, TrackState
from tests.broker import wait_for
from tests.heads import heads, lobby_with_somebody, with_head

LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
WATCH = Watch("hidden", "atm", frozenset({"person"}), LEFT)
HERE: Box = (0.1, 0.1, 0.4, 0.9)
ELSEWHERE: Box = (0.6, 0.1, 0.9, 0.9)


def frame(at: float) -> Frame:
    image = np.random.default_rng(9).integers(0, 256, (300, 400, 3), np.uint8)
    return Frame(image, at, at)


def track(number: int, box: Box = HERE, *, label: str = "person", lost: bool = False) -> Track:
    state = TrackState.LOST if lost else TrackState.CONFIRMED
    return Track(number, label, box, 0.8, state, 0.0, 0.0)


@dataclass
class Looks:
    """Remembers at whom it looked; can fail and can take its time."""

    def __post_init__(self) -> None:
        self.at: list[tuple[int, float]] = []
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, head: Head) -> Face:
        self.at.append((head.track, head.at))
        self.goes_on.wait(20)
        if self.fails:
            raise InvokeError("it failed")
        return Face(None, 0.9, head.at)


def test_only_who_is_asked_about_is_looked_at_and_no_more_often_than_the_rate() -> None:
    looks = Looks()
    second = SecondLook([WATCH], 2.0, looks, apart=False)
    tracks = [track(1), track(2, ELSEWHERE), track(3, label="dog"), track(4, lost=True)]
    for number in range(21):
        faces = second.step(frame(number / 10), tracks)
        assert set(faces) == {1}
    assert [at for at, _ in looks.at] == [1] * 5  # in 2 s


def test_what_is_known_of_who_is_gone_is_forgotten() -> None:
    second = SecondLook([WATCH], 2.0, Looks(), apart=False)
    assert set(second.step(frame(0.0), [track(1)])) == {1}
    assert set(second.step(frame(0.1), [track(1, ELSEWHERE)])) == {1}
    assert second.step(frame(0.2), []) == {}


def test_a_look_that_fails_says_nothing_of_the_face_and_the_camera_is_told_of_it() -> None:
    looks = Looks()
    looks.fails = True
    second = SecondLook([WATCH], 2.0, looks, apart=False)
    assert second.step(frame(0.0), [track(1)]) == {}
    assert second.failure == "the second look fails: it failed"
    looks.fails = False
    assert set(second.step(frame(1.0), [track(1)])) == {1}
    assert second.failure is None


def test_a_look_that_takes_long_holds_no_frame_up_and_is_known_when_it_is_over() -> None:
    looks = Looks()
    looks.goes_on.clear()
    second = SecondLook([WATCH], 10.0, looks, apart=True)
    began = time.monotonic()
    for number in range(50):
        assert second.step(frame(number / 10), [track(1)]) == {}
    assert time.monotonic() - began < 10  # the look is not over yet
    assert len(looks.at) <= 1
    looks.goes_on.set()
    wait_for(lambda: second.step(frame(5.0), [track(1)]), "the face is known")
    # Of the 49 that came meanwhile the newest was looked at, and no other.
    wait_for(lambda: len(looks.at) == 2, "the newest is looked at")
    assert looks.at[1][1] > 4.0
    second.close()
    wait_for(lambda: not second._thread.is_alive(), "the thread ends")


# With the real models


CAMERA = CameraConfig.model_validate({"name": "atm", "source": "scene:atm"})
RULE = CoveredFaceConfig(kind="covered-face", name="hidden", seconds=2.0)


@pytest.fixture(scope="module")
def lobby() -> list[Image]:
    return lobby_with_somebody()


@dataclass(frozen=True)
class Eyes:
    """The detector of people, and the models for heads: without and with a detector of faces."""

    person: ModelSettings
    plain: models.HeadModels
    faces: models.HeadModels

    def alerts(self, pictures: list[Image], heads: models.HeadModels) -> list[Alert]:
        """What the rule says of these pictures, five a second."""
        second = wiring.second_look(CAMERA, (RULE,), heads, apart=False)
        detector = load_detector(wiring.sought(self.person, (RULE,)))
        pipeline = wiring.pipeline(CAMERA, (RULE,), self.person, detector, faces=second)
        told = [
            pipeline.step(Frame(picture, number / 5, number / 5)).alerts
            for number, picture in enumerate(pictures)
        ]
        return [alert for each in told for alert in each if alert.rule == RULE.kind]


@pytest.fixture(scope="module")
def eyes(data_dir: Path) -> Iterator[Eyes]:
    face = ModelConfig(path=data_dir / "models" / "face_detection_short_range.tflite")
    with (
        models.borrowed(ModelConfig(name="person", threshold=0.4)) as person,
        models.borrowed_heads(HeadsConfig(), (RULE,)) as plain,
        models.borrowed_heads(HeadsConfig(detector=face), (RULE,)) as faces,
    ):
        assert plain
        assert faces
        yield Eyes(person.settings, plain, faces)


@pytest.mark.parametrize("detector", [False, True], ids=["classifier alone", "with face detector"])
def test_covered_faces_are_told_and_uncovered_are_not(
    eyes: Eyes, lobby: list[Image], data_dir: Path, detector: bool
) -> None:
    """Most of these heads were trained on: it is the cutting-out that is tried here."""
    models_ = eyes.faces if detector else eyes.plain
    told = {
        kind: [
            bool(eyes.alerts([with_head(picture, head) for picture in lobby], models_))
            for head in heads(data_dir, kind, 12)
        ]
        for kind in ("covered", "uncovered")
    }
    assert sum(told["covered"]) >= 10
    assert sum(told["uncovered"]) <= 1


def test_the_visitor_as_drawn_shows_a_face(eyes: Eyes, lobby: list[Image]) -> None:
    assert eyes.alerts(lobby, eyes.plain) == []
    assert eyes.alerts(lobby, eyes.faces) == []


def test_with_a_face_detector_who_shows_none_is_told(eyes: Eyes, lobby: list[Image]) -> None:
    """A head without any face: grey, as the back of a hood."""
    grey = np.full((160, 160, 3), 90, np.uint8)
    alerts = eyes.alerts([with_head(picture, grey) for picture in lobby], eyes.faces)
    assert [alert.state for alert in alerts] == [AlertState.STARTED]


def test_the_same_pictures_give_the_same_alerts(
    eyes: Eyes, lobby: list[Image], data_dir: Path
) -> None:
    (head,) = heads(data_dir, "covered", 1)
    pictures = [with_head(picture, head) for picture in lobby]
    assert eyes.alerts(pictures, eyes.plain) == eyes.alerts(pictures, eyes.plain) != []
