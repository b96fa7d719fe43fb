"""One camera's worker, with the real small model, real files and threads that really hang."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_runtime.alerts.alert import Alert, AlertState, ModelIdentity
from edge_runtime.alerts.outbox import OutboxError
from edge_runtime.capture.camera import Pace
from edge_runtime.config import Config, load
from edge_runtime.inference.engine import InvokeError
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from edge_runtime.service import models, wiring
from edge_runtime.service.worker import Commit, Plan, Worker
from tests.broker import wait_for
from tests.daemon import Daemon, camera, presence

HUNG = 60.0


class Wrapped:
    """A detector whose `detect` can be made to hang or to fail."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def detect(self, *arguments: Any) -> Any:
        if self.hangs.is_set():
            self.goes_on.wait(30.0)
        if self.failure:
            raise self.failure
        return self._detector.detect(*arguments)


def nobody_keeps(_alert: Alert, _model: ModelIdentity) -> None:
    """A commit into nothing."""


@pytest.fixture
def config(small_model: str, tmp_path: Path) -> Config:
    return load(Daemon(tmp_path, [small_model, camera("atm", "synthetic:?fps=20")]).config)


def model_of(config: Config) -> ModelSettings:
    """The configuration's model, which is a file."""
    with models.borrowed(config.model) as model:
        return model.settings


@contextmanager
def working(
    config: Config, commit: Commit = nobody_keeps, pace: Pace = Pace.REAL
) -> Iterator[tuple[Worker, Wrapped]]:
    """A started worker for the only camera of `config`, and its detector."""
    (settings,) = config.cameras
    detector = Wrapped(load_detector(wiring.sought(model_of(config), config.rules)))
    worker = Worker(Plan.of(settings, config, model_of(config)), detector, pace, commit)  # type: ignore[arg-type]
    worker.start()
    yield worker, detector
    detector.goes_on.set()
    worker.ask_to_stop("stopped")
    worker.join(2.0)


def analysed(worker: Worker) -> int:
    return int(worker.status()["analysed"])


def test_a_worker_whose_inference_hangs_does_not_move_and_one_that_works_does(
    config: Config,
) -> None:
    """What both are asked is whether there was a sign of life in the last minute."""
    with working(config) as (healthy, _), working(config) as (stuck, detector):
        wait_for(lambda: analysed(stuck) > 0 and analysed(healthy) > 0, "frames move")
        assert stuck.moving(time.monotonic())
        detector.hangs.set()
        before = analysed(stuck) + 1  # one may be past the point where it hangs
        wait_for(lambda: stuck.status()["dropped"] > 5, "frames pile up")
        hung = time.monotonic()
        known = analysed(healthy)
        wait_for(lambda: analysed(healthy) > known, "the other one works on")
        assert analysed(stuck) <= before
        assert not stuck.moving(hung + HUNG)
        assert healthy.moving(hung + HUNG)

        detector.goes_on.set()
        wait_for(lambda: analysed(stuck) > before, "it moves again")
        assert stuck.moving(time.monotonic())


def test_a_worker_that_hangs_is_given_up_in_time(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with working(config) as (worker, detector):
        wait_for(lambda: analysed(worker) > 0, "frames move")
        detector.hangs.set()
        wait_for(lambda: worker.status()["dropped"] > 2, "frames pile up")
        began = time.monotonic()
        worker.ask_to_stop("stopped")
        worker.join(0.3)
        assert time.monotonic() - began < 0.6
    assert "the analysis does not stop" in caplog.text


def test_a_bug_in_the_analysis_starves_the_watchdog_at_once(config: Config) -> None:
    uncaught: list[str] = []
    with working(config) as (worker, detector):
        threading.excepthook, before = (
            lambda failure: uncaught.append(str(failure.exc_value)),
            threading.excepthook,
        )
        detector.failure = RuntimeError("a bug")
        wait_for(lambda: not worker.moving(time.monotonic()), "it does not move")
        assert not worker.ended
    threading.excepthook = before
    assert uncaught == ["a bug"]


def test_inferences_that_fail_are_told_once_and_degrade_until_they_work(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with working(config) as (worker, detector):
        wait_for(lambda: worker.inferred, "the first inference")
        detector.failure = InvokeError("the model failed")
        wait_for(lambda: worker.status()["failed_inferences"] > 3, "it fails")
        assert worker.degraded == "inference for camera atm fails: the model failed"
        assert worker.moving(time.monotonic())
        detector.failure = None
        wait_for(lambda: worker.degraded is None, "it works")
    assert caplog.text.count("inference fails: the model failed") == 1
    assert caplog.text.count("inference works again") == 1


def test_an_inference_that_fails_is_not_the_first(config: Config) -> None:
    (settings,) = config.cameras
    detector = Wrapped(load_detector(wiring.sought(model_of(config))))
    detector.failure = InvokeError("the model failed")
    plan = Plan.of(settings, config, model_of(config))
    worker = Worker(plan, detector, Pace.REAL, nobody_keeps)  # type: ignore[arg-type]
    worker.start()
    wait_for(lambda: worker.status()["failed_inferences"] > 3, "it fails")
    assert not worker.inferred
    detector.failure = None
    wait_for(lambda: worker.inferred, "it works")
    worker.ask_to_stop("stopped")
    worker.join(2.0)


# The disk


@pytest.fixture
def two_visits(data_dir: Path, small_model: str, tmp_path: Path) -> Config:
    """Three seconds with a person, three without, and again: four alerts."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(120):
        name = "squat.jpg" if number // 30 % 2 else "cat.jpg"
        (folder / f"{number}.jpg").symlink_to(data_dir / "images" / name)
    tables = [small_model, camera("atm", folder, "fps = 10"), presence()]
    return load(Daemon(tmp_path, tables).config)


def test_while_the_disk_refuses_no_later_alert_overtakes_an_earlier_one(
    two_visits: Config, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[AlertState] = []
    tries: list[AlertState] = []
    reasons: list[str | None] = []

    def commit(alert: Alert, _: ModelIdentity) -> None:
        tries.append(alert.state)
        if len(tries) in (2, 3):
            reasons.append(worker.degraded)
            raise OutboxError("the disk is full")
        kept.append(alert.state)

    with working(two_visits, commit, Pace.FAST) as (worker, _):
        wait_for(lambda: worker.ended, "the clip is over")
        assert worker.degraded is None
    started, ended = AlertState.STARTED, AlertState.ENDED
    assert kept == [started, ended, started, ended]
    assert tries == [started, ended, ended, ended, started, ended]
    assert reasons == [None, "an alert cannot be kept: the disk is full"]
    assert caplog.text.count("an alert cannot be kept: the disk is full") == 1


def test_an_alert_that_the_disk_refuses_up_to_the_stop_stands_in_the_log(
    two_visits: Config, caplog: pytest.LogCaptureFixture
) -> None:
    def commit(_: Alert, __: ModelIdentity) -> None:
        raise OutboxError("the disk is full")

    with working(two_visits, commit, Pace.FAST) as (worker, _):
        wait_for(lambda: worker.degraded, "the disk refuses")
    assert "lost at the stop, the disk refused it" in caplog.text
    assert "AlertState.STARTED" in caplog.text


# Recordings


def test_a_recording_that_is_over_has_ended_and_all_is_well(two_visits: Config) -> None:
    with working(two_visits, pace=Pace.FAST) as (worker, _):
        wait_for(lambda: worker.ended, "the clip is over")
        assert worker.moving(time.monotonic() + 2 * HUNG)
        assert worker.degraded is None
        assert analysed(worker) == 120


def test_a_recording_that_breaks_off_has_ended_and_is_degraded(
    two_visits: Config, tmp_path: Path
) -> None:
    """Starting the daemon anew would only play it again up to the same place."""
    broken = tmp_path / "pictures" / "70.jpg"
    broken.unlink()
    broken.write_bytes(b"no picture")
    kept: list[Alert] = []
    with working(two_visits, lambda alert, _: kept.append(alert), Pace.FAST) as (worker, _):
        wait_for(lambda: worker.ended, "the clip is over")
        assert worker.moving(time.monotonic() + 2 * HUNG)
        assert worker.degraded == "camera atm is failed"
        assert "70.jpg" in worker.status()["last_error"]
    assert [each.state for each in kept] == [AlertState.STARTED, AlertState.ENDED]


# Plans


def test_a_plan_changes_with_what_it_is_made_of_and_with_nothing_else(
    data_dir: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("nobody\nperson\n")
    path = tmp_path / "vww.tflite"
    path.symlink_to(data_dir / "models" / "vww_96_int8.tflite")
    model = f'[model]\npath = "{path}"\nlabels = "{labels}"\n'

    def plan(*tables: str) -> Plan:
        config = load(Daemon(tmp_path, [model, camera("atm", "synthetic:"), *tables]).config)
        return Plan.of(config.cameras[0], config, model_of(config))

    first = plan(presence())
    assert plan(presence()) == first
    assert plan(presence(), camera("hall", "synthetic:")) == first
    assert plan(presence("presence", "seconds = 2.0")) != first
    assert plan(presence(), presence("for-hall", 'cameras = ["atm"]')) != first
    labels.write_text("nobody\nperson\nanother\n")
    assert (relabelled := plan(presence())) != first
    (tmp_path / "vww_edgetpu.tflite").touch()
    assert (with_twin := plan(presence())) != relabelled
    path.unlink()
    path.symlink_to(data_dir / "models" / "vww_96_float.tflite")
    assert plan(presence()) != with_twin


def test_the_pictures_for_these_tests_are_told_apart_by_the_small_model(
    config: Config, data_dir: Path
) -> None:
    detector = load_detector(wiring.sought(model_of(config)))
    for name, expected in (("squat.jpg", "person"), ("cat.jpg", "nobody")):
        found = detector.detect(cv2.imread(str(data_dir / "images" / name)))  # type: ignore[arg-type]
        assert [found.label(n) for n in range(len(found))] == [expected]
