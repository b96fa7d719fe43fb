"""Masks: what is under them is black, whatever the source, and before anything sees the picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pytest

from edge_runtime.capture.camera import Camera, Pace
from edge_runtime.capture.masks import Masked, Patch
from edge_runtime.capture.picamera import yuv420_to_bgr
from edge_runtime.capture.recording import Recording
from edge_runtime.capture.source import Picture, SourceSettings
from edge_runtime.capture.sources import create_source, probe
from edge_runtime.frame import Image

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TRIANGLE = ((0.6, 0.1), (0.9, 0.1), (0.9, 0.9))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A white clip of a second."""
    path = tmp_path / "white.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(10):
        writer.write(np.full((48, 64, 3), 255, np.uint8))
    writer.release()
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "white.png"
    cv2.imwrite(str(path), np.full((48, 64, 3), 255, np.uint8))
    return path


def assert_masked(image: Image) -> None:
    """The left half is black, up to two pixels more, and the rest is as it was."""
    middle = image.shape[1] // 2
    assert not image[:, :middle].any()
    assert image[:, middle + 2 :].any(axis=2).all()


def test_every_kind_of_source_is_masked(film: Path, photo: Path) -> None:
    drawn = "width=64&height=48&fps=10&seconds=1"
    for url in (str(film), str(photo), str(photo.parent), f"synthetic:?{drawn}"):
        if Path(url).is_dir():
            film.rename(film.with_suffix(".hidden"))
        with closing(create_source(SourceSettings(url, masks=(LEFT_HALF,)))) as source:
            source.open()
            count = 0
            while (picture := source.read()) is not None:
                assert_masked(picture.image)
                count += 1
        assert count, url


def test_frames_are_masked_on_each_way_that_they_come(film: Path) -> None:
    settings = SourceSettings(str(film), masks=(LEFT_HALF,))
    with Recording(settings) as recording:
        frames = list(recording)
    camera = Camera("atm", settings, pace=Pace.FAST)
    camera.start()
    frames += list(camera)
    assert len(frames) == 20
    for frame in frames:
        assert_masked(frame.image)
    assert_masked(probe(settings)[1].image)


def test_a_mask_covers_every_pixel_that_it_touches() -> None:
    """Compared with polygons drawn 16 times as large, of which any part counts."""
    for size in ((64, 48), (101, 77)):
        image = np.full((size[1], size[0], 3), 255, np.uint8)
        Patch.of(TRIANGLE, size).blacken(image)
        large = np.zeros((size[1] * 16, size[0] * 16), np.uint8)
        corners = np.round(np.array(TRIANGLE) * (size[0] * 16, size[1] * 16)).astype(np.int32)
        cv2.fillPoly(large, [corners], 255)
        touched = large.reshape(size[1], 16, size[0], 16).any(axis=(1, 3))
        black = ~image.any(axis=2)
        assert black[touched].all()
        assert black.sum() < touched.sum() + 6 * max(size)  # and not much more


def test_a_mask_works_in_the_memory_of_a_view() -> None:
    """A Pi camera's rows have padding, which is cut off without a copy."""
    planes = np.full((48 * 3 // 2, 80), 200, np.uint8)
    image = yuv420_to_bgr(planes, 64)
    assert not image.flags.c_contiguous
    Patch.of(LEFT_HALF, (64, 48)).blacken(image)
    assert_masked(image)


def test_several_masks_are_all_black_and_a_change_of_size_is_followed() -> None:
    class Changing:
        """Two pictures of different sizes."""

        live = True

        def __init__(self) -> None:
            self.sizes = [(64, 48), (128, 72)]

        def read(self) -> Picture | None:
            width, height = self.sizes.pop(0)
            return Picture(np.full((height, width, 3), 255, np.uint8), 0.0, None, 0.0)

    masked = Masked(Changing(), (LEFT_HALF, TRIANGLE))  # type: ignore[arg-type]
    for width, height in ((64, 48), (128, 72)):
        picture = masked.read()
        assert picture is not None
        assert picture.image.shape == (height, width, 3)
        assert not picture.image[:, : width // 2].any()
        assert not picture.image[height // 3, round(0.85 * width)].any()
        assert picture.image[-1, -1].all()


def test_masking_costs_less_than_a_tenth_of_assigning_to_pixels() -> None:
    image = np.full((432, 768, 3), 255, np.uint8)
    patch = Patch.of(((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 0.9)), (768, 432))
    inside = patch.inside > 0
    part = image[patch.rows, patch.columns]

    def assign() -> None:
        part[inside] = 0

    def took(work: Callable[[], None]) -> float:
        times = []
        for _ in range(50):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return median(times)

    assert took(lambda: patch.blacken(image)) < took(assign) / 10
