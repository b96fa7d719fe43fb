"""A still of a camera with its zones and lines drawn on it, and a grid to read coordinates off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.analysis.lines import Line
from edge_runtime.analysis.zones import Point, Zone
from edge_runtime.capture.opencv import as_image
from edge_runtime.capture.source import SourceSettings
from edge_runtime.capture.sources import create_source
from edge_runtime.config import CameraConfig, load
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.frame import Image
from edge_runtime.service import ruling, wiring

_SETTLE_SECONDS = 1.0
"""A camera's first pictures are too dark or too bright, until it has found its exposure."""
_LEAST_WIDTH, _MOST_WIDTH = 1000, 1920
"""Between these a picture is scaled, so that its letters can be read on any screen."""

_Colour = tuple[int, int, int]
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER = (245, 245, 245)
_INK = (40, 40, 40)
_GRID = (255, 255, 255)
_ZONE = (220, 170, 40)
_LINE = (60, 60, 230)
_MASK = (160, 60, 160)


class ZoneMapError(EdgeRuntimeError):
    """No map can be drawn, or not be written."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is drawn on the still; of a mask only the edge: what is under it is black already."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    masks: tuple[Zone, ...] = ()


def write_map(what: str | None, camera: str | None, source: str | None, out: Path) -> str:
    """Draw the map of one camera into the file `out`.

    Args:
        what: the configuration (.toml) that has the camera; or a source, of which the grid alone
            is drawn; None: there is only `source`.
        camera: its name; None: the only one.
        source: what is looked at in place of the camera's own source; None: that.
        out: a picture file, by its suffix one that OpenCV writes.

    Returns:
        What was drawn, as a sentence.

    Raises:
        EdgeRuntimeError: the configuration is wrong, the source gives no picture, or the file
            cannot be written.
    """
    settings, shapes = _meant(what, camera, source)
    _write(out, draw_map(_still(settings), shapes))
    drawn = [zone.name for zone in shapes.zones] + [line.name for line in shapes.lines]
    return f"{out}: {settings.name} with {', '.join(drawn) or 'the grid alone'}"


def draw_map(image: Image, shapes: Shapes) -> Image:
    """A copy of `image` on paper, with `shapes`, and a grid in tenths of its width and height."""
    height, width = image.shape[:2]
    scale = min(max(width, _LEAST_WIDTH), _MOST_WIDTH) / width
    still = as_image(cv2.resize(image, (round(width * scale), round(height * scale))))
    _draw_grid(still)
    for mask in shapes.masks:
        _draw_area(still, mask, _MASK)
    for zone in shapes.zones:
        _tint(still, zone, _ZONE)
        _draw_area(still, zone, _ZONE)
    for line in shapes.lines:
        _draw_line(still, line)
    return _framed(still)


def _meant(what: str | None, name: str | None, source: str | None) -> tuple[SourceSettings, Shapes]:
    """What is looked at, and what is drawn."""
    if what is None or not what.endswith(".toml"):
        given = [each for each in (what, source) if each is not None]
        if name is not None or len(given) != 1:
            raise ZoneMapError(
                "there is no configuration, which --camera would be in: give CONFIG.toml, or one "
                "CLIP or URL alone"
            )
        return SourceSettings(given[0]), Shapes()
    camera = _camera(Path(what), name)
    settings = wiring.source_settings(camera)
    if source is not None:
        settings = replace(settings, url=source)
    masks = tuple(Zone("mask", mask.polygon) for mask in camera.masks)
    return settings, Shapes(ruling.zones(camera), ruling.lines(camera), masks)


def _camera(path: Path, name: str | None) -> CameraConfig:
    # A map needs neither the model nor the certificates, which may lie on another machine.
    cameras = {camera.name: camera for camera in load(path, check_files=False).cameras}
    if name is None and len(cameras) > 1:
        raise ZoneMapError(f"{path} has the cameras {', '.join(cameras)}: name one with --camera")
    meant = name or next(iter(cameras))
    if meant not in cameras:
        raise ZoneMapError(f"there is no camera {meant!r} in {path}, only {', '.join(cameras)}")
    return cameras[meant]


def _still(settings: SourceSettings) -> Image:
    """A recording's first picture; a camera's, once it has got used to the light."""
    with closing(create_source(settings)) as source:
        info = source.open()
        picture = source.read()
        until = time.monotonic() + _SETTLE_SECONDS
        while source.live and time.monotonic() < until:
            picture = source.read() or picture
    if picture is None:
        raise ZoneMapError(f"{info.description} opens, but holds no picture")
    return picture.image


def _pixels(points: Sequence[Point], still: Image) -> NDArray[np.int32]:
    """The pixels, N x 2, at `points` in 0..1."""
    size = (still.shape[1] - 1, still.shape[0] - 1)
    return np.asarray(np.round(np.array(points) * size), np.int32)


def _draw_grid(still: Image) -> None:
    """A line a tenth, half transparent, dark beside light: to be seen on any picture."""
    lines = still.copy()
    height, width = still.shape[:2]
    for tenth in range(1, 10):
        x, y = _pixels([(tenth / 10, tenth / 10)], still)[0].tolist()
        for beside, colour in ((1, _INK), (0, _GRID)):
            cv2.line(lines, (x + beside, 0), (x + beside, height), colour)
            cv2.line(lines, (0, y + beside), (width, y + beside), colour)
    cv2.addWeighted(lines, 0.5, still, 0.5, 0, dst=still)


def _tint(still: Image, area: Zone, colour: _Colour) -> None:
    filled = still.copy()
    cv2.fillPoly(filled, [_pixels(area.polygon, still)], colour)
    cv2.addWeighted(filled, 0.25, still, 0.75, 0, dst=still)


def _draw_area(still: Image, area: Zone, colour: _Colour) -> None:
    corners = _pixels(area.polygon, still)
    cv2.polylines(still, [corners], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    for (x, y), corner in zip(corners.tolist(), area.polygon, strict=True):
        cv2.circle(still, (x, y), 4, colour, cv2.FILLED, cv2.LINE_AA)
        _write_text(still, f"{corner[0]:g}, {corner[1]:g}", (x + 7, y - 7), colour, size=0.4)
    x, y = corners.mean(axis=0).round().astype(int).tolist()
    _write_text(still, area.name, (x, y), colour, centred=True)


def _draw_line(still: Image, line: Line) -> None:
    """The line, and across its middle an arrow that shows which way is in."""
    start, end = _pixels([line.start, line.end], still)
    cv2.line(still, start.tolist(), end.tolist(), _LINE, 2, cv2.LINE_AA)
    for corner in (start, end):
        cv2.circle(still, corner.tolist(), 4, _LINE, cv2.FILLED, cv2.LINE_AA)
    along = (end - start) / max(float(np.hypot(*(end - start))), 1.0)
    inwards = np.array([-along[1], along[0]])  # to the right, as y points down
    middle = (start + end) / 2
    tail, tip = (np.round(middle + inwards * reach).astype(int).tolist() for reach in (-28, 28))
    cv2.arrowedLine(still, tail, tip, _LINE, 2, cv2.LINE_AA, tipLength=0.3)
    x, y = np.round(middle + inwards * 46).astype(int).tolist()
    _write_text(still, f"{line.name} in", (x, y), _LINE, centred=True)


def _write_text(
    still: Image,
    text: str,
    corner: tuple[int, int],
    colour: _Colour,
    *,
    size: float = 0.55,
    centred: bool = False,
) -> None:
    """White letters on `colour`, moved so far that they are within the picture.

    `corner` is the text's lower left one, or its middle where it is `centred`.
    """
    (width, height), low = cv2.getTextSize(text, _FONT, size, 1)
    x, y = corner
    if centred:
        x, y = x - width // 2, y + height // 2
    x = min(max(x, 3), still.shape[1] - width - 3)
    y = min(max(y, height + 3), still.shape[0] - low - 3)
    box = (x - 3, y - height - 3), (x + width + 3, y + low)
    cv2.rectangle(still, *box, colour, cv2.FILLED)
    cv2.putText(still, text, (x, y), _FONT, size, _GRID, 1, cv2.LINE_AA)


def _framed(still: Image) -> Image:
    """The still on paper, with the grid's numbers beside it: x above, y at the left."""
    left, top = 44, 26
    paper = as_image(
        cv2.copyMakeBorder(still, top, 12, left, 24, cv2.BORDER_CONSTANT, value=_PAPER)
    )
    for tenth in range(11):
        text = f"{tenth / 10:g}"
        (x, y) = _pixels([(tenth / 10, tenth / 10)], still)[0].tolist()
        width = cv2.getTextSize(text, _FONT, 0.5, 1)[0][0]
        cv2.putText(paper, text, (left + x - width // 2, 18), _FONT, 0.5, _INK, 1, cv2.LINE_AA)
        at = (left - width - 6, top + y + 5)
        cv2.putText(paper, text, at, _FONT, 0.5, _INK, 1, cv2.LINE_AA)
    return paper


def _write(path: Path, picture: Image) -> None:
    if not path.parent.is_dir():
        raise ZoneMapError(f"the folder {path.parent} of the picture {path.name} does not exist")
    try:
        known, coded = cv2.imencode(path.suffix or ".", picture)
    except cv2.error:
        known = False
    if not known:
        raise ZoneMapError(f"{path} is not the name of a picture: let it end in .png or .jpg")
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise ZoneMapError(f"{path} cannot be written: {error.strerror}") from error
