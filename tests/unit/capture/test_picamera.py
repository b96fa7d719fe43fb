"""The Raspberry Pi's camera, of which only its library's behaviour can be had here.

The fake does what picamera2's manual and source say of 0.3.19 and later, also when it fails.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.capture.picamera import lores_size, yuv420_to_bgr
from edge_runtime.capture.source import SourceError, SourceSettings, SourceStalledError
from edge_runtime.capture.sources import create_source

STRIDE_ALIGNMENT = 64
COLOUR = (40, 90, 200)  # blue, green, red


class FakeRequest:
    """A completed request: the camera's memory, on loan until it is released."""

    def __init__(self, camera: FakePicamera2) -> None:
        self.camera = camera
        self.config = camera.config
        camera.on_loan += 1

    def release(self) -> None:
        self.camera.on_loan -= 1


class FakeMappedArray:
    """Maps a stream of a request; the memory is overwritten when the context is left."""

    def __init__(self, request: FakeRequest, stream: str) -> None:
        config = request.config[stream]
        width, height = config["size"]
        pixels = np.full((height, width, 3), COLOUR, np.uint8)
        if config["format"] == "YUV420":
            stride = config["stride"]
            padded = np.zeros((height, stride, 3), np.uint8)
            padded[:, :width] = pixels
            pixels = cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420)
        self.array = pixels

    def __enter__(self) -> FakeMappedArray:
        return self

    def __exit__(self, *_: object) -> None:
        self.array[:] = 0


class FakePicamera2:
    """One camera, number 0."""

    has_lores = True
    in_use = False
    usb = False
    stalled = False
    opened: FakePicamera2

    def __init__(self, camera_num: int = 0) -> None:
        [{"Num": 0}][camera_num]  # as global_camera_info()[camera_num] there: IndexError
        if self.in_use:
            try:
                raise RuntimeError("Failed to acquire camera: Device or resource busy")
            except RuntimeError:
                raise RuntimeError("Camera __init__ sequence did not complete.")  # noqa: B904
        type(self).opened = self
        self.config: dict[str, Any] = {}
        self.on_loan = 0
        self.jobs = 0
        self.started = self.closed = False

    def create_video_configuration(
        self,
        main: dict[str, Any],
        *,
        lores: dict[str, Any] | None = None,
        raw: object = None,
        buffer_count: int = 6,
        controls: dict[str, Any] | None = None,
        display: str | None = "main",
    ) -> dict[str, Any]:
        for stream in (main, lores):
            if stream is not None and set(stream) - {"format", "size", "preserve_ar"}:
                raise ValueError("Bad key")
        return {
            "main": dict(main),
            "lores": lores and dict(lores),
            "controls": controls or {},
        }

    def configure(self, config: dict[str, Any]) -> None:
        lores = config["lores"]
        if lores is not None and not self.has_lores:
            raise RuntimeError("Configuration failed")
        for stream in (config["main"], lores):
            if stream is not None:
                width, height = stream["size"]
                if width % 2 or height % 2:
                    raise RuntimeError("width and height should be even")
                stream["stride"] = -(-width // STRIDE_ALIGNMENT) * STRIDE_ALIGNMENT
        if self.usb:
            config["main"]["format"] = "YUYV"  # libcamera adjusts what it cannot give
        self.config = config

    def stream_configuration(self, name: str = "main") -> dict[str, Any]:
        stream: dict[str, Any] = self.config[name]
        return stream

    def start(self) -> None:
        self.started = True

    def capture_request(self, wait: float) -> FakeRequest:
        assert self.started
        if self.stalled:
            self.jobs += 1  # the job stays in the queue
            raise TimeoutError
        return FakeRequest(self)

    def cancel_all_and_flush(self) -> None:
        self.jobs = 0

    def close(self) -> None:
        assert self.jobs == 0, "stopping waits behind a capture that never ends"
        self.closed = True


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    """The library, installed, with a camera of its own for each test."""
    camera = type("Picamera2", (FakePicamera2,), {})
    module = types.ModuleType("picamera2")
    module.Picamera2 = camera  # type: ignore[attr-defined]
    module.MappedArray = FakeMappedArray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return camera


def failure(url: str = "picamera2:0") -> str:
    source = create_source(SourceSettings(url))
    with pytest.raises(SourceError) as raised:
        source.open()
    source.close()
    return str(raised.value)


def test_without_the_library_a_person_is_told_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    assert failure() == (
        "picamera2 is not installed: on Raspberry Pi OS run `sudo apt install python3-picamera2` "
        "and install edge-runtime into a virtual environment made with --system-site-packages, or "
        "install edge-runtime[picamera]"
    )


def test_a_library_that_lacks_a_part_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "picamera2.py").write_text("import libcamera_that_is_missing\n")
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert failure().endswith("(libcamera_that_is_missing is missing)")


def test_a_camera_number_must_be_one() -> None:
    with pytest.raises(SourceError) as raised:
        create_source(SourceSettings("picamera2:front"))
    assert str(raised.value) == (
        "picamera2:front names no camera: write its number, such as picamera2:0"
    )


def test_a_camera_that_is_not_there_is_named(picamera2: type[FakePicamera2]) -> None:
    assert failure("picamera2:1") == (
        "there is no camera picamera2:1: `rpicam-hello --list-cameras` lists those that are "
        "connected"
    )


def test_a_camera_in_use_says_so(picamera2: type[FakePicamera2]) -> None:
    picamera2.in_use = True
    assert failure() == (
        "the camera picamera2:0 cannot be opened (Failed to acquire camera: Device or resource "
        "busy): another program may be using it, or its cable is loose"
    )


def test_a_usb_camera_is_sent_to_v4l2(picamera2: type[FakePicamera2]) -> None:
    picamera2.has_lores, picamera2.usb = False, True
    assert failure() == (
        "the camera picamera2:0 delivers YUYV, which is not read here: use a USB camera as "
        "v4l2:/dev/video0"
    )


@pytest.mark.parametrize("size", [(1280, 720), (1000, 700), (320, 240)])
def test_the_detector_gets_the_small_stream(
    picamera2: type[FakePicamera2], size: tuple[int, int]
) -> None:
    source = create_source(SourceSettings("picamera2:0", width=size[0], height=size[1], fps=5))
    info = source.open()
    picture = source.read()
    assert picture is not None
    assert picamera2.opened.config["main"]["size"] == size
    assert picamera2.opened.config["controls"] == {"FrameRate": 5}
    assert picture.image.shape == (info.height, info.width, 3)
    assert (info.width, info.height) == lores_size(*size)
    assert np.abs(picture.image.astype(int) - COLOUR).max() < 6
    assert picture.media_time is None
    assert picamera2.opened.on_loan == 0
    source.close()
    assert picamera2.opened.closed


def test_without_a_small_stream_the_main_one_is_read_and_copied(
    picamera2: type[FakePicamera2],
) -> None:
    picamera2.has_lores = False
    source = create_source(SourceSettings("picamera2:0"))
    assert "main stream, 1280x720" in source.open().description
    picture = source.read()
    assert picture is not None
    assert (picture.image == COLOUR).all()
    assert picamera2.opened.on_loan == 0
    source.close()


def test_a_camera_that_falls_silent_is_stalled_and_can_be_closed(
    picamera2: type[FakePicamera2],
) -> None:
    source = create_source(SourceSettings("picamera2:0", stale_after=2))
    source.open()
    picamera2.stalled = True
    with pytest.raises(SourceStalledError) as raised:
        source.read()
    assert str(raised.value) == (
        "the camera picamera2:0 delivers no picture for 2 s: check its cable"
    )
    source.close()
    source.close()
    assert picamera2.opened.closed


@pytest.mark.parametrize(
    ("main", "lores"),
    [((1280, 720), (640, 360)), ((320, 240), (320, 240)), ((1640, 1232), (640, 480))],
)
def test_the_small_stream_has_the_shape_of_the_large_one(
    main: tuple[int, int], lores: tuple[int, int]
) -> None:
    assert lores_size(*main) == lores


def test_padding_at_the_right_is_cut_off() -> None:
    padded = np.zeros((32, 64, 3), np.uint8)
    padded[:, :48] = COLOUR
    image = yuv420_to_bgr(cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420), 48)  # type: ignore[arg-type]
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - COLOUR).max() < 6
