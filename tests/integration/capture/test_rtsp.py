"""A real RTSP server, killed and started again, with a password, or silent."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.capture.camera import Camera, CameraState
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.capture.sources import probe
from tests.integration.capture.waiting import until
from tests.rtsp import RtspServer, free_port

BACK_WITHIN = 5.0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A peer that accepts connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("down_seconds", [0.5, 8.0])
def test_a_killed_server_is_live_again_within_five_seconds_of_its_return(
    clip: Path, down_seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with RtspServer(clip) as server:
        camera = Camera("atm", SourceSettings(server.url))
        camera.start()
        assert camera.take(10.0) is not None
        assert camera.state is CameraState.LIVE

        server.kill()
        until(lambda: camera.state in (CameraState.FAILED, CameraState.STALE), 6.0)
        time.sleep(down_seconds)  # the outage itself
        assert camera.state in (CameraState.FAILED, CameraState.STALE)
        while camera.take(0):
            pass
        server.start()
        until(lambda: camera.state is CameraState.LIVE, BACK_WITHIN)

        assert camera.take(1.0) is not None
        stats = camera.stats()
        assert stats.changes[CameraState.LIVE] == 2
        assert stats.changes[CameraState.FAILED] + stats.changes[CameraState.STALE] >= 1
        assert stats.reconnects >= 1
        assert stats.last_error is not None
        assert camera.stop(timeout=2.0)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == sum(stats.changes.values())  # connecting is not told, the end is


def test_a_stream_is_timestamped_as_it_arrives_and_limited(clip: Path) -> None:
    with RtspServer(clip) as server:
        camera = Camera("atm", SourceSettings(server.url, fps=5))
        camera.start()
        frames = []
        for frame in camera:
            assert time.monotonic() - frame.timestamp < 0.2
            frames.append(frame)
            if len(frames) == 16:
                break
        camera.stop()
    steady = frames[6:]  # what the server had sent while the stream was looked at comes first
    span = steady[-1].timestamp - steady[0].timestamp
    assert span == pytest.approx((len(steady) - 1) / 5, abs=0.15)
    assert steady[0].image.shape == (432, 768, 3)


@pytest.mark.parametrize("digest", [False, True])
def test_a_nasty_password_is_understood_by_the_camera_and_seen_by_nobody(
    clip: Path, digest: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspServer(clip, user="admin", password="p@ss:w%rd&/", digest=digest) as server:
        url = f"rtsp://admin:p@ss:w%rd&%2F@{server.host}/stream"
        camera = Camera("atm", SourceSettings(url))
        camera.start()
        assert camera.take(10.0) is not None
        seen = repr(camera.stats()) + caplog.text
        camera.stop()
        assert f"rtsp://***@{server.host}/stream" in seen
        assert "p@ss" not in seen
        assert "w%rd" not in seen

        with pytest.raises(SourceError) as raised:
            probe(SourceSettings(f"rtsp://admin:wr@ng@{server.host}/stream"))
    assert str(raised.value) == (
        f"rtsp://***@{server.host}/stream answers, but gives no stream that can be read: check its "
        "path, user and password"
    )


def test_a_peer_that_accepts_and_says_nothing_is_found_out(silent_port: int) -> None:
    url = f"rtsp://admin:s3cret@127.0.0.1:{silent_port}/stream"
    camera = Camera("atm", SourceSettings(url, open_timeout=1.0, stale_after=1.0))
    camera.start()
    took = until(lambda: camera.state is not CameraState.CONNECTING, 3.0)
    assert took > 0.8
    assert camera.state in (CameraState.FAILED, CameraState.STALE)
    until(lambda: camera.stats().last_error is not None, 2.0)
    assert camera.stats().last_error == (
        f"rtsp://***@127.0.0.1:{silent_port}/stream accepts the connection and then sends no "
        "stream for 1 s: check that it is a camera's address, or restart the camera"
    )
    camera.stop(0)


def test_a_stream_that_falls_silent_is_stale(clip: Path) -> None:
    """A server that is stopped, not killed: its connection stays open."""
    with RtspServer(clip) as server:
        camera = Camera("atm", SourceSettings(server.url, stale_after=1.0))
        camera.start()
        assert camera.take(10.0) is not None
        server.pause()
        took = until(lambda: camera.state is CameraState.STALE, 3.0)
        assert took > 0.5
        until(lambda: camera.stats().last_error is not None, 3.0)
        assert f"{server.url} is silent for 1 s" in str(camera.stats().last_error)
        server.resume()
        until(lambda: camera.state is CameraState.LIVE, 15.0)
        camera.stop()


def test_a_server_that_is_not_there_is_named_within_a_second_or_two() -> None:
    url = f"rtsp://admin:s3cret@127.0.0.1:{free_port()}/stream"
    started = time.monotonic()
    with pytest.raises(SourceError) as raised:
        probe(SourceSettings(url))
    assert time.monotonic() - started < 3.0
    shown = url.replace("admin:s3cret", "***")
    assert str(raised.value) == (
        f"cannot connect to {shown} (connection refused): check the address, and that the camera "
        "is on"
    )


def test_a_host_that_nobody_knows_is_named() -> None:
    with pytest.raises(SourceError) as raised:
        probe(SourceSettings("rtsp://camera.invalid/stream"))
    assert str(raised.value) == (
        "cannot connect to rtsp://camera.invalid/stream (the host name is not known): check the "
        "address, and that the camera is on"
    )


def test_a_path_that_the_server_does_not_have_is_named(clip: Path) -> None:
    with RtspServer(clip) as server, pytest.raises(SourceError) as raised:
        probe(SourceSettings(f"rtsp://{server.host}/other"))
    assert str(raised.value) == (
        f"rtsp://{server.host}/other answers, but gives no stream that can be read: check its "
        "path, user and password"
    )
