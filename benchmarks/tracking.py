"""Tracks of ours, norfair's and supervision's ByteTrack on the same detections, by motmetrics.

make tracking-benchmark                        # worlds that nothing was tuned on, and the clip
make tracking-benchmark ARGS="--seeds 1 2 3"   # these worlds

norfair holds numpy below 2 and supervision 0.26 is the last with ByteTrack, so both live in an
environment of their own, which make sets up.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import motmetrics
import norfair
import numpy as np
import pandas
import supervision
from norfair.distances import create_normalized_mean_euclidean_distance
from tqdm import tqdm

from benchmarks.material import DATA
from edge_runtime.analysis.tracking import CONTINUE_FRACTION, Tracker, TrackerSettings
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, TrackState
from tests.scenes import recorded
from tests.scenes.walkers import LEAST_SEEN, PLACES, SIZE, Look, World, worlds

TUNED_ON = tuple(range(1, 13))
"""Seeds of the worlds on which thresholds were chosen, of ours and of the others."""
REPORTED_ON = tuple(range(101, 109))
_ABOUT_TEN = range(9, 12)
THRESHOLD = 0.5
"""Score that begins a track, for all of them."""

Tracked = dict[int, Box]
"""What a tracker reports of one frame: boxes in 0..1 by the number of their track."""
Follow = Callable[[Detections, float], Tracked]


def ours(_: float) -> Follow:
    """Only what was seen in this frame and is believed."""
    tracker = Tracker(TrackerSettings(threshold=THRESHOLD))

    def follow(detections: Detections, now: float) -> Tracked:
        tracker.update(detections, SIZE, now)
        return {t.id: t.box for t in tracker.tracks if t.state is TrackState.CONFIRMED}

    return follow


def bytetrack(fps: float, least: float = 0.1, matching: float = 0.9, buffer: float = 3.0) -> Follow:
    """supervision's, which counts in frames: `buffer` is seconds."""
    tracker = supervision.ByteTrack(
        track_activation_threshold=THRESHOLD,
        lost_track_buffer=round(buffer * 30),
        minimum_matching_threshold=matching,
        frame_rate=fps,
    )

    def follow(detections: Detections, _: float) -> Tracked:
        seen = detections.where(detections.scores >= least)
        found = tracker.update_with_detections(
            supervision.Detections(seen.boxes, confidence=seen.scores, class_id=seen.class_ids)
        )
        return _shares(found.tracker_id, found.xyxy)

    return follow


def norfairs(
    fps: float,
    distance: str = "euclidean",
    threshold: float = 0.1,
    patience: float = 2.0,
    least: float = THRESHOLD * CONTINUE_FRACTION,
) -> Follow:
    """norfair's, which counts in frames: `patience` is seconds. Foretold boxes are left out."""
    measure = (
        create_normalized_mean_euclidean_distance(SIZE[1], SIZE[0])
        if distance == "euclidean"
        else distance
    )
    tracker = norfair.Tracker(
        distance_function=measure,
        distance_threshold=threshold,
        hit_counter_max=max(round(patience * fps), 2),
        initialization_delay=1,
    )

    def follow(detections: Detections, _: float) -> Tracked:
        seen = [
            norfair.Detection(box.reshape(2, 2), np.repeat(score, 2))
            for box, score in zip(detections.boxes, detections.scores, strict=True)
            if score >= least
        ]
        numbers = {id(each.last_detection): each.id for each in tracker.update(seen)}
        found = [each for each in seen if id(each) in numbers]
        return _shares(
            [numbers[id(each)] for each in found], [each.points.reshape(4) for each in found]
        )

    return follow


TRACKERS: dict[str, Callable[[float], Follow]] = {
    "ours": ours,
    "supervision ByteTrack": bytetrack,
    "norfair": norfairs,
}


def _shares(numbers: Iterable[int], boxes: Iterable[np.ndarray]) -> Tracked:
    return {
        int(number): tuple((box / [*SIZE, *SIZE]).tolist())
        for number, box in zip(numbers, boxes, strict=True)
    }


@dataclass(slots=True)
class Result:
    """What one tracker did, over several worlds."""

    accumulators: list[motmetrics.MOTAccumulator] = field(default_factory=list)
    seconds: float = 0.0
    frames: int = 0
    crowded: list[float] = field(default_factory=list)
    """Seconds of each frame with about ten people."""

    def figures(self) -> pandas.Series:
        """By motmetrics, over all worlds together."""
        metrics = motmetrics.metrics.create()
        return metrics.compute_many(
            self.accumulators,
            metrics=["mota", "idf1", "num_switches", "num_fragmentations", "num_false_positives",
                     "num_misses", "num_objects"],
            generate_overall=True,
        ).loc["OVERALL"]  # fmt: skip

    @property
    def milliseconds(self) -> float:
        """The time of one frame, on average."""
        return self.seconds / self.frames * 1e3


def run(make: Callable[[float], Follow], world: World, looks: Sequence[Look], into: Result) -> None:
    """One tracker over one world."""
    follow = make(world.fps)
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for look in looks:
        began = time.perf_counter()
        tracked = follow(look.detections, look.now)
        spent = time.perf_counter() - began
        into.seconds += spent
        if len(look.truth) in _ABOUT_TEN:
            into.crowded.append(spent)
        _compare(accumulator, look, tracked)
    into.accumulators.append(accumulator)
    into.frames += len(looks)


def _compare(accumulator: motmetrics.MOTAccumulator, look: Look, tracked: Tracked) -> None:
    """One frame; tracks on people who can hardly be seen are neither right nor wrong."""
    hardly = [each for each in look.truth if each.visible < LEAST_SEEN]
    counted = [each for each in look.truth if each.visible >= LEAST_SEEN]
    to_hardly = _distances([each.box for each in hardly], tracked.values())
    to_counted = _distances([each.box for each in counted], tracked.values())
    ignored = np.isfinite(to_hardly).any(axis=0) & ~np.isfinite(to_counted).any(axis=0)
    accumulator.update(
        [each.id for each in counted],
        [number for number, ignore in zip(tracked, ignored, strict=True) if not ignore],
        to_counted[:, ~ignored],
    )


def _distances(truth: Iterable[Box], tracked: Iterable[Box]) -> np.ndarray:
    """1 - IoU where it is 0.5 at least, else NaN; rows are the truth's."""
    a, b = (np.array(list(boxes), float).reshape(-1, 4) for boxes in (truth, tracked))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (a, b))
    iou = common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-12)
    return np.where(iou >= 0.5, 1 - iou, np.nan)


def compare(
    seeds: Sequence[int], trackers: dict[str, Callable[[float], Follow]] = TRACKERS
) -> dict[str, dict[str, Result]]:
    """Results by tracker and place; the place "all" is all of them together."""
    found = {name: {place: Result() for place in PLACES} for name in trackers}
    for world in tqdm(worlds(seeds), desc="worlds", leave=False):
        looks = list(world.looks())
        for name, make in trackers.items():
            run(make, world, looks, found[name][world.place])
    for results in found.values():
        parts = list(results.values())
        results["all"] = Result(
            [each for part in parts for each in part.accumulators],
            sum(part.seconds for part in parts),
            sum(part.frames for part in parts),
            [each for part in parts for each in part.crowded],
        )
    return found


def table(found: dict[str, dict[str, Result]]) -> str:
    """Markdown."""
    lines = [
        "| place | tracker | MOTA | IDF1 | switches | fragments | false | missed | ms a frame |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for place in next(iter(found.values())):
        for name, results in found.items():
            result = results[place]
            each = result.figures()
            lines.append(
                f"| {place} | {name} | {each.mota:.1%} | {each.idf1:.1%} "
                f"| {each.num_switches:.0f} | {each.num_fragmentations:.0f} "
                f"| {each.num_false_positives:.0f} | {each.num_misses:.0f} "
                f"| {result.milliseconds:.3f} |"
            )
    return "\n".join(lines)


def crowded(found: dict[str, dict[str, Result]]) -> str:
    """Markdown: what ten people cost."""
    lines = ["| tracker | ms a frame with 9 to 11 people, median |", "|---|---|"]
    for name, results in found.items():
        lines.append(f"| {name} | {np.median(results['all'].crowded) * 1e3:.2f} |")
    return "\n".join(lines)


def on_the_clip() -> str:
    """Markdown: how many identities the six visits of the real clip get, by each tracker."""
    names = list(TRACKERS)
    lines = [f"| model | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for model in ("ssd", "person"):
        looks = list(recorded.looks(model, DATA))
        counts = []
        for make in TRACKERS.values():
            follow = make(10.0)
            counts.append(len({number for now, seen in looks for number in follow(seen, now)}))
        lines.append(f"| {model} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="make tracking-benchmark", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=REPORTED_ON)
    arguments = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # norfair prefers another form of its distance
    found = compare(arguments.seeds)
    print(table(found), crowded(found), sep="\n\n")
    if DATA.is_dir():
        print("", on_the_clip(), sep="\n")


if __name__ == "__main__":
    main()
