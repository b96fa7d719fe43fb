"""MJPEG over HTTP, from a real server."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge_runtime.capture.camera import Camera, CameraState
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.capture.sources import probe
from tests.integration.capture.waiting import until
from tests.mjpeg import MjpegServer

CREDENTIALS = "admin:p@ss:w%rd"


def _a_little_brighter(number: int) -> bytes:
    image = np.full((48, 64, 3), number % 200, np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer(_a_little_brighter, 20.0, CREDENTIALS) as server:
        yield server


def test_mjpeg_over_http_is_read_and_reconnected(server: MjpegServer) -> None:
    camera = Camera("atm", SourceSettings(server.url))
    camera.start()
    brightness = []
    for frame in camera:
        assert frame.image.shape == (48, 64, 3)
        brightness.append(int(frame.image.mean()))
        if len(brightness) == 20:
            break
    assert brightness == sorted(brightness)
    assert brightness[-1] - brightness[0] >= 15

    server.broken.set()
    until(lambda: camera.state is CameraState.FAILED, 5.0)
    assert "was ended by the other side" in str(camera.stats().last_error)
    server.broken.clear()
    until(lambda: camera.state is CameraState.LIVE, 5.0)
    assert camera.stop(2.0)


def test_a_password_over_http_reaches_the_camera(server: MjpegServer) -> None:
    info, _ = probe(SourceSettings(f"http://{CREDENTIALS}@{server.host}/private"))
    assert info.description == f"stream http://***@{server.host}/private, 64x48, over TCP"


def test_a_wrong_password_over_http_is_told(server: MjpegServer) -> None:
    with pytest.raises(SourceError) as raised:
        probe(SourceSettings(f"http://admin:no@{server.host}/private"))
    assert str(raised.value) == (
        f"http://***@{server.host}/private answers, but gives no stream that can be read: check "
        "its path, user and password"
    )
