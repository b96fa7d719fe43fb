from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import repeat
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_runtime.alerts.alert import AlertState
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.motion import MotionGate, MotionSettings
from edge_runtime.analysis.tracking import Tracker, TrackerSettings
from edge_runtime.config import CameraConfig, PresenceConfig
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.inference.model import ModelSettings
from edge_runtime.rules.camera_health import CameraHealth, HealthSettings
from edge_runtime.rules.incidents import Timing
from edge_runtime.rules.presence import presence
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.schedule import Schedule
from edge_runtime.rules.watch import Watch
from edge_runtime.service import wiring
from edge_runtime.service.pipeline import Analysed, Pipeline
from edge_runtime.timing import Lap, Stage, no_lap
from edge_runtime.tracks import TrackState

FPS = 10
PERSON, NOBODY, FAILURE = "person", "nobody", "failure"
WALL = 1_795_392_000.0


class Scripted:
    """A detector that sees what stands in its script, and can fail."""

    labels = ("cat", "person")

    def __init__(self, script: Iterator[str]) -> None:
        self._script = script
        self.asked = 0

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        self.asked += 1
        lap(Stage.INVOKE)
        match next(self._script):
            case "person":
                box = np.array([[20, 10, 40, 60]], np.float32)
                return Detections(
                    box, np.array([0.9], np.float32), np.array([1], np.int32), self.labels
                )
            case "nobody":
                return Detections.none(self.labels)
            case _:
                raise InvokeError("it failed")


def rule(seconds: float = 1.0, grace: float = 0.7) -> Rule:
    return presence(Watch("presence", "cam", frozenset({"person"})), Timing(seconds, grace))


def play(
    *parts: tuple[float, str], gate: MotionSettings | None = None, lap: Lap = no_lap
) -> tuple[list[Analysed], Pipeline, Scripted]:
    """Ten frames a second, all of one colour; each part is (seconds, what the detector sees)."""
    script = [what for seconds, what in parts for _ in range(round(seconds * FPS))]
    detector = Scripted(iter(script))
    pipeline = Pipeline(
        detector,
        MotionGate(gate or MotionSettings(enabled=False)),
        Tracker(TrackerSettings()),
        [rule(seconds=1.0, grace=0.7)],
        lap,
    )
    grey = np.full((72, 128, 3), 90, np.uint8)
    frames = [Frame(grey, n / FPS, WALL + n / FPS, n) for n in range(len(script))]
    return [pipeline.step(frame) for frame in frames], pipeline, detector


def told(steps: Sequence[Analysed]) -> list[tuple[AlertState, float]]:
    return [(alert.state, round(alert.timestamp, 1)) for each in steps for alert in each.alerts]


def test_a_visit_is_told() -> None:
    steps, _, _ = play((1, NOBODY), (3, PERSON), (2, NOBODY))
    assert told(steps) == [(AlertState.STARTED, 1.0), (AlertState.ENDED, 3.9)]


def test_inferences_that_fail_are_not_the_same_as_nobody_there() -> None:
    """Longer than grace and the tracker's patience together; the same time of nobody ends it."""
    steps, pipeline, _ = play((2, PERSON), (5, FAILURE), (1, PERSON))
    assert [state for state, _ in told(steps)] == [AlertState.STARTED]
    assert [each.failure for each in steps[20:22]] == ["it failed", "it failed"]
    assert steps[0].failure is None
    (ended,) = pipeline.finish("stopped")
    assert (ended.state, ended.reason) == (AlertState.ENDED, "stopped")

    steps, _, _ = play((2, PERSON), (5, NOBODY), (1, PERSON))
    assert [state for state, _ in told(steps)] == [AlertState.STARTED, AlertState.ENDED]


def test_one_person_across_a_failure_is_one_track() -> None:
    steps, _, _ = play((2, PERSON), (1, FAILURE), (1, PERSON))
    assert {track.id for each in steps for track in each.tracks} == {1}


def test_a_gate_that_rests_spares_the_detector_and_keeps_who_stands_still() -> None:
    steps, _, detector = play((1, PERSON), (9, PERSON), gate=MotionSettings(longest_rest=4.0))
    assert detector.asked == sum(each.looked for each in steps) < 15
    assert [state for state, _ in told(steps)] == [AlertState.STARTED]
    assert len(steps[-1].tracks) == 1


def test_nothing_open_leaves_nothing_to_end() -> None:
    _, pipeline, _ = play((1, NOBODY))
    assert pipeline.finish("stopped") == []
    _, unused, _ = play()
    assert unused.finish("stopped") == []


def test_each_stage_is_timed_once_a_frame() -> None:
    laps: list[Stage] = []
    play((0.1, PERSON), lap=laps.append)
    assert laps == [Stage.MOTION, Stage.INVOKE, Stage.TRACK, Stage.RULES]


def test_the_gate_does_not_shut_on_whom_the_detector_lost_within_the_picture() -> None:
    """Longer than the tracker's doubt, while nothing moves."""
    steps, _, _ = play(
        (1, PERSON), (1.5, NOBODY), (1, PERSON), gate=MotionSettings(longest_rest=60)
    )
    (track,) = steps[-1].tracks
    assert (track.id, track.state) == (1, TrackState.CONFIRMED)


def test_what_is_wrong_with_the_camera_is_told_also_when_no_frames_come() -> None:
    health = CameraHealth(HealthSettings("cam", silent_after=4.0))
    pipeline = Pipeline(
        Scripted(repeat(NOBODY)), MotionGate(MotionSettings()), Tracker(TrackerSettings()), [],
        health=health,
    )  # fmt: skip
    black = np.zeros((72, 128, 3), np.uint8)
    told = [
        alert
        for n in range(50)
        for alert in pipeline.step(Frame(black, n / FPS, WALL + n / FPS, n)).alerts
    ]
    assert [(a.rule, a.name, a.state) for a in told] == [
        ("camera-health", "dark", AlertState.STARTED)
    ]
    assert pipeline.idle(8.0, WALL + 8) == []
    (silent,) = pipeline.idle(9.0, WALL + 9)
    assert (silent.name, silent.timestamp, silent.wall_time) == ("no-frames", 4.9, WALL + 4.9)
    assert pipeline.conditions == (Condition.DARK, Condition.NO_FRAMES)
    assert {(a.name, a.state, a.reason) for a in pipeline.finish("stopped")} == {
        ("dark", AlertState.ENDED, "stopped"),
        ("no-frames", AlertState.ENDED, "stopped"),
    }
    assert pipeline.conditions == ()


@pytest.mark.parametrize(("number", "silent"), [(1, True), (50, False)])
def test_an_analysis_that_was_too_slow_for_its_frames_does_not_say_that_none_came(
    number: int, silent: bool
) -> None:
    """Five seconds between two frames: the next one, or one of many that came."""
    pipeline = Pipeline(
        Scripted(repeat(NOBODY)), MotionGate(MotionSettings()), Tracker(TrackerSettings()), [],
        health=CameraHealth(HealthSettings("cam", silent_after=4.0)),
    )  # fmt: skip
    grey = np.full((72, 128, 3), 120, np.uint8)
    pipeline.step(Frame(grey, 0.0, WALL, 0))
    told = pipeline.step(Frame(grey, 5.0, WALL + 5, number)).alerts
    assert [alert.name for alert in told] == (["no-frames"] * 2 if silent else [])


def test_dark_is_told_only_in_the_hours_in_which_there_is_light() -> None:
    begins, ends = 10.0, 20.0

    def clock(seconds: float) -> time:
        return datetime.fromtimestamp(WALL + seconds, UTC).time()

    lit = Schedule(frozenset(range(7)), clock(begins), clock(ends), ZoneInfo("UTC"))
    health = CameraHealth(HealthSettings("cam", lit=lit))
    pipeline = Pipeline(
        Scripted(repeat(NOBODY)), MotionGate(MotionSettings()), Tracker(TrackerSettings()), [],
        health=health,
    )  # fmt: skip
    black, grey = np.zeros((72, 128, 3), np.uint8), np.full((72, 128, 3), 90, np.uint8)
    told: list[tuple[AlertState, float, str | None]] = []
    for n in range(300):
        now = n / FPS
        image = grey if now >= 25 else black  # somebody comes and turns on a lamp
        step = pipeline.step(Frame(image, now, WALL + now, n))
        told += [(a.state, a.timestamp, a.reason) for a in step.alerts if a.name == "dark"]
        dark = Condition.DARK in pipeline.conditions
        assert dark == (begins <= now < ends), now
    assert told == [
        (AlertState.STARTED, begins, None),
        (AlertState.ENDED, ends, "schedule"),
    ]


def test_a_pipeline_without_camera_health_tells_nothing_of_the_camera() -> None:
    _, pipeline, _ = play((1, NOBODY))
    assert pipeline.idle(100.0, WALL + 100) == []
    assert pipeline.conditions == ()


class Shortsighted:
    """Sees what is white and as tall as a fifth of what it is shown; knows how tall that was."""

    def __init__(self, locates: bool) -> None:
        self.locates = locates
        self.shown: list[int] = []

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        self.shown.append(image.shape[0])
        rows, columns = np.nonzero(image[..., 0] > 200)
        if not len(rows) or np.ptp(rows) + 1 < image.shape[0] / 5:
            return Detections.none(("person",))
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return Detections(
            np.array([box], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int32),
            ("person",),
        )  # fmt: skip


def walk(seconds: float, tall: int = 40, numbers: int = 1) -> Iterator[Frame]:
    """Somebody `tall` pixels tall crosses a grey picture; of `numbers` frames one arrives."""
    for n in range(round(seconds * FPS)):
        image = np.full((360, 640, 3), 90, np.uint8)
        x = 40 + 5 * n
        image[200 - tall : 200, x : x + tall // 3] = 255
        yield Frame(image, n / FPS, WALL + n / FPS, n * numbers)


def closer_pipeline(
    rate: float, *, locates: bool = True, detector: Shortsighted | None = None
) -> tuple[Pipeline, Shortsighted]:
    detector = detector or Shortsighted(locates)
    camera = CameraConfig.model_validate({"name": "cam", "source": "cam.mp4", "closer_looks": rate})
    model = ModelSettings(Path("model.tflite"), labels=("person",))
    rules = (PresenceConfig(kind="presence"),)
    return wiring.pipeline(camera, rules, model, detector), detector


def test_somebody_far_away_is_seen_by_closer_looks_only() -> None:
    for rate, expected in ((10.0, [AlertState.STARTED]), (0.0, [])):
        pipeline, detector = closer_pipeline(rate)
        steps = [pipeline.step(frame) for frame in walk(6)]
        assert [state for state, _ in told(steps)] == expected
        assert bool(rate) == any(each.closer for each in steps)
        assert len(detector.shown) == sum(each.looked + (each.closer is not None) for each in steps)
        assert {t.id for each in steps for t in each.tracks} == ({1} if rate else set())


class SeesParts(Shortsighted):
    """Sees somebody small, without being sure, and in a part of the frame half of him, surely."""

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        near = image.shape[0] < 360
        rows, columns = np.nonzero(image[..., 0] > 200)
        if not len(rows):
            return Detections.none(("person",))
        left, right, bottom = columns.min(), columns.max() + 1, rows.max() + 1
        top = (rows.min() + bottom) // 2 - 2 if near else rows.min()
        return Detections(
            np.array([[left, top, right, bottom]], np.float32),
            np.array([0.7 if near else 0.4], np.float32),
            np.zeros(1, np.int32),
            ("person",),
        )


def test_all_that_a_frame_showed_is_told_also_what_a_closer_look_took_the_place_of() -> None:
    pipeline, _ = closer_pipeline(10.0, detector=SeesParts(locates=True))
    steps = [pipeline.step(frame) for frame in walk(3)]
    twice = [each for each in steps if each.closer]
    assert twice
    for each in twice:
        whole, near = (look.boxes.round().tolist() for look in each.detections)
        ((left, top, right, bottom),) = whole
        assert bottom - top == 40
        assert near == [[left, (top + bottom) // 2 - 2, right, bottom]]
    assert all(len(each.detections) == 1 for each in steps if each.looked and not each.closer)


def test_somebody_near_is_not_looked_at_twice() -> None:
    pipeline, detector = closer_pipeline(10.0)
    steps = [pipeline.step(frame) for frame in walk(6, tall=180)]
    assert [state for state, _ in told(steps)] == [AlertState.STARTED]
    assert set(detector.shown[1:]) == {360}


def test_closer_looks_are_given_up_where_frames_are_dropped() -> None:
    pipeline, detector = closer_pipeline(10.0)
    steps = [pipeline.step(frame) for frame in walk(6, numbers=2)]
    assert not any(each.closer for each in steps[10:])
    assert set(detector.shown[20:]) == {360}


def test_a_model_that_does_not_say_where_is_shown_whole_frames_only() -> None:
    pipeline, detector = closer_pipeline(10.0, locates=False)
    assert not any(pipeline.step(frame).closer for frame in walk(3))
    assert set(detector.shown) == {360}


def test_the_same_frames_give_the_same_closer_looks() -> None:
    first, second = closer_pipeline(4.0)[0], closer_pipeline(4.0)[0]
    regions = [first.step(frame).closer for frame in walk(4)]
    assert any(regions)
    assert regions == [second.step(frame).closer for frame in walk(4)]
