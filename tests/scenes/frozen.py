"""How surely a frozen sensor shows behind an encoder, and that a still room does not.

python -m tests.scenes.frozen     # a table of docs/camera-health.md; some minutes

The real clip freezes, with and without a clock in its corner, and is encoded as real H.264
afterwards; and a room in which nobody is any more, by day and with little light, goes on for a
minute between key frames.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from tqdm import tqdm

from edge_runtime.frame import Image
from tests.scenes import lens, sources
from tests.scenes.encoded import RATE, clock, h264, then
from tests.scenes.health import CLIP, DATA, SECONDS, faults, told
from tests.scenes.truth import Frames, Made, Scene

PARTS = (0.0, 30.0, 90.0)
"""Seconds of the clip from which it is frozen 13 seconds later."""
LEAVES = ((61.0, 25.5, 5.6), (100.0, 19.4, 3.6))
"""Seconds of the clip from which somebody is there, for how long, and how long nobody is then."""
FREEZES: dict[str, Scene] = {
    "frozen": lens.freeze(13, 22),
    "frozen under a clock": then(lens.freeze(13, 22), clock),
}
ENCODERS: dict[str, Callable[[Frames], Frames]] = {
    "none": iter,
    "2000 kbit/s, a key frame in 2 s": partial(h264, kbits=2000),
    "1000 kbit/s, 2 s": partial(h264, kbits=1000),
    "500 kbit/s, 2 s": partial(h264, kbits=500),
    "200 kbit/s, 2 s": h264,
    "200 kbit/s, 25 s": partial(h264, key_frames=25 * RATE),
    "what quality 26 takes, 2 s": partial(h264, kbits=None, quality=26),
    "what quality 32 takes, 2 s": partial(h264, kbits=None, quality=32),
    "what quality 32 takes, 25 s": partial(h264, kbits=None, quality=32, key_frames=25 * RATE),
    "what quality 38 takes, 25 s": partial(h264, kbits=None, quality=38, key_frames=25 * RATE),
}


def left(start: float, seconds: float, empty: float, light: float = 1.0) -> Made:
    """Somebody is there for `seconds`, and then nobody for a minute: the `empty` seconds of the
    clip to and fro, with a sensor's noise over all; nothing is to be told."""
    path = DATA / CLIP
    busy = [image for _, image in sources.clip(path, start, seconds)]
    still = [image for _, image in sources.clip(path, start + seconds, empty)]
    ways = (*still, *still[-2:0:-1])
    room = [ways[number % len(ways)] for number in range(60 * RATE)]
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 1.5, (16, *still[0].shape)).astype(np.float32)

    def frames() -> Iterator[tuple[float, Image]]:
        for number, image in enumerate((*busy, *room)):
            noise = grain[int(rng.integers(len(grain)))]
            yield number / RATE, lens.as_picture(image * np.float32(light) + noise)

    return frames(), ()


def _told(scene: Scene, film: Callable[[Frames], Frames]) -> str:
    """In how many parts of the clip a freeze is told in time, and after how long at most."""
    good, slowest = 0, 0.0
    for start in PARTS:
        frames, truths = then(scene, film)(sources.clip(DATA / CLIP, start, SECONDS))
        said = told(frames)
        good += not faults(truths, said)
        slowest = max([slowest, *(each.begun - truths[0].start for each in said)])
    return f"{good} of {len(PARTS)}" + (f", {slowest:.1f} s" if slowest else "")


def main() -> int:
    """Print the table."""
    if not (DATA / CLIP).exists():
        print(f"the real clip is needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1
    print("| encoder | frozen | frozen under a clock | a room that is left, silent |")
    print("|---|---|---|---|")
    for name, film in tqdm(ENCODERS.items(), file=sys.stderr):
        cells = [_told(scene, film) for scene in FREEZES.values()]
        rooms = [left(*where, light) for where in LEAVES for light in (1.0, 0.35)]
        silent = sum(not told(film(frames)) for frames, _ in rooms)
        print(f"| {name} | {' | '.join(cells)} | {silent} of {len(rooms)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
