"""How good each rule is on scenes of our own making, by events.

python -m tests.scenes.score                         # the seeds of docs/rules.md
python -m tests.scenes.score --seeds 7 --rule crowd  # one rule, one seed

Every story is told twice with every seed, once with what has to be told and once without it, in the
real clip's room and in the drawn lobby; see `stories` and `play`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_runtime.capture.lobby import room as lobby
from edge_runtime.scoring.events import Score, score
from tests.scenes.people import Room, clip_room, other_room
from tests.scenes.play import play
from tests.scenes.stories import STORIES, Story

CLIP = "clips/one-by-one-person-detection.mp4"
DATA = Path(os.environ.get("EDGE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEEDS = tuple(range(101, 105))
"""Of the table in docs/rules.md. None of them was looked at while thresholds were chosen."""
RATES = (5.0, 8.0, 10.0, 15.0)


def rooms(clip: Path) -> tuple[Room, Room]:
    """The real clip's room, and the drawn lobby, with the people of the clip."""
    real = clip_room(clip)
    height, width = real.picture.shape[:2]
    return real, other_room(real, lobby(width, height).astype(np.uint8))


def story_of(kind: str, seed: int, *, speaks: bool) -> Story:
    """The story of a rule; the same seed tells the same one with and without its event."""
    return STORIES[kind](np.random.default_rng((seed, *map(ord, kind))), speaks)


def scored(kind: str, seed: int, room: Room, *, speaks: bool, fps: float = 10.0) -> Score:
    """How good one telling of one story was."""
    story = story_of(kind, seed, speaks=speaks)
    return score(story.events, play(story, room, seed, fps), story.seconds)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenes.score", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--rule", choices=list(STORIES), action="append")
    parser.add_argument("--why", action="store_true", help="tell what went wrong where")
    arguments = parser.parse_args()
    if not (DATA / CLIP).exists():
        print(f"the real clip is needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1
    halls = rooms(DATA / CLIP)
    table: dict[str, Score] = {}
    for kind in arguments.rule or STORIES:
        plays = [(seed, hall, speaks) for seed in arguments.seeds for hall in (0, 1)
                 for speaks in (True, False)]  # fmt: skip
        found = Score()
        for seed, hall, speaks in tqdm(plays, desc=kind, leave=False, file=sys.stderr):
            fps = RATES[seed % len(RATES)]
            one = scored(kind, seed, halls[hall], speaks=speaks, fps=fps)
            found += one
            if arguments.why and (one.false or one.missed):
                tqdm.write(f"{kind} seed {seed} hall {hall} speaks {speaks} fps {fps}: {one}")
        table[kind] = found
    print("\n".join(_lines(table)))
    return 0


def _lines(table: dict[str, Score]) -> Iterator[str]:
    yield "| rule | events | told | false | precision | recall | F1 | median delay |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind, found in (*table.items(), ("all", _sum(table.values()))):
        delay = "" if found.delay is None else f"{found.delay:.1f} s"
        shares = " | ".join(_share(each) for each in (found.precision, found.recall, found.f1()))
        yield (
            f"| {kind} | {found.true + found.missed} | {found.true} | {found.false} | {shares} "
            f"| {delay} |"
        )


def _sum(scores: Iterable[Score]) -> Score:
    return sum(scores, Score())


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
