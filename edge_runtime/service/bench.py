"""Measures a frame's way on this machine: the daemon's own worker, with a real outbox."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Alert, ModelIdentity
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.capture.camera import Pace
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import load_detector
from edge_runtime.service import board, models, wiring
from edge_runtime.service.replay import Replay
from edge_runtime.service.worker import Plan, Worker
from edge_runtime.timing import Stage

_STOP_SECONDS = 2.0


class BenchError(EdgeRuntimeError):
    """There was nothing to measure."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one stage in milliseconds, over `count` samples."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        backend: what ran the model.
        stages: the latency of each stage; those that never ran are missing.
        frames: analysed frames; of these `looked` went through the detector.
        dropped: frames that were replaced before they were analysed.
        alerts: committed alerts.
        fps: analysed frames a second.
        cpu_ms: processor time of the whole process a frame, in milliseconds.
        resident_mb: resident memory at the end.
    """

    backend: str
    stages: Mapping[str, Latency]
    frames: int
    looked: int
    dropped: int
    alerts: int
    fps: float
    cpu_ms: float
    resident_mb: float

    def as_dict(self) -> dict[str, Any]:
        """The figures for a machine."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{'stage':<12} {'samples':>7} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}"]
        lines += [
            f"{name:<12} {at.count:>7} {at.p50:>8.3f} {at.p95:>8.3f} {at.p99:>8.3f}"
            for name, at in self.stages.items()
        ]
        lines.append(
            f"{self.frames} frames on {self.backend}, {self.fps:.1f} a second, {self.dropped} "
            f"dropped; the detector looked at {self.looked}; {self.alerts} alerts; "
            f"{self.cpu_ms:.2f} ms CPU a frame; {self.resident_mb:.0f} MB resident"
        )
        return "\n".join(lines)


def bench(what: Replay, seconds: float, *, fast: bool) -> Figures:
    """Run `what` as the daemon would for at most `seconds`, and measure.

    Raises:
        EdgeRuntimeError: the source or the model cannot be used, or no frame came.
    """
    with (
        models.borrowed(what.model) as model,
        models.borrowed_heads(what.heads, what.rules) as heads,
        tempfile.TemporaryDirectory() as folder,
    ):
        detector = load_detector(wiring.sought(model.settings, what.rules))
        plan = Plan(what.camera, what.rules, model.settings, stamps=(), heads=heads)
        outbox = Outbox(Path(folder) / "outbox.sqlite", what.origin)

        def commit(alert: Alert, model: ModelIdentity) -> None:
            outbox.commit(alert, model=model, clock_synchronised=board.clock_synchronised())

        worker = Worker(plan, detector, Pace.FAST if fast else Pace.REAL, commit)
        began, cpu = time.monotonic(), time.process_time()
        worker.start()
        while not worker.ended and time.monotonic() - began < seconds:
            time.sleep(0.05)
        elapsed, cpu = time.monotonic() - began, time.process_time() - cpu
        worker.ask_to_stop("stopped")
        worker.join(_STOP_SECONDS)
        alerts = outbox.depth()
        outbox.close()
    return _figures(worker, elapsed, cpu, alerts)


def _figures(worker: Worker, elapsed: float, cpu: float, alerts: int) -> Figures:
    status = worker.status()
    frames = status["analysed"]
    if not frames:
        raise BenchError(f"no frame came: {status['last_error'] or 'the source is empty'}")
    return Figures(
        backend=status["backend"],
        stages={
            str(stage): Latency(len(worker.times.samples(stage)), *percentiles)
            for stage in Stage
            if (percentiles := worker.times.percentiles(stage))
        },
        frames=frames,
        looked=status["looked"],
        dropped=status["dropped"],
        alerts=alerts,
        fps=frames / elapsed,
        cpu_ms=cpu / frames * 1e3,
        resident_mb=board.resident_megabytes(),
    )
