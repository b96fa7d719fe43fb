"""What a frame spends in our code, beside the interpreter's own invoke, in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import get_args

import cv2
import numpy as np
from pydantic import TypeAdapter
from tqdm import tqdm

from benchmarks.material import CLIP, LABELS, MODEL, Row
from edge_runtime.config import CameraConfig, MotionConfig, PresenceConfig, RuleConfig
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.service import wiring
from edge_runtime.timing import Stage, StageTimes

OURS = (Stage.MOTION, Stage.TENSOR, Stage.OUTPUTS, Stage.TRACK, Stage.RULES)
"""What each frame goes through; camera health looks five times a second, at any frame rate."""
_LINE_RULES = ("line-crossing", "wrong-way", "tailgating")
RULE_KINDS = get_args(RuleConfig)[0]
_FIRST, _COUNT = 250, 150
"""Frames in which one person is in view."""


def _pictures() -> Iterator[Image]:
    """Pictures with one person, each decoded when it is asked for, as a camera's are."""
    capture = cv2.VideoCapture(str(CLIP))
    while True:
        capture.set(cv2.CAP_PROP_POS_FRAMES, _FIRST)
        for _ in range(_COUNT):
            yield np.asarray(capture.read()[1], np.uint8)


def measure(rounds: int = 4) -> tuple[Row, str]:
    """The row, and a table of the stages.

    Each frame is decoded and goes through the whole pipeline; then the bare interpreter runs once,
    on an engine of its own. So both meet the same machine at the same time.
    """
    pictures = _pictures()
    # The gate does its work, but may spare no frame.
    motion = MotionConfig(longest_rest=0.01)
    camera = CameraConfig.model_validate({"name": "clip", "source": str(CLIP), "motion": motion})
    model = ModelSettings(MODEL, labels=LABELS, device="cpu")
    times = StageTimes(capacity=rounds * _COUNT)
    rules = (PresenceConfig(kind="presence"),)
    detector = load_detector(wiring.sought(model, rules))
    pipeline = wiring.pipeline(camera, rules, model, detector, times.lap)
    bare = LiteRtEngine(MODEL)
    invokes, sums = [], []
    for index in tqdm(range(rounds * _COUNT), desc="frame path", unit="frame"):
        frame = Frame(next(pictures), index / 10, index / 10)
        before = _spent(times)
        times.start()
        pipeline.step(frame)
        sums.append(_spent(times) - before)
        began = time.perf_counter()
        bare.invoke()
        invokes.append(time.perf_counter() - began)
    ours, invoke = np.median(sums) * 1e3, np.median(invokes) * 1e3
    row = Row(
        "a frame in our code beside decode, invoke and camera health, 768x432, one person, p50",
        "<= 0.7 ms",
        f"{ours:.2f} ms (beside a bare invoke of {invoke:.1f} ms in the same run)",
        bool(ours <= 0.7),
    )
    return row, _table(times, invoke)


def everything(rounds: int = 2) -> Row:
    """The same with every kind of rule and camera health on, on average, as processor time.

    Camera health looks five times a second and still objects four times, so that frames differ
    much; the average at 10 frames a second counts. Looking at faces is another model's work.
    """
    pictures = _pictures()
    zone = {"name": "all", "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}
    camera = CameraConfig.model_validate(
        {
            "name": "clip",
            "source": str(CLIP),
            "motion": MotionConfig(longest_rest=0.01),
            "zones": [zone],
            "lines": [{"name": "across", "points": [[0.0, 0.5], [1.0, 0.5]]}],
        }
    )
    model = ModelSettings(MODEL, labels=LABELS, device="cpu")
    rules = _every_rule()
    clock = _OurTime()
    detector = load_detector(wiring.sought(model, rules))
    pipeline = wiring.pipeline(camera, rules, model, detector, clock.lap)
    count = rounds * _COUNT
    for index in tqdm(range(count), desc="every rule", unit="frame"):
        frame = Frame(next(pictures), index / 10, index / 10)
        clock.start()
        pipeline.step(frame)
    each = clock.spent / count * 1e3
    return Row(
        f"a frame in our code with all {len(rules)} kinds of rules and camera health, mean",
        "<= 2 ms",
        f"{each:.2f} ms of processor time",
        each <= 2.0,
    )


def _every_rule() -> tuple[RuleConfig, ...]:
    """One rule of each kind."""
    kinds = [get_args(each.model_fields["kind"].annotation)[0] for each in get_args(RULE_KINDS)]
    tables = [
        {"kind": kind, "line": "across"} if kind in _LINE_RULES else {"kind": kind, "zone": "all"}
        for kind in kinds
    ]
    return TypeAdapter(tuple[RuleConfig, ...]).validate_python(tuple(tables))


class _OurTime:
    """Processor time of this thread outside of invoke."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._last = 0.0

    def start(self) -> None:
        self._last = time.thread_time()

    def lap(self, stage: Stage) -> None:
        now = time.thread_time()
        if stage is not Stage.INVOKE:
            self.spent += now - self._last
        self._last = now


def _spent(times: StageTimes) -> float:
    return float(sum(times.total(stage) for stage in OURS))


def _table(times: StageTimes, bare: float) -> str:
    lines = ["| stage | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|"]
    for stage in (s for s in Stage if s in (*OURS, Stage.HEALTH, Stage.INVOKE)):
        p50, p95, p99 = times.percentiles(stage) or (0, 0, 0)
        lines.append(f"| {stage} | {p50:.3f} | {p95:.3f} | {p99:.3f} |")
    lines.append(f"| (bare invoke beside it) | {bare:.3f} | | |")
    return "\n".join(lines)
