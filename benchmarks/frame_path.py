"""What a frame spends in our code, beside the interpreter's own invoke, in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.material import CLIP, LABELS, MODEL, Row
from edge_runtime.config import CameraConfig, MotionConfig, PresenceConfig
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.service import wiring
from edge_runtime.timing import Stage, StageTimes

OURS = (Stage.MOTION, Stage.TENSOR, Stage.OUTPUTS, Stage.TRACK, Stage.RULES)
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
        "a frame in our code beside decode and invoke, 768x432, one person, p50",
        "<= 0.7 ms",
        f"{ours:.2f} ms (beside a bare invoke of {invoke:.1f} ms in the same run)",
        bool(ours <= 0.7),
    )
    return row, _table(times, invoke)


def _spent(times: StageTimes) -> float:
    return float(sum(times.total(stage) for stage in OURS))


def _table(times: StageTimes, bare: float) -> str:
    lines = ["| stage | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|"]
    for stage in (*OURS[:2], Stage.INVOKE, *OURS[2:]):
        p50, p95, p99 = times.percentiles(stage) or (0, 0, 0)
        lines.append(f"| {stage} | {p50:.3f} | {p95:.3f} | {p99:.3f} |")
    lines.append(f"| (bare invoke beside it) | {bare:.3f} | | |")
    return "\n".join(lines)
