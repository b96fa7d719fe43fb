"""A real clip, at its own pace and as fast as it is taken."""

import time
from pathlib import Path

import pytest

from edge_runtime.capture.camera import Camera, CameraState, Pace
from edge_runtime.capture.recording import Recording
from edge_runtime.capture.source import SourceSettings

FRAMES = 1394


def test_as_fast_as_it_is_taken_every_frame_comes_with_its_time(clip: Path) -> None:
    camera = Camera("atm", SourceSettings(str(clip)), pace=Pace.FAST)
    started, wall = time.monotonic(), time.time()
    camera.start()
    frames = [(frame.timestamp, frame.wall_time, frame.number) for frame in camera]
    took = time.monotonic() - started
    stats = camera.stats()
    assert len(frames) == stats.frames == FRAMES
    assert stats.dropped == 0
    assert stats.state is CameraState.ENDED
    assert stats.info is not None
    assert (stats.info.frames, stats.info.fps) == (FRAMES, 10.0)
    first = frames[0][0]
    assert first == pytest.approx(started, abs=2.0)
    assert frames[0][1] == pytest.approx(wall, abs=2.0)
    assert [round((at - first) * 10) for at, _, _ in frames] == list(range(FRAMES))
    assert frames[-1][1] - frames[0][1] == pytest.approx(139.3, abs=0.05)
    assert [number for _, _, number in frames] == list(range(FRAMES))
    assert took < 60


def test_a_slow_reader_of_a_fast_clip_misses_nothing(clip: Path) -> None:
    camera = Camera("atm", SourceSettings(str(clip), fps=1), pace=Pace.FAST)
    camera.start()
    times = []
    for frame in camera:
        time.sleep(0.003)
        times.append(frame.timestamp)
    assert [round(at - times[0]) for at in times] == list(range(140))


def test_at_its_own_pace_a_clip_plays_as_long_as_it_lasts(clip: Path) -> None:
    camera = Camera("atm", SourceSettings(str(clip)))
    camera.start()
    frames = []
    for frame in camera:
        frames.append(frame)
        assert time.monotonic() - frame.timestamp < 0.1
        if len(frames) == 25:
            break
    assert camera.stats().fps == pytest.approx(10, abs=1.5)
    assert camera.stop()
    assert frames[-1].number == 24
    assert frames[-1].timestamp - frames[0].timestamp == pytest.approx(2.4, abs=0.1)
    assert all(0 < frame.decode_seconds < 0.1 for frame in frames)


def test_a_reader_that_is_too_slow_gets_the_newest_frame(clip: Path) -> None:
    camera = Camera("atm", SourceSettings(str(clip)))
    camera.start()
    assert camera.take(2.0) is not None
    time.sleep(0.75)
    frame = camera.take(2.0)
    assert frame is not None
    assert time.monotonic() - frame.timestamp < 0.15
    assert frame.number >= 6
    assert camera.stats().dropped >= 5
    camera.stop()


def test_a_replay_sees_every_frame_on_the_clips_own_time(clip: Path) -> None:
    with Recording(SourceSettings(str(clip)), start_wall=1000.0) as recording:
        assert recording.info.frames == FRAMES
        assert recording.info.duration == pytest.approx(139.4)
        frames = [(frame.timestamp, frame.wall_time) for frame in recording]
    assert [round(at * 10) for at, _ in frames] == list(range(FRAMES))
    assert all(wall == 1000.0 + at for at, wall in frames)


def test_a_replay_can_be_limited(clip: Path) -> None:
    with Recording(SourceSettings(str(clip), fps=5)) as recording:
        times = [frame.timestamp for frame in recording]
    assert times == pytest.approx([i / 5 for i in range(697)])
