"""What the motion gate saves while nobody is there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.material import CLIP, LABELS, MODEL, Row
from edge_runtime.config import CameraConfig, MotionConfig, PresenceConfig
from edge_runtime.frame import Frame
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.service import wiring
from edge_runtime.service.pipeline import Pipeline

# Frames in which a person is in view, from the test data's README.
_VISITS = ((61, 194), (228, 445), (503, 695), (745, 863), (925, 1194), (1235, 1357))
_LEAD_IN = 30
"""Frames of each visit that are analysed before the empty stretch, so that tracker and gate are
in the state in which a visitor leaves them."""


def saving() -> Row:
    """Processor time on the empty stretches, decode and all, gate on and off in turn.

    Each frame is decoded anew for each of the two pipelines, which take turns frame by frame; the
    thread's processor time is counted, so that waiting for the next frame costs nothing, as in
    the daemon.
    """
    pipelines = {on: _pipeline(gate=on) for on in (True, False)}
    captures = {on: cv2.VideoCapture(str(CLIP)) for on in (True, False)}
    spent = {True: 0.0, False: 0.0}
    frames = 0
    for number, counts in tqdm(list(_wanted()), desc="motion gate", unit="frame"):
        frames += counts is True
        for on, pipeline in pipelines.items():
            capture = captures[on]
            began = time.thread_time()
            _, image = capture.read()
            if counts is not None:
                pipeline.step(Frame(np.asarray(image, np.uint8), number / 10, number / 10))
            if counts:
                spent[on] += time.thread_time() - began
    share = 1 - spent[True] / spent[False]
    each = {on: seconds / frames * 1e3 for on, seconds in spent.items()}
    return Row(
        "processor time that the motion gate saves on the clip's empty stretches",
        ">= 60%",
        f"{share:.0%} ({each[True]:.1f} ms a frame beside {each[False]:.1f} ms)",
        share >= 0.6,
    )


def _wanted() -> Iterator[tuple[int, bool | None]]:
    """For each frame of the clip: True counts, False is analysed, None is only decoded."""
    visits = [frame for first, last in _VISITS for frame in range(first, last + 1)]
    lead_in = {last - n for _, last in _VISITS for n in range(_LEAD_IN)}
    occupied = set(visits)
    for number in range(1394):
        if number not in occupied:
            yield number, True
        else:
            yield number, False if number in lead_in else None


def _pipeline(*, gate: bool) -> Pipeline:
    camera = CameraConfig.model_validate(
        {"name": "clip", "source": str(CLIP), "motion": MotionConfig(enabled=gate)}
    )
    model = ModelSettings(MODEL, labels=LABELS, device="cpu")
    rules = (PresenceConfig(kind="presence"),)
    detector = load_detector(wiring.sought(model, rules))
    return wiring.pipeline(camera, rules, model, detector)
