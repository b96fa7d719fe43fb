"""Makes the picture in the card of the shipped person detector: whom it finds, and whom not.

    python docs/picture/limits.py

The visitor is NASA's portrait of the astronaut Eileen Collins, which is in the public domain; the
lobby is drawn. Boxes and words are the detector's own, at its threshold.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.capture.lobby import room, window_light
from edge_runtime.capture.scene import VISITOR
from edge_runtime.config import ModelConfig
from edge_runtime.inference.model import load_detector
from edge_runtime.service import models
from edge_runtime.service.contact_sheet import sheet, tile
from edge_runtime.service.overlay import draw_detections

Image = NDArray[np.uint8]
Person = NDArray[np.float32]

WIDTH, HEIGHT = 640, 360
OUTPUT = Path(__file__).with_name("limits.jpg")
FLOOR = 0.97


def placed(person: Person, size: float, x: float, floor: float = FLOOR) -> Image:
    """The lobby with the person, so high and around `x`, in shares of the picture."""
    tall = round(size * HEIGHT)
    wide = round(person.shape[1] * tall / person.shape[0])
    figure = cv2.resize(person, (wide, tall), interpolation=cv2.INTER_AREA)
    canvas = room(WIDTH, HEIGHT) + window_light(WIDTH, HEIGHT) * 0.7
    left, top = round(x * WIDTH - wide / 2), round(floor * HEIGHT) - tall
    rows = slice(max(top, 0), min(top + tall, HEIGHT))
    columns = slice(max(left, 0), min(left + wide, WIDTH))
    seen = figure[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    share = seen[..., 3:] / 255
    canvas[rows, columns] += share * (seen[..., :3] - canvas[rows, columns])
    return as_picture(canvas)


def as_picture(canvas: NDArray[np.floating]) -> Image:
    """With the noise of a small sensor."""
    noise = np.random.default_rng(3).normal(0, 3, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def cases(person: Person) -> dict[str, Image]:
    """What is shown, by what is said of it."""
    near = placed(person, 0.75, 0.45)
    counter = near.copy()
    counter[round(0.5 * HEIGHT) :] = (70, 82, 92)
    found = {
        f"{size:.0%} of the height": placed(person, size, 0.45)
        for size in (0.75, 0.5, 0.35, 0.25, 0.15, 0.1)
    }
    return {
        **found,
        "half beyond the edge": placed(person, 0.75, 0.02),
        "behind a counter": counter,
        "lying": placed(np.ascontiguousarray(np.rot90(person)), 0.45, 0.5),
        "a tenth of the light": as_picture(near * 0.1),
        "out of focus": cv2.GaussianBlur(near, (0, 0), 7),
        "much noise": as_picture(near + np.random.default_rng(5).normal(0, 50, near.shape)),
    }


def titled(image: Image, text: str) -> Image:
    """With a line of text at its foot."""
    foot = np.full((36, image.shape[1], 3), 245, np.uint8)
    cv2.putText(foot, text, (10, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.75, (40, 40, 40), 2, cv2.LINE_AA)
    return np.vstack([image, foot])


def main() -> None:
    """Draw all cases, ask the detector, write the sheet."""
    person = cv2.imread(str(VISITOR), cv2.IMREAD_UNCHANGED).astype(np.float32)
    with models.borrowed(ModelConfig(name="person")) as ready:
        detect = load_detector(ready.settings).detect
        tiles = []
        for title, image in cases(person).items():
            seen = detect(image)
            verdict = "found" if len(seen) else "missed"
            tiles.append(tile(titled(draw_detections(image, seen), f"{title}: {verdict}")))
    cv2.imwrite(str(OUTPUT), sheet(tiles), [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
