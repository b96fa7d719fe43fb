"""Makes edge_runtime/capture/pictures/visitor.webp: a person, cut out of a portrait.

    pip install scikit-image
    python docs/picture/cut_visitor.py

The portrait is NASA's of the astronaut Eileen Collins, which is in the public domain and comes with
scikit-image. Roughly where she is stands below; GrabCut finds the edge.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Image = NDArray[np.uint8]

OUTPUT = Path(__file__).parents[2] / "edge_runtime" / "capture" / "pictures" / "visitor.webp"
QUALITY = 88
ROUNDS = 8
SOFT = 1.0
"""Standard deviation in pixels by which the edge is softened: the portrait's own is as soft."""

# Corners of polygons in the portrait's 512 x 512 pixels.
AROUND = [
    *[(150, 60), (175, 20), (230, 10), (290, 40), (305, 90), (280, 140), (262, 178), (310, 230)],
    *[(345, 270), (366, 350), (440, 338), (500, 400), (512, 512), (18, 512), (18, 430), (35, 300)],
    *[(70, 250), (115, 210), (115, 180), (150, 150), (180, 148), (165, 120), (150, 100)],
]
"""Nothing of her is outside."""
INSIDE = [
    *[(190, 50), (250, 40), (280, 80), (262, 140), (250, 175), (290, 230), (330, 280), (350, 360)],
    *[(420, 355), (475, 400), (500, 480), (500, 512), (32, 512), (26, 440), (32, 370)],
    *[(44, 310), (58, 270), (85, 240), (130, 215), (180, 180), (190, 140)],
]
"""All of this is her."""


def cut(portrait: Image) -> Image:
    """The portrait, H x W x 3 BGR, with her outline as a fourth channel, cropped to it."""
    marks = np.full(portrait.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(marks, [np.array(AROUND, np.int32)], cv2.GC_PR_FGD)
    cv2.fillPoly(marks, [np.array(INSIDE, np.int32)], cv2.GC_FGD)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(portrait, marks, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found)
    largest = 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    outline = cv2.erode(np.where(parts == largest, 255, 0).astype(np.uint8), np.ones((3, 3)))
    x, y, width, height = cv2.boundingRect(outline)
    outline = cv2.GaussianBlur(outline, (0, 0), SOFT)
    return np.dstack([portrait, outline])[y : y + height, x : x + width]


def main() -> None:
    """Write it."""
    person = cut(np.ascontiguousarray(data.astronaut()[..., ::-1]))
    # What is outside the outline is not seen, and need not be stored.
    person[person[..., 3] == 0] = 0
    assert cv2.imwrite(str(OUTPUT), person, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
