"""How well things left and removed are told, by kind of scene and by rule.

python -m tests.scenes.belongings_score                        # the seeds of docs/rules.md
python -m tests.scenes.belongings_score --seeds 7 --kind sun --jobs 2 --why
python -m tests.scenes.belongings_score --far --share 0        # small people, none of them detected

Every scene of `belongings` is told twice with every seed, once with what has to be told and once
without, at a square, a street corner, in a mall, in the drawn lobby and in the real clip's room.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.capture.lobby import room as lobby
from edge_runtime.scoring.events import Alarm, Score, score_by_kind
from edge_runtime.tracks import Box
from tests.scenes.belongings import SCENES, tell
from tests.scenes.people import Room, clip_room, other_room
from tests.scenes.places import PLACES, room
from tests.scenes.play import alerts_of
from tests.scenes.score import CLIP, DATA
from tests.scenes.stories import Story

SEEDS = tuple(range(412, 418))
"""Of the table in docs/rules.md. None of them was looked at while thresholds were chosen."""
RATES = (7.0, 10.0, 8.0, 15.0, 12.0, 25.0)
RULES = "object-left", "object-removed"
FAR = 0.18, 0.3
"""How tall people are who are far away, by how tall they are in a lobby: 30 to 80 pixels of 576."""
_ENDS = 8.0
"""Seconds after a thing is gone by which its alert has to be over."""


Scenes = dict[tuple[str, int], dict[str, Score]]
"""By kind and seed, and by rule."""


def hall(name: str, clip: Room, seed: int) -> Room:
    """The place of that name, with the clip's people."""
    if name == "clip":
        return clip
    if name == "lobby":
        height, width = clip.picture.shape[:2]
        return other_room(clip, lobby(width, height).astype(np.uint8))
    return room(name, seed, clip)


def scene(
    kind: str, seed: int, clip: Room, *, speaks: bool, far: bool = False
) -> tuple[Story, Room, float]:
    """The story, where it is told, and at how many frames a second; `far`: seen from far away."""
    number = list(SCENES).index(kind)
    places = [place for place in SCENES[kind].places if place in PLACES or not far]
    place = hall(places[(number + seed) % len(places)], clip, seed)
    rng = np.random.default_rng((seed, *map(ord, kind)))
    if far:
        place = replace(place, scale=rng.uniform(*FAR))
    story = tell(SCENES[kind], rng, place, speaks=speaks)
    return story, place, RATES[(number + 2 * seed) % len(RATES)]


def judged(story: Story, alerts: Iterable[Alert]) -> dict[str, Score]:
    """By rule; an alert elsewhere is false, and one that does not end with its event, too."""
    alerts = tuple(alerts)
    begun = [a for a in alerts if a.state is AlertState.STARTED and a.rule in RULES]
    meant = [a for a in begun if any(_is_at(a.boxes, e.boxes) for e in story.events)]
    alarms = [Alarm(a.rule, a.timestamp + a.decided_after) for a in meant]
    found = score_by_kind(story.events, alarms, story.seconds)
    for elsewhere in (a for a in begun if a not in meant):
        found[elsewhere.rule] = found.get(elsewhere.rule, Score()) + Score(false=1)
    for event in story.events:
        if event.end + _ENDS > story.seconds or not found[event.kind].true:
            continue
        ends = [a.timestamp + a.decided_after for a in alerts
                if a.rule == event.kind and a.state is AlertState.ENDED]  # fmt: skip
        if not any(event.end - 1 <= end <= event.end + _ENDS for end in ends):
            found[event.kind] += Score(false=1)
    return found


def _is_at(told: Iterable[Box], true: Iterable[Box]) -> bool:
    """Whether any two of the boxes overlap, or nearly."""
    near = 0.02
    return any(
        a[0] < b[2] + near and b[0] < a[2] + near and a[1] < b[3] + near and b[1] < a[3] + near
        for a in told for b in true
    )  # fmt: skip


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenes.belongings_score", description=__doc__
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--kind", choices=list(SCENES), action="append")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes work")
    parser.add_argument("--far", action="store_true", help="people are 30 to 80 pixels of 576 high")
    parser.add_argument(
        "--share", type=float, default=1.0, help="the part of the frames in which people are found"
    )
    parser.add_argument("--why", action="store_true", help="tell what went wrong where")
    arguments = parser.parse_args()
    if not (DATA / CLIP).exists():
        print(f"the real clip is needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1
    tellings = [
        _Telling(kind, seed, speaks, arguments.far, arguments.share)
        for kind in arguments.kind or SCENES for seed in arguments.seeds
        for speaks in (True, False)
    ]  # fmt: skip
    scenes: Scenes = {(each.kind, each.seed): dict.fromkeys(RULES, Score()) for each in tellings}
    with ProcessPoolExecutor(arguments.jobs) as workers:
        each = tqdm(workers.map(_told, tellings), total=len(tellings), file=sys.stderr)
        for telling, one in zip(tellings, each, strict=True):
            for rule, found in one.items():
                scenes[telling.kind, telling.seed][rule] += found
                if arguments.why and (found.false or found.missed):
                    tqdm.write(f"{telling}: {rule}: {found}")
    print("\n".join(_lines(scenes)))
    return 0


class _Telling(NamedTuple):
    """One scene as it is told."""

    kind: str
    seed: int
    speaks: bool
    far: bool
    share: float


@cache
def _people() -> Room:
    return clip_room(DATA / CLIP)


def _told(telling: _Telling) -> dict[str, Score]:
    """How good one telling of one scene was."""
    kind, seed = telling.kind, telling.seed
    story, place, fps = scene(kind, seed, _people(), speaks=telling.speaks, far=telling.far)
    return judged(story, alerts_of(story, place, seed, fps, share=telling.share))


def _lines(scenes: Scenes) -> Iterator[str]:
    yield "| scene | left: events | told | false | removed: events | told | false |"
    yield "|---|---|---|---|---|---|---|"
    for kind in dict.fromkeys(kind for kind, _ in scenes):
        of_kind = [found for (other, _), found in scenes.items() if other == kind]
        sums = (sum((found[rule] for found in of_kind), Score()) for rule in RULES)
        yield f"| {kind} | {' | '.join(_counts(each) for each in sums)} |"
    yield ""
    yield "| rule | events | told | false | precision | recall | F1 | of 95% | median delay |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for rule in RULES:
        found = sum((each[rule] for each in scenes.values()), Score())
        least, most = interval([each[rule] for each in scenes.values()])
        shares = [found.precision, found.recall, found.f1()]
        delay = "" if found.delay is None else f"{found.delay:.1f} s"
        shown = " | ".join("" if share is None else f"{share:.2f}" for share in shares)
        yield f"| {rule} | {_counts(found)} | {shown} | {least:.2f} to {most:.2f} | {delay} |"


def interval(scenes: Sequence[Score]) -> tuple[float, float]:
    """Between which F1 lies, to 95%: the scenes are drawn again with replacement, 2000 times."""
    counts = np.array([(each.true, each.missed, each.false) for each in scenes])
    rng = np.random.default_rng(1)
    draws = counts[rng.integers(len(scenes), size=(2000, len(scenes)))].sum(axis=1)
    true, missed, false = draws.T
    f1 = 2 * true / np.maximum(2 * true + missed + false, 1)
    least, most = np.quantile(f1, (0.025, 0.975))
    return float(least), float(most)


def _counts(found: Score) -> str:
    return f"{found.true + found.missed} | {found.true} | {found.false}"


if __name__ == "__main__":
    sys.exit(main())
