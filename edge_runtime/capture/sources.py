"""Which source a URL means.

| URL | source |
|---|---|
| a path, or ``file:`` and a path | a video file, a picture, or a folder of pictures |
| ``v4l2:/dev/video0`` (or ``v4l2:0``) | a camera behind Video4Linux |
| ``rtsp://``, ``rtsps://``, ``http://``, ``https://`` | a stream |
| ``picamera2:0`` | a camera on a Raspberry Pi's CSI connector |
| ``synthetic:?width=640&height=360&fps=10&seconds=5&seed=1`` | pictures drawn by code |
| ``scene:atm?width=640&height=360&fps=10&seconds=40&seed=1`` | a drawn lobby with real people |

A new kind of source is a new module and a line in `_SOURCES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_runtime.capture.images import SUFFIXES, Images
from edge_runtime.capture.masks import Masked
from edge_runtime.capture.picamera import PicameraCamera
from edge_runtime.capture.scene import scene
from edge_runtime.capture.source import (
    Picture,
    Source,
    SourceError,
    SourceInfo,
    SourceSettings,
)
from edge_runtime.capture.stream import Stream
from edge_runtime.capture.synthetic import Synthetic
from edge_runtime.capture.v4l2 import V4l2Camera
from edge_runtime.capture.video import VideoFile

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


def _file(rest: str, settings: SourceSettings) -> Source:
    path = unquote(urlsplit(f"file:{rest}").path) if rest.startswith("//") else rest
    return _path(path, settings)


def _path(text: str, settings: SourceSettings) -> Source:
    path = Path(text).expanduser()
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return Images(path, settings)
    return VideoFile(path, settings)


def _stream(_: str, settings: SourceSettings) -> Source:
    return Stream(settings)


_SOURCES: dict[str, Callable[[str, SourceSettings], Source]] = {
    "file": _file,
    "v4l2": V4l2Camera,
    "rtsp": _stream,
    "rtsps": _stream,
    "http": _stream,
    "https": _stream,
    "picamera2": PicameraCamera,
    "synthetic": Synthetic,
    "scene": scene,
}


def create_source(settings: SourceSettings) -> Source:
    """The source that `settings.url` means, not yet opened; its pictures are masked.

    Raises:
        SourceError: the URL is of no known kind or is malformed.
    """
    source = _unmasked(settings)
    return Masked(source, settings.masks) if settings.masks else source


def _unmasked(settings: SourceSettings) -> Source:
    match = _SCHEME.fullmatch(settings.url)
    if match is None:
        return _path(settings.url, settings)
    scheme, rest = match.groups()
    create = _SOURCES.get(scheme.lower())
    if create is None:
        known = ", ".join(f"{name}:" for name in _SOURCES)
        raise SourceError(
            f"the source {settings.name} is of an unknown kind, {scheme}: use a path or one of "
            f"{known}"
        )
    return create(rest, settings)


def probe(settings: SourceSettings) -> tuple[SourceInfo, Picture]:
    """Open a source, take one picture and close it again: does it work, and what is it?

    Raises:
        SourceError: it does not work.
    """
    with closing(create_source(settings)) as source:
        info = source.open()
        picture = source.read()
    if picture is None:
        raise SourceError(f"{info.description} opens, but holds no picture")
    return info, picture
