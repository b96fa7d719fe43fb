"""A picture file, or a folder of them played one after another."""

from __future__ import annotations

import re
import time
from pathlib import Path

import cv2

from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.source import Picture, SourceError, SourceInfo, SourceSettings
from edge_runtime.capture.video import check_readable
from edge_runtime.frame import Image

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class Images:
    """One picture file, or all in a folder in natural order (2.jpg before 10.jpg).

    Other files in the folder are passed over. A folder plays at the settings' fps, else at one
    picture a second.
    """

    live = False

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self._path = path
        self._fps = settings.fps or 1.0
        self._paths: list[Path] = []
        self._next = 0

    def open(self) -> SourceInfo:
        """List the folder and look at its first picture."""
        self._paths = list_images(self._path)
        height, width = read_image(self._paths[0]).shape[:2]
        count = len(self._paths)
        what = f"folder of {count} pictures" if self._path.is_dir() else "picture"
        return SourceInfo(width, height, self._fps, f"{what} {self._path}, {width}x{height}", count)

    def read(self) -> Picture | None:
        """The next picture."""
        if self._next >= len(self._paths):
            return None
        started = time.thread_time()
        image = read_image(self._paths[self._next])
        seconds = time.thread_time() - started
        media_time = self._next / self._fps
        self._next += 1
        return Picture(image, time.monotonic(), media_time, seconds)

    def close(self) -> None:
        """Forget the list."""
        self._paths = []

    def present(self) -> bool:
        """Whether the file or folder is there."""
        return self._path.exists()


def list_images(path: Path) -> list[Path]:
    """`path` itself, or the picture files in it in natural order.

    Raises:
        SourceError: there is none.
    """
    if not path.is_dir():
        return [path]
    paths = [entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES]
    if not paths:
        raise SourceError(f"the folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return sorted(paths, key=lambda entry: natural_order(entry.name))


def natural_order(name: str) -> list[tuple[int, str]]:
    """A sort key under which the numbers in names count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), part) if part.isdecimal() else (0, part) for part in parts]


def read_image(path: Path) -> Image:
    """The picture in `path` as BGR, turned upright as its EXIF says.

    Raises:
        SourceError: the file is missing or is not a picture.
    """
    check_readable(path)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(
            f"{path} is not a picture that can be read: it is damaged, incomplete or of another "
            "format"
        )
    return as_image(image)
