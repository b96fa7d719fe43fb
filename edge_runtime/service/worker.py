"""One camera at work: its capture thread, its detector, and the thread that analyses."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.alerts.alert import Alert, ModelIdentity
from edge_runtime.alerts.outbox import OutboxError, OutboxFullError
from edge_runtime.alerts.room import EXPENDABLE
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.backoff import Backoff
from edge_runtime.capture.camera import Camera, CameraState, Pace
from edge_runtime.config import CameraConfig, Config, RuleConfig, SnapshotsConfig
from edge_runtime.frame import Frame
from edge_runtime.inference.failover import EngineState
from edge_runtime.inference.model import Detector, ModelSettings
from edge_runtime.report import CameraReport
from edge_runtime.rules.switch import Rests
from edge_runtime.service import wiring
from edge_runtime.service.album import Album
from edge_runtime.service.models import HeadModels
from edge_runtime.service.pipeline import Analysed
from edge_runtime.service.ruling import asking_for_faces
from edge_runtime.service.snapshots import Photographer, Snapshot, SnapshotError
from edge_runtime.timing import Stage, StageTimes

logger = logging.getLogger(__name__)

Commit = Callable[[Alert, ModelIdentity], None]
"""Makes an alert durable; raises OutboxError."""

Observe = Callable[[Frame, Analysed], None]
"""Is shown each frame and what became of it, once its alerts are committed."""


def nobody(_: Frame, __: Analysed) -> None:
    """Nobody observes."""


_SAYS = {
    Condition.COVERED: "is covered",
    Condition.DEFOCUSED: "is out of focus",
    Condition.MOVED: "was moved",
    Condition.FROZEN: "shows the same picture again and again",
    Condition.DARK: "sees next to nothing: it is too dark",
    Condition.BRIGHT: "is dazzled",
    Condition.NOISY: "sees noise",
    Condition.NO_FRAMES: "gives no frames",
}
_OVER = (CameraState.ENDED, CameraState.FAILED)
_HUNG_SECONDS = 60.0
"""A thread without a sign of life for so long is stuck in a driver or in the interpreter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker is made from; a worker whose plan has not changed survives a reload.

    `stamps` are modification time and size of the models' files: another model under the same
    name is a change. `heads` are the models of the second look, where a rule asks for one.
    """

    camera: CameraConfig
    rules: tuple[RuleConfig, ...]
    model: ModelSettings
    stamps: tuple[tuple[int, int], ...]
    snapshots: SnapshotsConfig | None = None
    heads: HeadModels | None = None

    @classmethod
    def of(
        cls,
        camera: CameraConfig,
        config: Config,
        model: ModelSettings,
        heads: HeadModels | None = None,
    ) -> Plan:
        """The plan of one camera of `config`, whose models are ready as `model` and `heads`."""
        rules = config.rules_for(camera.name)
        asked = heads if asking_for_faces(rules, camera) else None
        used = [model, *([asked.classifier, asked.detector] if asked else [])]
        stamps = tuple(stamp for each in used if each for stamp in _stamps(each))
        return cls(camera, rules, model, stamps, config.snapshots, asked)


def _stamps(model: ModelSettings) -> list[tuple[int, int]]:
    # A file for the Edge TPU, or for the CPU, may stand beside the one that is named.
    stem = model.path.stem.removesuffix("_edgetpu")
    twins = (model.path.with_stem(stem), model.path.with_stem(f"{stem}_edgetpu"))
    labels = model.labels if isinstance(model.labels, Path) else None
    files = (*twins, labels, model.edgetpu_path)
    stats = [path.stat() for path in files if path is not None and path.exists()]
    return [(stat.st_mtime_ns, stat.st_size) for stat in stats]


class Worker:
    """Analyses one camera until it is stopped or the camera has ended."""

    def __init__(
        self,
        plan: Plan,
        detector: Detector,
        pace: Pace,
        commit: Commit,
        observe: Observe = nobody,
        *,
        rests: Rests | None = None,
        album: Album | None = None,
    ) -> None:
        self.plan = plan
        self.times = StageTimes()
        self._detector = detector
        self._commit = commit
        self._observe = observe
        self._pace = pace
        self._camera = Camera(plan.camera.name, wiring.source_settings(plan.camera), pace=pace)
        self._second_look = wiring.second_look(
            plan.camera, plan.rules, plan.heads, apart=pace is Pace.REAL
        )
        self._pipeline = wiring.pipeline(
            plan.camera,
            plan.rules,
            plan.model,
            detector,
            self.times.lap,
            rests=rests,
            faces=self._second_look,
        )
        self._photographer = Photographer(self.name, detector, album) if album else None
        self._stopping = threading.Event()
        self._stop_reason = "stopped"
        self._alive = time.monotonic()
        self._analysed = 0
        self._looked = 0
        self._closer_looks = 0
        self._failures = 0
        self._failure: str | None = None
        self._uncommitted: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"analysis-{self.name}", daemon=True)

    @property
    def name(self) -> str:
        """The camera's name."""
        return self.plan.camera.name

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: a recording is over, or could not be read to its end."""
        over = self._camera.finished and self._camera.state in _OVER
        return over and not self._thread.is_alive()

    @property
    def inferred(self) -> bool:
        """Whether a frame of the camera has been through the detector."""
        return self._looked > self._failures

    @property
    def degraded(self) -> str | None:
        """Why the camera is not looked at as it should be, in a few words; None if it is."""
        state = self._camera.state
        if state not in (CameraState.LIVE, CameraState.ENDED, CameraState.CONNECTING):
            return f"camera {self.name} is {state}"
        if self._uncommitted:
            return self._uncommitted
        if self._failure:
            return f"inference for camera {self.name} fails: {self._failure}"
        if conditions := self._pipeline.conditions:
            return f"camera {self.name} {' and '.join(_SAYS[each] for each in conditions)}"
        if self._second_look and (failure := self._second_look.failure):
            return f"faces at camera {self.name} are not looked at: {failure}"
        engine = self._detector.status()
        return engine.reason if engine.state is EngineState.DEGRADED else None

    def start(self) -> None:
        """Begin to capture and to analyse."""
        self._camera.start()
        self._thread.start()

    def ask_to_stop(self, reason: str) -> None:
        """Begin the end; what is open is ended with `reason`."""
        self._stop_reason = reason
        self._stopping.set()
        self._camera.stop(timeout=0.0)

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until analysis and camera have come to rest."""
        deadline = time.monotonic() + timeout
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            logger.error("the analysis does not stop", extra={"camera": self.name})
        self._camera.stop(max(deadline - time.monotonic(), 0.0))

    def moving(self, now: float) -> bool:
        """Whether frames move through, or there is a known reason why none come.

        This is what feeds the watchdog: a camera that is away is told to the centre and tried
        again, and a restart would not bring it back; a thread that is stuck can only be helped by
        one.
        """
        if self.ended:
            return True
        if not self._thread.is_alive():
            return False
        return now - self._alive < _HUNG_SECONDS and now - self._camera.heartbeat < _HUNG_SECONDS

    def status(self) -> CameraReport:
        """How the camera is, in numbers and words for a machine."""
        capture, engine = self._camera.stats(), self._detector.status()
        model = self._detector.identity
        now = time.monotonic()
        return {
            "name": self.name,
            "state": capture.state,
            "seconds_in_state": round(now - capture.since, 1),
            "last_frame_age": _rounded(capture.last_frame_age),
            "size": [capture.width, capture.height] if capture.width else None,
            "fps": round(capture.fps, 2),
            "frames": capture.frames,
            "dropped": capture.dropped,
            "reconnects": capture.reconnects,
            "conditions": [str(each) for each in self._pipeline.conditions],
            "state_changes": {str(state): count for state, count in capture.changes.items()},
            "last_error": capture.last_error,
            "analysed": self._analysed,
            "looked": self._looked,
            "closer_looks": self._closer_looks,
            "failed_inferences": self._failures,
            "backend": engine.backend,
            "backend_state": engine.state,
            "backend_reason": engine.reason,
            "model": {"name": model.name, "version": model.version, "sha256": model.sha256},
            "latency_ms": {
                str(stage): [round(value, 3) for value in percentiles]
                for stage in Stage
                if (percentiles := self.times.percentiles(stage))
            },
        }

    def snapshot(self, timeout: float) -> Snapshot:
        """The next frame, with blurred heads.

        Raises:
            SnapshotError: there is none within `timeout` seconds.
        """
        if self._photographer is None:
            raise SnapshotError(f"camera {self.name} takes no snapshots: [snapshots] is not there")
        return self._photographer.ask(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            frame = self._camera.take(timeout=0.5)
            self._alive = time.monotonic()
            if frame is not None:
                self._analyse(frame)
            elif self._camera.finished and not self._stopping.is_set():
                self._stop_reason = "camera ended"
                break
            elif self._pace is Pace.REAL:  # then the frames' clock is the monotonic one
                for alert in self._pipeline.idle(self._alive, time.time()):
                    self._keep(alert)
        if self._second_look:
            self._second_look.close()
        for alert in self._pipeline.finish(self._stop_reason):
            self._keep(alert)

    def _analyse(self, frame: Frame) -> None:
        self.times.start()
        if self._pace is Pace.REAL:
            self.times.add(Stage.WAIT, self._alive - frame.timestamp)
        self.times.add(Stage.DECODE, frame.decode_seconds)
        analysed = self._pipeline.step(frame)
        self._analysed += 1
        if analysed.looked and self._looked == 0:
            logger.info("first inference", extra={"camera": self.name})
        self._looked += analysed.looked
        self._closer_looks += analysed.closer is not None
        self._failures += analysed.failure is not None
        if analysed.looked:
            self._tell_failure(analysed.failure)
        for alert in analysed.alerts:
            self._keep(alert)
        if analysed.alerts:
            self.times.lap(Stage.COMMIT)
        if self._photographer:
            self._photographer.after(frame, analysed)
        self._observe(frame, analysed)

    def _tell_failure(self, failure: str | None) -> None:
        """Log when inference begins to fail and when it works again, not each time."""
        if failure and not self._failure:
            logger.error("inference fails: %s", failure, extra={"camera": self.name})
        elif self._failure and not failure:
            logger.info("inference works again", extra={"camera": self.name})
        self._failure = failure

    def _keep(self, alert: Alert) -> None:
        """Commit `alert`; while the disk refuses, nothing goes on: no later alert overtakes it.

        In an outbox that is full there may be no room for it: then it is given up, on record.
        """
        for delay in Backoff(first=0.1, longest=5.0).delays():
            try:
                self._commit(alert, self._detector.identity)
            except OutboxFullError as error:
                # To wait for room would leave the camera unwatched; the gap is on record.
                urgent = error.severity not in EXPENDABLE
                level = logging.CRITICAL if urgent else logging.DEBUG
                logger.log(level, "%s", error, extra={"camera": self.name})
                self._uncommitted = None
                return
            except OutboxError as error:
                if self._uncommitted is None:
                    logger.critical(
                        "an alert cannot be kept: %s", error, extra={"camera": self.name}
                    )
                self._uncommitted = f"an alert cannot be kept: {error}"
            else:
                self._uncommitted = None
                return
            self._alive = time.monotonic()
            if self._stopping.wait(delay):
                break
        logger.critical(
            "lost at the stop, the disk refused it: %s", alert, extra={"camera": self.name}
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
