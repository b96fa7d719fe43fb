"""A real HTTP server that sends MJPEG, as many cameras and ESP32 boards do."""

from __future__ import annotations

import base64
import http.server
import itertools
import threading
import time
from collections.abc import Callable


class MjpegServer(http.server.ThreadingHTTPServer):
    """Sends pictures without an end to each who asks, as a context manager.

    Args:
        picture: the JPEG file with that number, from 0 for each who asks.
        fps: how many a second.
        credentials: user:password that `/private` wants.

    Attributes:
        broken: while it is set, every connection is ended at its next picture.
    """

    daemon_threads = True

    def __init__(self, picture: Callable[[int], bytes], fps: float, credentials: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.picture = picture
        self.fps = fps
        self.broken = threading.Event()
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}/stream"
        self.expected = "Basic " + base64.b64encode(credentials.encode()).decode()
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broken.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        if self.path == "/private" and self.headers["Authorization"] != self.server.expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in itertools.count():
            if self.server.broken.is_set():
                return
            jpeg = self.server.picture(number)
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return
            time.sleep(1 / self.server.fps)

    def log_message(self, *_: object) -> None:
        pass
