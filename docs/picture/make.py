"""Makes the README's picture: a scene drawn by code, analysed by `edge-runtime replay --video`.

    python docs/picture/make.py --model DETECTOR.tflite --labels LABELS.txt

The visitor is NASA's portrait of the astronaut Eileen Collins, which is in the public domain and
comes with scikit-image (`pip install scikit-image`). The lobby is drawn; what is found in it is
the model's own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Image = NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 768, 432, 10
PERSON_HEIGHT = 350
OUTPUT = Path(__file__).with_name("replay.png")
CONFIG = """
[device]
site = "paris-12"
name = "atm-1"

[model]
path = "{model}"
labels = "{labels}"

[[cameras]]
name = "atm"
source = "synthetic:"

[[cameras.zones]]
name = "atm"
polygon = [[0.3, 0.25], [0.86, 0.25], [0.86, 1.0], [0.3, 1.0]]

[[rules]]
kind = "presence"
zone = "atm"
seconds = 1.0
"""


def lobby() -> Image:
    """An empty lobby: wall, floor, door, window, a lamp's light."""
    scene = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]
    scene[:] = (172, 186, 192) * (1 - 0.25 * rows)[..., None]
    floor = int(HEIGHT * 0.72)
    scene[floor:] = (118, 132, 142) * (1.15 - 0.4 * rows[floor:])[..., None]
    for x in range(-400, WIDTH + 400, 110):
        cv2.line(scene, (WIDTH // 2 + (x - WIDTH // 2) // 3, floor), (x, HEIGHT), (98, 110, 118), 2)
    cv2.rectangle(scene, (70, 90), (210, floor), (120, 104, 92), -1)
    cv2.rectangle(scene, (82, 102), (198, floor - 6), (206, 198, 176), -1)
    cv2.line(scene, (140, 102), (140, floor - 6), (120, 104, 92), 5)
    cv2.rectangle(scene, (560, 80), (730, 200), (128, 112, 96), -1)
    cv2.rectangle(scene, (568, 88), (722, 192), (226, 214, 190), -1)
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    light = 1.12 - 0.3 * np.hypot(x - 0.2, y + 0.6)
    lit = np.clip(cv2.GaussianBlur(scene * light[..., None], (0, 0), 1.2), 0, 255).astype(np.uint8)
    cv2.putText(lit, "BANK", (598, 152), cv2.FONT_HERSHEY_DUPLEX, 1.3, (150, 90, 40), 3)
    return lit


def visitor() -> tuple[Image, NDArray[np.float32]]:
    """The portrait and where the person is in it (0..1), cut out by GrabCut."""
    portrait = np.ascontiguousarray(data.astronaut()[..., ::-1])
    mask = np.full(portrait.shape[:2], cv2.GC_PR_BGD, np.uint8)
    mask[:, :35] = mask[:, -20:] = mask[:30] = cv2.GC_BGD
    cv2.ellipse(mask, (225, 120), (85, 120), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.rectangle(mask, (60, 250), (440, 512), cv2.GC_PR_FGD, -1)
    cv2.ellipse(mask, (222, 120), (45, 70), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.rectangle(mask, (130, 300), (350, 512), cv2.GC_FGD, -1)
    cv2.setRNGSeed(1)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(portrait, mask, None, background, foreground, 6, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inside)
    person = (parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.float32)
    scale = PERSON_HEIGHT / portrait.shape[0]
    soft = cv2.GaussianBlur(person, (0, 0), 1.5)
    return cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), cv2.resize(
        soft, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )


def frames() -> list[Image]:
    """Nobody, somebody who comes in from the left, stays, and leaves."""
    empty, (person, mask) = lobby(), visitor()
    middle = 300
    walk_in, walk_out = np.linspace(-350, middle, 20), np.linspace(middle, WIDTH, 20)
    places = [None] * 20 + list(walk_in) + [middle] * 40 + list(walk_out) + [None] * 20
    noise = np.random.default_rng(7)
    return [_with_noise(empty if x is None else _at(empty, person, mask, int(x)), noise)
            for x in places]  # fmt: skip


def _at(scene: Image, person: Image, mask: NDArray[np.float32], x: int) -> Image:
    picture = scene.astype(np.float32)
    top, width = HEIGHT - person.shape[0], person.shape[1]
    left, right = max(x, 0), min(x + width, WIDTH)
    if right > left:
        part = slice(left - x, right - x)
        weight = mask[:, part, None]
        target = picture[top:, left:right]
        target += weight * (person[:, part] - target)
    return picture.astype(np.uint8)


def _with_noise(picture: Image, noise: np.random.Generator) -> Image:
    return np.clip(picture + noise.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def main() -> None:
    """Draw the scene, replay it, keep one frame of the video."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clip").mkdir()
        for number, picture in enumerate(frames()):
            cv2.imwrite(str(folder / "clip" / f"{number:04}.jpg"), picture)
        config = CONFIG.format(model=arguments.model.absolute(), labels=arguments.labels.absolute())
        (folder / "config.toml").write_text(config)
        command = [
            *(sys.executable, "-m", "edge_runtime.cli", "replay", str(folder / "clip")),
            *("--config", str(folder / "config.toml"), "--fps", str(FPS)),
            *("--video", str(folder / "out.mp4")),
        ]
        subprocess.run(command, check=True)
        video = cv2.VideoCapture(str(folder / "out.mp4"))
        video.set(cv2.CAP_PROP_POS_FRAMES, 70)
        cv2.imwrite(str(OUTPUT), video.read()[1])


if __name__ == "__main__":
    main()
