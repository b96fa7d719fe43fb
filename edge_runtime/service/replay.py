"""A clip through the same analysis as on the board: every frame, on the clip's own time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from edge_runtime.alerts.alert import Alert, AlertEvent, Origin, event
from edge_runtime.capture.recording import Recording
from edge_runtime.config import CameraConfig, HeadsConfig, ModelConfig, RuleConfig
from edge_runtime.frame import Frame
from edge_runtime.inference.model import Detector, load_detector
from edge_runtime.service import board, models, ruling, wiring
from edge_runtime.service.film import Film
from edge_runtime.service.pipeline import Analysed, Pipeline

_EPOCH = 0
"""A replay's alerts are in no outbox: their epoch is one that no outbox has."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed, and as whom.

    Attributes:
        camera: the clip as a camera, with its zones.
        rules: what is looked for.
        model: the detector.
        heads: the models of the second look.
        origin: the site and device that the alerts name.
        start: Unix seconds at which the clip is taken to start: labels alerts, and is the clock
            of schedules.
    """

    camera: CameraConfig
    rules: tuple[RuleConfig, ...]
    model: ModelConfig
    heads: HeadsConfig
    origin: Origin
    start: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay was, in numbers."""

    frames: int
    looked: int
    closer: int
    failed: int
    alerts: int
    media_seconds: float
    wall_seconds: float
    backend: str

    def __str__(self) -> str:
        rate = self.frames / self.wall_seconds if self.wall_seconds else 0.0
        closer = f", {self.closer} closer looks" if self.closer else ""
        failed = f", {self.failed} inferences failed" if self.failed else ""
        return (
            f"{self.frames} frames ({self.media_seconds:.1f} s) in {self.wall_seconds:.1f} s, "
            f"{rate:.0f} a second; the detector looked at {self.looked} on {self.backend}{failed}; "
            f"{self.alerts} alerts{closer}"
        )


def _unseen(frame: Frame, analysed: Analysed) -> None:
    """For whom only the alerts matter."""


def replay(
    what: Replay,
    tell: Callable[[AlertEvent], None],
    video: Path | None,
    *,
    progress: bool,
    see: Callable[[Frame, Analysed], None] = _unseen,
) -> Summary:
    """Analyse every frame; call `tell` with each alert as it is decided.

    Args:
        what: see `Replay`.
        tell: gets the alerts, numbered from 1.
        video: where to draw it all to, as MP4; None for no video. The file appears when it is
            complete.
        progress: whether to show a progress bar on standard error.
        see: gets each frame and what became of it.

    Raises:
        EdgeRuntimeError: the clip, the model or the video cannot be used.
    """
    frames = looked = closer = failed = 0
    timestamp = 0.0
    with ExitStack() as stack:
        model = stack.enter_context(models.borrowed(what.model)).settings
        detector = load_detector(wiring.sought(model, what.rules))
        heads = stack.enter_context(models.borrowed_heads(what.heads, what.rules))
        faces = wiring.second_look(what.camera, what.rules, heads, apart=False)
        pipeline = wiring.pipeline(what.camera, what.rules, model, detector, faces=faces)
        teller = _Teller(what, detector, tell)
        began = time.perf_counter()
        recording = stack.enter_context(
            Recording(wiring.source_settings(what.camera), start_wall=what.start)
        )
        fps = what.camera.fps or recording.info.fps or 10.0
        film = stack.enter_context(Film(video, fps, ruling.zones(what.camera))) if video else None
        for frame, analysed in _analyse(recording, pipeline, progress=progress):
            teller.tell(analysed.alerts)
            see(frame, analysed)
            if film:
                film.add(frame, analysed, frame.timestamp)
            frames += 1
            looked += analysed.looked
            closer += analysed.closer is not None
            failed += analysed.failure is not None
            timestamp = frame.timestamp
        teller.tell(pipeline.finish("camera ended"))
    return Summary(
        frames=frames,
        looked=looked,
        closer=closer,
        failed=failed,
        alerts=teller.count,
        media_seconds=timestamp,
        wall_seconds=time.perf_counter() - began,
        backend=detector.status().backend,
    )


class _Teller:
    """Numbers the alerts and gives each its form on the wire."""

    def __init__(
        self, what: Replay, detector: Detector, tell: Callable[[AlertEvent], None]
    ) -> None:
        self.count = 0
        self._what = what
        self._detector = detector
        self._tell = tell
        self._synchronised = board.clock_synchronised()

    def tell(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self.count += 1
            self._tell(
                event(
                    alert,
                    origin=self._what.origin,
                    epoch=_EPOCH,
                    sequence=self.count,
                    model=self._detector.identity,
                    clock_synchronised=self._synchronised,
                    media_time=alert.timestamp,
                )
            )


def _analyse(
    recording: Recording, pipeline: Pipeline, *, progress: bool
) -> Iterator[tuple[Frame, Analysed]]:
    with tqdm(
        total=recording.info.frames, unit="frame", disable=not progress, file=sys.stderr
    ) as bar:
        for frame in recording:
            yield frame, pipeline.step(frame)
            bar.update()
