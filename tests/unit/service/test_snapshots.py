"""Snapshots: who is blurred, when there is none, and how large one may be."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.alerts.alert import Alert, AlertState, Severity
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.service.album import Album, Limits
from edge_runtime.service.pipeline import Analysed
from edge_runtime.service.snapshots import (
    LARGEST_ANSWER,
    Photographer,
    Snapshot,
    SnapshotError,
    as_answer,
    jpeg,
)
from edge_runtime.timing import Lap, no_lap
from edge_runtime.tracks import Track, TrackState
from tests.broker import wait_for

WALL = 1_795_392_000.0
LABELS = ("person", "dog")


class Eyes:
    """A detector that always sees the same, or fails."""

    def __init__(self, *boxes: tuple[float, float, float, float], fails: bool = False) -> None:
        self.boxes = boxes
        self.fails = fails
        self.asked = 0

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        self.asked += 1
        if self.fails:
            raise InvokeError("it failed")
        return seen(*self.boxes)


def seen(*boxes: tuple[float, float, float, float], label: str = "person") -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(count, 4),
        np.full(count, 0.2, np.float32),
        np.full(count, LABELS.index(label), np.int32),
        LABELS,
    )


def frame() -> Frame:
    image = np.random.default_rng(5).integers(0, 256, (200, 400, 3), np.uint8)
    return Frame(image, 7.0, WALL)


def alert(state: AlertState = AlertState.STARTED, name: str = "night") -> Alert:
    return Alert(
        rule="presence",
        name=name,
        camera="atm",
        state=state,
        severity=Severity.MEDIUM,
        timestamp=7.0,
        wall_time=WALL,
        decided_after=0.0,
        duration=0.0,
        incident=f"atm/{name}/2026-11-23T00:00:00.000Z",
    )


def track(
    box: tuple[float, float, float, float], state: TrackState, label: str = "person"
) -> Track:
    return Track(1, label, box, 0.9, state, 0.0, 7.0)


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "snapshots", Limits(3600, 10_000_000))


def kept(album: Album) -> dict[str, Image]:
    return {
        path.name: np.asarray(cv2.imread(str(path)), np.uint8)
        for path in (album.folder.iterdir() if album.folder.exists() else ())
    }


def is_blurred(image: Image, x: int, y: int) -> bool:
    """Whether the noise around that pixel is gone."""
    return float(image[y - 5 : y + 5, x - 5 : x + 5].std(axis=(0, 1)).max()) < 12


def test_everybody_in_view_is_blurred_whatever_the_alert_is_about(album: Album) -> None:
    """Who is followed, who is lost, who was seen this once, and who is not sure to be one."""
    analysed = Analysed(
        [alert()],
        (
            track((0.0, 0.1, 0.1, 0.9), TrackState.CONFIRMED),
            track((0.3, 0.1, 0.4, 0.9), TrackState.LOST),
            track((0.85, 0.1, 0.95, 0.9), TrackState.CONFIRMED, label="dog"),
        ),
        looked=True,
        detections=(seen((240, 20, 280, 180)),),
    )
    Photographer("atm", Eyes(), album).after(frame(), analysed)
    (picture,) = kept(album).values()
    assert [is_blurred(picture, x, 40) for x in (20, 140, 260, 360)] == [True, True, True, False]
    assert not is_blurred(picture, 200, 40)


def test_what_a_closer_look_saw_of_somebody_does_not_take_away_what_the_whole_frame_showed(
    album: Album,
) -> None:
    """The closer look saw the legs."""
    looks = seen((200, 20, 240, 180)), seen((205, 130, 235, 180))
    analysed = Analysed([alert()], (), looked=True, detections=looks)
    Photographer("atm", Eyes(), album).after(frame(), analysed)
    (picture,) = kept(album).values()
    assert is_blurred(picture, 220, 40)
    assert is_blurred(picture, 220, 150)


def test_a_frame_at_which_the_detector_rested_is_looked_at_for_the_picture(album: Album) -> None:
    eyes = Eyes((240, 20, 280, 180))
    Photographer("atm", eyes, album).after(frame(), Analysed([alert()], (), looked=False))
    (picture,) = kept(album).values()
    assert eyes.asked == 1
    assert is_blurred(picture, 260, 40)


@pytest.mark.parametrize("looked", [True, False])
def test_where_the_detector_fails_there_is_no_picture(
    album: Album, looked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    photographer = Photographer("atm", Eyes(fails=True), album)
    photographer.after(frame(), Analysed([alert()], (), looked=looked, failure="it failed"))
    assert kept(album) == {}
    assert "no snapshot: the detector failed" in caplog.text


def test_only_the_start_of_an_incident_has_a_picture(album: Album) -> None:
    photographer = Photographer("atm", Eyes(), album)
    for state in (AlertState.UPDATED, AlertState.ENDED):
        photographer.after(frame(), Analysed([alert(state)], (), looked=True, detections=(seen(),)))
    photographer.after(frame(), Analysed([], (), looked=True, detections=(seen(),)))
    assert kept(album) == {}
    both = [alert(), alert(name="crowd")]
    photographer.after(frame(), Analysed(both, (), looked=True, detections=(seen(),)))
    assert {name.split("_")[1] for name in kept(album)} == {"night", "crowd"}


def test_a_disk_that_refuses_is_told_once_and_disturbs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "snapshots").write_text("in the way")
    photographer = Photographer(
        "atm", Eyes(), Album(tmp_path / "snapshots", Limits(3600, 10_000_000))
    )
    for _ in range(3):
        photographer.after(frame(), Analysed([alert()], (), looked=True, detections=(seen(),)))
    assert caplog.text.count("cannot be kept") == 1


def test_who_asks_gets_the_next_frame_blurred(album: Album) -> None:
    photographer = Photographer("atm", Eyes(), album)
    got: list[Snapshot] = []
    asking = threading.Thread(target=lambda: got.append(photographer.ask(20.0)))
    asking.start()
    analysed = Analysed([], (), looked=True, detections=(seen((240, 20, 280, 180)),))

    def answered() -> bool:
        photographer.after(frame(), analysed)
        return bool(got)

    wait_for(answered, "an answer")
    asking.join()
    assert is_blurred(got[0].image, 260, 40)
    assert got[0].wall_time == WALL
    assert kept(album) == {}


def test_who_asks_for_a_frame_that_does_not_come_is_told_so(album: Album) -> None:
    photographer = Photographer("atm", Eyes(fails=True), album)
    with pytest.raises(SnapshotError, match=r"camera atm gave no picture within 0\.05 s"):
        photographer.ask(0.05)


@pytest.mark.parametrize("size", [(64, 48), (1920, 1080)])
def test_an_answer_fits_whatever_is_in_the_picture(size: tuple[int, int]) -> None:
    """Noise is what a JPEG cannot make small."""
    noise = np.random.default_rng(6).integers(0, 256, (size[1], size[0], 3), np.uint8)
    answer = as_answer(Snapshot(noise, WALL))
    coded = base64.b64decode(answer["picture"])
    assert len(coded) <= LARGEST_ANSWER
    assert cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR) is not None
    assert answer["media_type"] == "image/jpeg"
    assert len(jpeg(noise)) >= len(coded)
