"""Draws docs/picture/rules.jpg: what a zone and a line are, and who counts.

python -m tests.scenes.picture
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_runtime.analysis.lines import Line
from edge_runtime.analysis.zones import Zone
from edge_runtime.capture.lobby import room
from edge_runtime.frame import Image
from edge_runtime.service.zone_map import Shapes, draw_map
from tests.scenes.stories import DOOR, MACHINE

OUTPUT = Path(__file__).parents[2] / "docs" / "picture" / "rules.jpg"
WIDTH, HEIGHT = 1000, 562
_COUNTS, _DOES_NOT, _DARK = (70, 160, 60), (90, 90, 90), (50, 50, 50)


def main() -> None:
    """Draw it and write it."""
    shapes = Shapes((Zone("machine", MACHINE),), (Line("door", *DOOR),))
    still = room(WIDTH, HEIGHT).astype(np.uint8)
    for x, foot, tall in ((0.42, 0.80, 0.5), (0.26, 0.84, 0.54), (0.62, 0.58, 0.34)):
        _figure(still, x, foot, tall, counts=shapes.zones[0].contains((x, foot)))
    picture = draw_map(still, shapes)
    cv2.imwrite(str(OUTPUT), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _figure(picture: Image, x: float, foot: float, tall: float, *, counts: bool) -> None:
    """Somebody, the box around him and the point where he stands."""
    height, width = picture.shape[:2]
    high, wide = tall * height, 0.3 * tall * height
    left, right = round(x * width - wide / 2), round(x * width + wide / 2)
    top, bottom = round(foot * height - high), round(foot * height)
    middle = round(x * width)
    head, axes = (middle, round(top + 0.09 * high)), (round(0.055 * high), round(0.08 * high))
    cv2.ellipse(picture, head, axes, 0, 0, 360, _DARK, cv2.FILLED, cv2.LINE_AA)
    body = [(-0.42, 0.2), (0.42, 0.2), (0.34, 0.6), (0.3, 1.0), (-0.3, 1.0), (-0.34, 0.6)]
    corners = np.array([(middle + dx * wide, top + dy * high) for dx, dy in body])
    cv2.fillPoly(picture, [np.round(corners).astype(np.int32)], _DARK, cv2.LINE_AA)
    colour = _COUNTS if counts else _DOES_NOT
    cv2.rectangle(picture, (left, top), (right, bottom), colour, 3, cv2.LINE_AA)
    cv2.circle(picture, (middle, bottom), 8, colour, cv2.FILLED, cv2.LINE_AA)
    text = "in the zone" if counts else "not in the zone"
    cv2.putText(
        picture, text, (left, top - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 2, cv2.LINE_AA
    )


if __name__ == "__main__":
    main()
