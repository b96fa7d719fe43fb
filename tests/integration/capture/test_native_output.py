"""What OpenCV and FFmpeg write past Python's logging must not hold a password."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rtsp import RtspServer, free_port

PROGRAM = """
import sys
{first}
from edge_runtime.capture.source import SourceError, SourceSettings
from edge_runtime.capture.sources import probe
for url in sys.argv[1:]:
    try:
        print(probe(SourceSettings(url, open_timeout=2))[0].description)
    except SourceError as error:
        print(error)
"""


@pytest.mark.parametrize("first", ["", "import cv2"])
def test_failing_sources_write_nothing_on_their_own(clip: Path, tmp_path: Path, first: str) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[1000:200_000])
    with RtspServer(clip, user="admin", password="right") as server:
        urls = [
            f"rtsp://admin:s3cret@{server.host}/stream",
            f"rtsp://admin:right@{server.host}/s3cret?password=s3cret",
            f"rtsp://admin:s3cret@127.0.0.1:{free_port()}/stream",
            f"http://admin:s3cret@{server.host}/x",
            f"http://admin:s3cret@127.0.0.1:{free_port()}/x",
            f"rtsp://admin:right@{server.host}/stream",
            str(broken),
            "v4l2:/dev/null",
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCV_")}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(first=first), *urls],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environment,
        )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(urls)
    for line in done.stdout.splitlines():
        assert "admin" not in line
        assert ":s3cret" not in line
        assert "=s3cret" not in line
