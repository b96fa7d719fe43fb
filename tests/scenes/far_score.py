"""What closer looks find in far scenes, and what they cost.

python -m tests.scenes.far_score                          # the seeds of docs/closer-look.md
python -m tests.scenes.far_score --seeds 7 --rates 0 2 10 # one seed, other rates
python -m tests.scenes.far_score --picture docs/picture/closer-look.jpg

Every scene of `far` goes through the pipeline of the device once for each rate of closer looks,
with the detector that ships. Who is visible to less than half counts neither way.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import motmetrics
import numpy as np
from tqdm import tqdm

from edge_runtime.alerts.alert import AlertState
from edge_runtime.analysis.boxes import iou
from edge_runtime.config import CameraConfig, ModelConfig, PresenceConfig, RuleConfig
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.model import Detector, ModelSettings, load_detector
from edge_runtime.rules.rule import Rule
from edge_runtime.scene import Scene
from edge_runtime.scoring.events import Alarm, Event, Score, score
from edge_runtime.service import models, wiring
from edge_runtime.service.overlay import Overlay
from edge_runtime.service.pipeline import Analysed, Pipeline
from edge_runtime.service.ruling import rule_of
from edge_runtime.tracks import Track, TrackState
from tests.scenes.far import FAR, SIZE, Cast, FarScene, Ground, There
from tests.scenes.score import CLIP, DATA

TUNED_ON = tuple(range(1, 5))
"""Seeds of the scenes on which the choice of looks was made."""
REPORTED_ON = tuple(range(101, 104))
RATES = (0.0, 5.0, 10.0)
FPS = (10.0, 6.0, 15.0)
HEIGHTS = (0, 40, 55, 75, 576)
"""Pixels: borders of the groups by how tall somebody is."""
_VISIBLE = 0.5
_HIT = 0.5
"""Intersection over union."""
_ZONE = [[0.25, 0.45], [0.75, 0.45], [0.75, 0.75], [0.25, 0.75]]
_RULE = PresenceConfig(kind="presence", zone="middle")


@dataclass(slots=True)
class Result:
    """What became of some scenes at one rate of closer looks.

    Attributes:
        tracks: of motmetrics; one for each scene.
        sizes: how tall each person in each frame was, in pixels, and whether a track was on him.
        events: of presence in the zone.
        strays: believed tracks that were on nobody in more than half of their frames.
        frames, looked, closer: how many frames there were, were looked at, and twice.
        seconds: processor time.
    """

    tracks: list[motmetrics.MOTAccumulator] = field(default_factory=list)
    sizes: list[tuple[float, bool]] = field(default_factory=list)
    events: Score = field(default_factory=Score)
    strays: int = 0
    frames: int = 0
    looked: int = 0
    closer: int = 0
    seconds: float = 0.0

    def __add__(self, other: Result) -> Result:
        return Result(
            self.tracks + other.tracks,
            self.sizes + other.sizes,
            self.events + other.events,
            self.strays + other.strays,
            self.frames + other.frames,
            self.looked + other.looked,
            self.closer + other.closer,
            self.seconds + other.seconds,
        )

    def recall(self, low: float, high: float) -> float | None:
        """Of the people so tall, in all frames, the share that a track was on; None: no people."""
        hits = [hit for tall, hit in self.sizes if low <= tall < high]
        return sum(hits) / len(hits) if hits else None

    def line(self) -> str:
        """A row of the table, without its heading."""
        cells = [
            *(_percent(self.recall(low, high)) for low, high in _groups()),
            *self._tracks(),
            str(self.strays),
            f"{self.events.true} of {self.events.true + self.events.missed}",
            f"{self.events.false}",
            f"{self.looked / self.frames:.2f}",
            f"{self.closer / self.frames:.2f}",
            f"{self.seconds / self.frames * 1e3:.1f}",
        ]
        return " | ".join(cells)

    def _tracks(self) -> Iterator[str]:
        if not self.sizes:
            yield from "---"
            return
        figures = motmetrics.metrics.create().compute_many(
            self.tracks, metrics=["mota", "idf1", "num_switches"], generate_overall=True
        )
        overall = figures.loc["OVERALL"]
        yield from (f"{overall.mota:.1%}", f"{overall.idf1:.1%}", f"{overall.num_switches:.0f}")


@dataclass(slots=True, eq=False)
class _Play:
    """One scene at one rate, while it is played."""

    rate: float
    scene: FarScene
    model: ModelSettings
    detector: Detector
    pipeline: Pipeline = field(init=False)
    result: Result = field(default_factory=Result)
    _alarms: list[Alarm] = field(default_factory=list)
    _on: dict[int, list[bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pipeline = wiring.pipeline(camera(self.rate), (_RULE,), self.model, self.detector)
        self.result.tracks.append(motmetrics.MOTAccumulator(auto_id=True))

    def step(self, frame: Frame, there: Sequence[There]) -> Analysed:
        began = time.thread_time()
        analysed = self.pipeline.step(frame)
        self.result.seconds += time.thread_time() - began
        self.result.frames += 1
        self.result.looked += analysed.looked
        self.result.closer += analysed.closer is not None
        self._alarms += [
            Alarm(each.rule, each.timestamp + each.decided_after)
            for each in analysed.alerts
            if each.state is AlertState.STARTED
        ]
        self._judge(analysed, there)
        return analysed

    def _judge(self, analysed: Analysed, there: Sequence[There]) -> None:
        believed = [t for t in analysed.tracks if t.state is TrackState.CONFIRMED]
        counted = [each for each in there if each.visible >= _VISIBLE]
        apart = _distances(counted, believed)
        on_somebody = np.isfinite(apart).any(axis=0)
        ignored = np.isfinite(_distances(there, believed)).any(axis=0) & ~on_somebody
        names = [track.id for track, leave in zip(believed, ignored, strict=True) if not leave]
        self.result.tracks[0].update([each.id for each in counted], names, apart[:, ~ignored])
        for each, hit in zip(counted, np.isfinite(apart).any(axis=1).tolist(), strict=True):
            self.result.sizes.append(((each.box[3] - each.box[1]) * SIZE[1], hit))
        for track, hit, leave in zip(believed, on_somebody, ignored, strict=True):
            self._on.setdefault(track.id, []).append(bool(hit or leave))

    def finish(self, events: Iterable[Event]) -> Result:
        self.result.events = score(tuple(events), self._alarms, self.scene.seconds)
        self.result.strays = sum(2 * sum(hits) < len(hits) for hits in self._on.values())
        return self.result


def camera(rate: float) -> CameraConfig:
    """A camera with a zone, and so many closer looks a second."""
    zone = {"name": "middle", "polygon": _ZONE}
    return CameraConfig.model_validate(
        {"name": "far", "source": "far.mp4", "closer_looks": rate, "zones": [zone]}
    )


class _Truth:
    """What the rule would tell if everybody were seen all the time, also behind a post."""

    def __init__(self) -> None:
        self._rule: Rule = rule_of(_RULE, camera(0.0))
        self._began: dict[str, float] = {}
        self._scene = Scene(0.0, 0.0, ())
        self.events: list[Event] = []

    def step(self, now: float, there: Sequence[There]) -> None:
        tracks = tuple(
            Track(each.id, "person", each.box, 1.0, TrackState.CONFIRMED, now, now)
            for each in there
        )
        self._scene = Scene(now, now, tracks)
        self._hear(self._rule.step(self._scene))

    def finish(self) -> list[Event]:
        self._hear(self._rule.finish(self._scene, "over"))
        return self.events

    def _hear(self, alerts: Iterable) -> None:
        for alert in alerts:
            if alert.state is AlertState.STARTED:
                self._began[alert.incident] = alert.timestamp
            elif alert.state is AlertState.ENDED:
                began = self._began.pop(alert.incident)
                self.events.append(Event(alert.rule, began, max(alert.timestamp, began + 0.01)))


def _distances(there: Sequence[There], tracks: Sequence[Track]) -> np.ndarray:
    """1 - IoU where it is half at least, else NaN; a row for each of `there`."""
    overlaps = np.array([[iou(each.box, track.box) for track in tracks] for each in there])
    overlaps = overlaps.reshape(len(there), len(tracks))
    return np.where(overlaps >= _HIT, 1 - overlaps, np.nan)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _groups() -> Iterator[tuple[float, float]]:
    return pairwise(HEIGHTS)


def scenes(seeds: Iterable[int], seconds: float = 30.0) -> dict[str, list[FarScene]]:
    """By the row of the table that they belong to."""
    made: dict[str, list[FarScene]] = {}
    for number, seed in enumerate(seeds):
        fps = FPS[number % len(FPS)]
        for place in FAR:
            made.setdefault(place, []).extend(
                FarScene(place, seed, ground, fps=fps, seconds=seconds) for ground in Ground
            )
        made.setdefault("one person", []).append(
            FarScene("corner", seed, fps=fps, crowd=0.25, seconds=seconds)
        )
        made.setdefault("nobody, wind", []).append(
            FarScene("square", seed, fps=fps, crowd=0.0, seconds=seconds)
        )
    return made


def played(
    scene: FarScene, cast: Cast, rates: Iterable[float], model: ModelConfig
) -> dict[float, Result]:
    """`scene` at each of `rates`, frame by frame in turn, so that all meet the same machine."""
    rules: tuple[RuleConfig, ...] = (_RULE,)
    with models.borrowed(model) as ready:
        plays = [
            _Play(rate, scene, ready.settings, load_detector(wiring.sought(ready.settings, rules)))
            for rate in rates
        ]
        truth = _Truth()
        for number, (now, image, there) in enumerate(scene.pictures(cast)):
            truth.step(now, there)
            for play in plays:
                play.step(Frame(image, now, now, number), there)
        events = truth.finish()
    return {play.rate: play.finish(events) for play in plays}


def table(found: dict[str, dict[float, Result]]) -> Iterator[str]:
    """Markdown."""
    heights = [f"{low} to {high} px" for low, high in _groups()]
    heights[0], heights[-1] = f"below {HEIGHTS[1]} px", f"above {HEIGHTS[-2]} px"
    columns = [
        "scenes", "closer looks a second", *heights, "MOTA", "IDF1", "switches", "strays",
        "presence", "false", "looks a frame", "closer looks a frame", "ms a frame",
    ]  # fmt: skip
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for name, results in found.items():
        for rate, result in results.items():
            yield f"| {name} | {rate:g} | {result.line()} |"


def picture(scene: FarScene, cast: Cast, at: float, rate: float = 10.0) -> Image:
    """`scene` at `at` seconds without closer looks and with them, and what the latest one saw."""
    drawn: list[Image] = []
    part: Image | None = None
    with models.borrowed(ModelConfig(name="person")) as ready:
        for each in (0.0, rate):
            detector = load_detector(wiring.sought(ready.settings, (_RULE,)))
            play = _Play(each, scene, ready.settings, detector)
            for number, (now, image, there) in enumerate(scene.pictures(cast)):
                analysed = play.step(Frame(image, now, now, number), there)
                if now >= at and (analysed.closer or not each):
                    break
            view = Overlay(()).draw(image, analysed.tracks, (), "with" if each else "without")
            if analysed.closer:
                region = analysed.closer
                part = np.asarray(cv2.resize(region.cut(image), (SIZE[1], SIZE[1])), np.uint8)
                corner = region.x + region.side, region.y + region.side
                cv2.rectangle(view, (region.x, region.y), corner, (0, 220, 255), 2)
            drawn.append(view)
    return np.hstack([*drawn, part] if part is not None else drawn)


def main() -> int:
    """Print the table, or draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenes.far_score", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=REPORTED_ON)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--only", action="append", help="a row of the table")
    parser.add_argument("--model", default="person", help="a bundle that ships")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if not (DATA / CLIP).exists():
        print(f"the real clip is needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1
    cast = Cast.of(DATA / CLIP)
    if arguments.picture:
        drawn = picture(FarScene("corner", 102), cast, 10.0)
        smaller = cv2.resize(drawn, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(arguments.picture), smaller, [cv2.IMWRITE_JPEG_QUALITY, 85])
        return 0
    found: dict[str, dict[float, Result]] = {}
    for name, made in scenes(arguments.seeds, arguments.seconds).items():
        if arguments.only and name not in arguments.only:
            continue
        sums = {rate: Result() for rate in arguments.rates}
        for scene in tqdm(made, desc=name, leave=False, file=sys.stderr):
            results = played(scene, cast, arguments.rates, ModelConfig(name=arguments.model))
            sums = {rate: sums[rate] + results[rate] for rate in sums}
        found[name] = sums
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
