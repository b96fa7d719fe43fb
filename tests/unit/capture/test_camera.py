"""The watched camera, on sources that do what no real one does on command: hang and fail."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_runtime.backoff import Backoff
from edge_runtime.capture.camera import Camera, CameraState, Pace
from edge_runtime.capture.source import (
    Picture,
    SourceError,
    SourceInfo,
    SourceSettings,
    SourceStalledError,
)

IMAGE = np.zeros((4, 6, 3), np.uint8)
QUICK = Backoff(0.02, 0.1)


@dataclass
class Driver:
    """A live source under a test's control."""

    live: bool = True
    opens: bool = True
    there: bool = True
    works: threading.Event = field(default_factory=threading.Event)
    error: SourceError | None = None
    opened: int = 0
    closed: int = 0

    def open(self) -> SourceInfo:
        self.opened += 1
        if not self.opens:
            raise SourceError("cannot open rtsp://admin:s3cret@h/x")
        return SourceInfo(6, 4, 50.0, "a driver")

    def read(self) -> Picture:
        self.works.wait()  # hangs, as drivers do
        if self.error is not None:
            raise self.error
        time.sleep(0.01)
        return Picture(IMAGE, time.monotonic(), None, 0.0)

    def close(self) -> None:
        self.closed += 1

    def present(self) -> bool:
        return self.there


def settings(**more: float) -> SourceSettings:
    return SourceSettings("rtsp://admin:s3cret@h/x", stale_after=0.3, open_timeout=0.3, **more)  # type: ignore[arg-type]


def watch(driver: Driver, backoff: Backoff = QUICK) -> Camera:
    camera = Camera("atm", settings(), backoff=backoff, create=lambda _: driver)
    camera.start()
    return camera


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


def test_a_hung_read_is_seen_as_stale_and_then_connected_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    driver = Driver()
    driver.works.set()
    camera = watch(driver)
    until(lambda: camera.state is CameraState.LIVE)

    driver.works.clear()
    until(lambda: camera.state is CameraState.STALE)
    assert driver.opened == 1  # the thread is still inside the driver
    heartbeat = camera.heartbeat
    threading.Event().wait(0.05)
    assert camera.heartbeat == heartbeat

    driver.works.set()
    until(lambda: camera.state is CameraState.LIVE)
    assert driver.opened == 2
    stats = camera.stats()
    assert stats.reconnects == 1
    assert stats.changes[CameraState.STALE] == 1
    assert stats.changes[CameraState.LIVE] == 2
    camera.stop()
    told = [record for record in caplog.records if record.name == "edge_runtime.capture.camera"]
    assert [record.getMessage().split(":")[0] for record in told] == [
        "camera atm is live",
        "camera atm is stale",
        "camera atm is live",
        "camera atm is ended",
    ]
    assert all(record.__dict__["camera"] == "atm" for record in told)


def test_a_camera_that_opens_and_never_sends_is_stale() -> None:
    camera = watch(Driver())
    assert camera.state is CameraState.CONNECTING
    until(lambda: camera.state is CameraState.STALE)
    assert camera.take(0) is None
    assert camera.stats().last_frame_age is None


def test_a_failure_is_logged_once_however_often_it_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    driver = Driver(opens=False)
    camera = watch(driver)
    until(lambda: driver.opened >= 5)
    stats = camera.stats()
    assert stats.state is CameraState.FAILED
    assert stats.changes[CameraState.FAILED] == 1
    assert stats.reconnects >= 4
    assert stats.last_error == "cannot open rtsp://***@h/x"
    assert [record.getMessage() for record in caplog.records] == [
        "camera atm is failed: cannot open rtsp://***@h/x"
    ]
    assert "s3cret" not in repr(stats)
    driver.opens = True
    driver.works.set()
    until(lambda: camera.state is CameraState.LIVE)
    assert driver.closed >= 5
    camera.stop()


def test_a_source_that_falls_silent_is_stale_and_not_failed() -> None:
    driver = Driver(error=SourceStalledError("silent"))
    driver.works.set()
    camera = watch(driver)
    until(lambda: driver.opened >= 3)
    assert camera.stats().changes[CameraState.FAILED] == 0
    assert camera.state is CameraState.STALE
    camera.stop()


def test_the_waits_grow_with_jitter_and_start_over_once_frames_flow() -> None:
    driver = Driver(opens=False)
    camera = Camera(
        "atm",
        settings(),
        backoff=Backoff(0.02, 30.0),
        rng=random.Random(1),
        create=lambda _: driver,
    )
    camera.start()
    until(lambda: driver.opened >= 5)
    driver.opens = True
    driver.works.set()
    until(lambda: camera.state is CameraState.LIVE)
    driver.error = SourceError("it broke")
    until(lambda: camera.state is CameraState.FAILED)
    driver.error = None
    until(lambda: camera.state is CameraState.LIVE, seconds=0.3)  # the sixth wait would be longer
    camera.stop()


def test_a_long_wait_ends_when_what_was_gone_is_back() -> None:
    driver = Driver(opens=False, there=False)
    camera = watch(driver, Backoff(60.0, 60.0))
    until(lambda: camera.state is CameraState.FAILED)
    driver.there = driver.opens = True
    driver.works.set()
    until(lambda: camera.state is CameraState.LIVE, seconds=3.0)
    camera.stop()


def test_the_heartbeat_goes_on_while_it_waits_to_connect() -> None:
    camera = watch(Driver(opens=False), Backoff(60.0, 60.0))
    until(lambda: camera.state is CameraState.FAILED)
    before = camera.heartbeat
    until(lambda: camera.heartbeat > before, seconds=3.0)
    camera.stop()


def test_stopping_returns_at_once_even_while_a_read_hangs() -> None:
    driver = Driver()
    camera = watch(driver)
    until(lambda: driver.opened == 1)
    before = time.monotonic()
    assert not camera.stop(timeout=0.1)
    assert time.monotonic() - before < 1.0
    assert camera.finished
    assert list(camera) == []


def test_a_hung_read_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading\n"
        "from edge_runtime.capture.camera import Camera\n"
        "from edge_runtime.capture.source import SourceSettings\n"
        "class Hung:\n"
        "    live = True\n"
        "    def open(self): opened.set(); threading.Event().wait()\n"
        "    def close(self): pass\n"
        "opened = threading.Event()\n"
        "camera = Camera('a', SourceSettings('x'), create=lambda _: Hung())\n"
        "camera.start(); opened.wait(); camera.stop(0.05); print('over')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "over\n"


def test_frames_are_numbered_with_what_was_dropped_and_stamped_at_arrival() -> None:
    driver = Driver()
    driver.works.set()
    camera = watch(driver)
    first = camera.take(2.0)
    threading.Event().wait(0.1)
    second = camera.take(2.0)
    now, wall = time.monotonic(), time.time()
    assert first is not None
    assert second is not None
    assert first.number < second.number
    assert camera.stats().dropped >= second.number - first.number - 1 > 0
    assert 0 <= now - second.timestamp < 0.1
    assert (wall - second.wall_time) == pytest.approx(now - second.timestamp, abs=0.01)
    stats = camera.stats()
    assert (stats.width, stats.height) == (6, 4)
    assert 20 < stats.fps < 110
    camera.stop()


def test_a_recording_ends_after_its_last_frame_was_taken() -> None:
    url = "synthetic:?width=32&height=32&fps=10&seconds=3"
    camera = Camera("demo", SourceSettings(url), pace=Pace.FAST)
    camera.start()
    assert len(list(camera)) == 30
    assert camera.finished
    assert camera.state is CameraState.ENDED


def test_a_limit_of_one_frame_in_a_while_makes_no_camera_stale() -> None:
    url = "synthetic:?width=32&height=32&fps=20&seconds=1"
    camera = Camera("demo", SourceSettings(url, fps=2.5, stale_after=0.2))
    camera.start()
    assert len(list(camera)) == 3
    assert camera.stats().changes[CameraState.STALE] == 0


def test_a_recording_that_breaks_off_is_not_played_again(tmp_path: object) -> None:
    @dataclass
    class Broken(Driver):
        def read(self) -> Picture:
            if self.error is not None:
                raise self.error
            self.error = SourceError("page 2 is missing")
            return Picture(IMAGE, time.monotonic(), 0.0, 0.0)

    driver = Broken(live=False)
    camera = watch(driver)
    assert len(list(camera)) == 1
    assert camera.state is CameraState.FAILED
    assert driver.opened == 1


def test_a_recording_that_is_not_there_yet_is_waited_for(tmp_path: object) -> None:
    driver = Driver(live=False, opens=False)
    camera = watch(driver)
    until(lambda: driver.opened >= 3)
    driver.opens = True
    driver.works.set()
    until(lambda: camera.state is CameraState.LIVE)
    camera.stop()
