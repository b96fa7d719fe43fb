"""A real RTSP server in a process of its own, to be killed and started again."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_server.py")
START_SECONDS = 15.0


class RtspServer:
    """Serves `clip` at `url` while its context is open.

    >>> with RtspServer(clip) as server:
    ...     server.kill()
    ...     server.start()  # on the same port
    """

    def __init__(
        self,
        clip: Path,
        *,
        port: int | None = None,
        user: str | None = None,
        password: str = "",
        digest: bool = False,
    ) -> None:
        self.port = port or free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"rtsp://{self.host}/stream"
        self._command = [SYSTEM_PYTHON, str(SCRIPT), str(clip), "--port", str(self.port)]
        if user is not None:
            self._command += ["--user", user, "--password", password]
        if digest:
            self._command.append("--digest")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        process = self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        if not ready or process.stdout.readline() != b"ready\n":
            self.kill()
            raise RuntimeError(
                "the RTSP server does not start (are python3-gi, gir1.2-gst-rtsp-server-1.0 and "
                f"gstreamer1.0-plugins-good installed?): {process.stderr.read().decode()}"
            )

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let it fall silent with its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
