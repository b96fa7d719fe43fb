"""How soon and how surely a camera's condition is told, on scenes of our own making.

python -m tests.scenes.health                # the table of docs/camera-health.md
python -m tests.scenes.health --pictures 40  # on more of the still pictures
python -m tests.scenes.health --seed 7       # other parts, photos and chance than in the table

Each kind of tampering, and each thing of daily life, is done to three parts of the real clip, to
the drawn lobby, to drawn squares out of doors, and to photos made to look like a camera's, with
noise, light that drifts, JPEG and people (as blobs) who walk through; at 5 to 25 frames a second.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from edge_runtime.alerts.alert import AlertState
from edge_runtime.analysis.glance import Glancer
from edge_runtime.frame import Image
from edge_runtime.rules.camera_health import CameraHealth, HealthSettings
from tests.scenes import daily, encoded, lens, outdoor, sources, weather
from tests.scenes.truth import Frames, Scene, Span, Truth, chained

DATA = Path(os.environ.get("EDGE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
CLIP = "clips/one-by-one-person-detection.mp4"
SECONDS = 28.0
WITHIN = 5.0
"""Seconds within which a condition and its end have to be told."""
_SPAN = Span(12, 13, 22)
_SLOW = Span(12, 16, 22)

TAMPERING: dict[str, Callable[[int], Scene]] = {
    "covered by a cloth": lambda _: lens.cover(_SPAN),
    "covered by a hand": lambda _: lens.cover(_SPAN, hand=True),
    "sprayed, dark": lambda seed: lens.spray(_SLOW, seed),
    "sprayed, light": lambda seed: lens.spray(_SLOW, seed, light=True),
    "out of focus": lambda _: lens.defocus(_SPAN),
    "turned a little": lambda _: lens.turn(_SPAN, shift=(0.06, 0.0)),
    "turned": lambda _: lens.turn(_SPAN),
    "turned and tilted": lambda _: lens.turn(_SPAN, shift=(0.02, 0.0), degrees=20),
    "turned away": lambda _: lens.turn_away(_SPAN),
    "frozen": lambda _: lens.freeze(_SPAN.full, _SPAN.end),
    "frozen under a clock": lambda _: encoded.then(
        lens.freeze(_SPAN.full, _SPAN.end), encoded.clock
    ),
    "a lamp into the lens": lambda _: lens.glare(_SPAN),
    "overexposed": lambda _: lens.overexposed(_SPAN),
    "dusk to dark": lambda seed: lens.dusk(_SLOW, seed=seed),
    "noise": lambda seed: lens.interference(_SPAN, seed),
    "no frames": lambda _: lens.gap(_SPAN.full, _SPAN.end),
    **weather.TOLD,
}
"""What is done to a camera, by a seed."""
DAILY: dict[str, Callable[[int], Scene]] = {
    "untouched": lambda _: lambda frames: (frames, ()),
    "light off and on": lambda _: daily.light(10, 17),
    "somebody fills the picture": lambda seed: daily.close_person(Span(10, 11.5, 20), seed),
    "headlights": lambda seed: daily.headlights(8, 25, seed),
    "exposure that hunts": lambda _: daily.exposure(8, 25),
    "heavy rain": lambda seed: daily.rain(8, 25, seed),
    "evening": lambda seed: daily.evening(8, 20, seed=seed),
    "a throng": lambda seed: daily.throng(8, 25, seed),
    "a cloud's shadow": lambda seed: outdoor.cloud(8, 22, seed),
    "wind shakes the camera": lambda seed: outdoor.gusts(0, 28, seed),
    "exposure in steps": lambda seed: outdoor.exposure_steps(8, 25, seed),
    "sun and a house's shadow": lambda seed: outdoor.drifting_sun(6, 27, seed),
    "interlaced": lambda _: outdoor.interlaced(0, 28),
    "four frames a second": lambda _: outdoor.slowed(8, 25),
    "all weather at once": lambda seed: chained(
        outdoor.cloud(8, 22, seed), outdoor.gusts(0, 28, seed), outdoor.exposure_steps(8, 25, seed)
    ),
    **weather.SILENT,
}
"""What is no tampering, by a seed."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What scenes are made of, to be used once; `filmed` is done to what a scene makes of it."""

    frames: Frames
    filmed: Callable[[Frames], Frames] = iter


@dataclass(frozen=True, slots=True)
class Told:
    """A condition was told: when its beginning was, and its end (None: it was not)."""

    name: str
    begun: float
    ended: float | None


def told(frames: Frames) -> list[Told]:
    """What camera health says of `frames`, in a loop like the worker's."""
    health, glancer = CameraHealth(HealthSettings("camera")), Glancer()
    found: dict[str, Told] = {}
    over: list[Told] = []
    before = 0.0
    for now, image in frames:
        alerts = [(a, t) for t in np.arange(before + 0.5, now, 0.5) for a in health.idle(t, t)]
        alerts += [(alert, now) for alert in health.step(glancer(image), now, now)]
        for alert, at in alerts:
            if alert.state is AlertState.STARTED:
                found[alert.name] = Told(alert.name, float(at), None)
            else:
                over.append(Told(alert.name, found.pop(alert.name).begun, float(at)))
        before = now
    return sorted((*over, *found.values()), key=lambda each: each.begun)


def faults(truths: Iterable[Truth], said: Iterable[Told]) -> list[str]:
    """What is wrong with what was said; nothing: all in time and nothing else."""
    wrong, rest = [], list(said)
    for truth in truths:
        right = next((each for each in rest if each.name == truth.kind), None)
        if right is None:
            wrong.append(f"{truth.kind} was not told")
            continue
        rest.remove(right)
        if not right.begun <= truth.start + WITHIN:
            wrong.append(f"{truth.kind} was told after {right.begun - truth.start:.1f} s")
        if right.ended is None or right.ended > truth.end + WITHIN:
            wrong.append(f"the end of {truth.kind} was not told in time")
    return wrong + [f"{each.name} was told falsely at {each.begun:.1f} s" for each in rest]


def photo(path: Path, seed: int, seconds: float = SECONDS) -> Iterator[tuple[float, Image]]:
    """A photo as a camera would show it: noise, drifting light, JPEG, blobs that walk through."""
    rng = np.random.default_rng(seed)
    fps = float(rng.choice((5, 8, 10, 15)))
    size = tuple(((320, 240), (480, 270), (352, 288), (400, 300))[int(rng.integers(4))])
    sigma, quality = float(rng.choice((1, 2, 4, 6))), int(rng.choice((40, 70, 90)))
    read = cv2.imread(str(path))
    if read is None:
        raise ValueError(f"{path} cannot be read as a picture")
    picture = np.asarray(cv2.resize(read, size, interpolation=cv2.INTER_CUBIC), np.float32)
    swing = rng.uniform(0, 0.08)
    walks = [(rng.uniform(0, seconds), rng.uniform(3, 8), rng.choice((-1, 1)),
              rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.5), rng.uniform(20, 200, 3))
             for _ in range(4)]  # fmt: skip
    for number in range(round(seconds * fps)):
        now = number / fps
        frame = picture * np.float32(1 + swing * np.sin(0.7 * now))
        for start, lasts, way, y, tall, colour in walks:
            part = (now - start) / lasts
            if 0 <= part < 1:
                x = 1.2 - 1.4 * part if way < 0 else 1.4 * part - 0.2
                axes = round(0.2 * tall * size[1]), round(tall * size[1] / 2)
                middle = round(x * size[0]), round(y * size[1])
                cv2.ellipse(frame, middle, axes, 0, 0, 360, colour.tolist(), cv2.FILLED)
        frame += rng.standard_normal(frame.shape, np.float32) * np.float32(sigma)
        plain = np.clip(frame, 0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, quality])
        yield now, np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def small(frames: Frames, width: int = 384) -> Iterator[tuple[float, Image]]:
    """The same frames, `width` pixels wide."""
    for now, image in frames:
        height = round(image.shape[0] * width / image.shape[1])
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        yield now, np.asarray(resized, np.uint8)


def materials(pictures: int, seed: int) -> dict[str, list[Ground]]:
    """What scenes are made of; seed 0 is the table's."""
    clip = DATA / CLIP
    rng = np.random.default_rng(seed)
    parts = rng.uniform(0, 139 - SECONDS, 3).round(1).tolist() if seed else (0, 30, 90)
    photos = sorted((DATA / "images" / "coco128_person").rglob("*.jpg"))
    step = max(len(photos) // max(pictures, 1), 1)
    places = range((step // 2 + seed) % step, len(photos), step)[:pictures]
    chosen = [next(filter(_by_day, photos[place:]), photos[place]) for place in places]
    return {
        "clip": [Ground(small(sources.clip(clip, at, SECONDS))) for at in parts],
        "lobby": [Ground(small(sources.lobby(SECONDS, seed=seed + 1)))],
        "outdoors": outdoors(seed),
        "photos": [Ground(photo(path, 1000 * seed + n)) for n, path in enumerate(chosen)],
    }


def _by_day(path: Path) -> bool:
    """Whether a photo has light that can go."""
    grey = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return grey is not None and float(grey.mean()) >= 60


def outdoors(seed: int) -> list[Ground]:
    """Squares: some sun, a low sun, a crowd under clouds; most of them strongly compressed."""
    square = outdoor.square
    return [
        Ground(square(SECONDS, 25, 10 * seed + 1)),
        Ground(square(SECONDS, 12, 10 * seed + 2, shadow=3.0), outdoor.compressed),
        Ground(square(SECONDS, 7, 10 * seed + 3, people=120, shadow=0), outdoor.compressed),
        Ground(square(SECONDS, 15, 10 * seed + 4, wind=5.0, people=15), outdoor.compressed),
    ]


@dataclass(slots=True)
class _Row:
    """One scene's results: how many were right on each ground, and the longest delay."""

    good: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0

    def add(self, ground: str, truths: tuple[Truth, ...], said: list[Told]) -> list[str]:
        """Count one; what was wrong with it."""
        wrong = faults(truths, said)
        self.good[ground] = self.good.get(ground, 0) + (not wrong)
        delays = [s.begun - t.start for t in truths for s in said if s.name == t.kind]
        self.slowest = max([self.slowest, *delays])
        return wrong


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenes.health", description=__doc__)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="0: that of the table")
    parser.add_argument("--ground", choices=("clip", "lobby", "outdoors", "photos"))
    parser.add_argument("--scene", choices=[*TAMPERING, *DAILY], action="append")
    arguments = parser.parse_args()
    if not (DATA / CLIP).exists():
        print(f"the real clip is needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1
    scenes = {**TAMPERING, **DAILY}
    if arguments.scene:
        scenes = {title: scenes[title] for title in arguments.scene}
    rows = {title: _Row() for title in scenes}
    grounds = materials(arguments.pictures, arguments.seed)
    if arguments.ground:
        grounds = {arguments.ground: grounds[arguments.ground]}
    for ground, begins in grounds.items():
        for number, begin in enumerate(begins):
            frames = list(begin.frames)  # to make them costs more than to look at them
            for title, make in tqdm(scenes.items(), desc=f"{ground} {number}", file=sys.stderr):
                changed, truths = make(100 * arguments.seed + number + 1)(frames)
                wrong = rows[title].add(ground, truths, told(begin.filmed(changed)))
                if wrong:
                    tqdm.write(f"{title}, {ground} {number}: {'; '.join(wrong)}", file=sys.stderr)
    print(
        f"| scene | {' | '.join(grounds)} | told after, at most |\n|---|{'---|' * len(grounds)}---|"
    )
    for title, row in rows.items():
        cells = (f"{row.good[ground]} of {len(begins)}" for ground, begins in grounds.items())
        delay = f"{row.slowest:.1f} s" if title in TAMPERING else ""
        print(f"| {title} | {' | '.join(cells)} | {delay} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
