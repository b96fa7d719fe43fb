"""A real HTTP server that sends MJPEG, as many cameras and ESP32 boards do."""

import base64
import http.server
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import cv2
import numpy as np
import pytest

from edge_runtime.capture.camera import Camera, CameraState
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.capture.sources import probe
from tests.integration.capture.waiting import until

CREDENTIALS = "admin:p@ss:w%rd"


class MjpegServer(http.server.ThreadingHTTPServer):
    """Sends pictures, 20 a second, each a little brighter; `/private` wants a password."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MjpegHandler)
        self.broken = threading.Event()
        self.host = f"127.0.0.1:{self.server_port}"


class MjpegHandler(http.server.BaseHTTPRequestHandler):
    server: MjpegServer
    expected: ClassVar = "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()

    def do_GET(self) -> None:
        if self.path == "/private" and self.headers["Authorization"] != self.expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in range(10_000):
            if self.server.broken.is_set():
                return
            image = np.full((48, 64, 3), number % 200, np.uint8)
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.broken.set()
        server.shutdown()
        thread.join()


def test_mjpeg_over_http_is_read_and_reconnected(server: MjpegServer) -> None:
    camera = Camera("atm", SourceSettings(f"http://{server.host}/stream"))
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
