"""From the frame's arrival to the committed alert, and from there to the broker's PUBACK."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.material import CLIP, LABELS, MODEL, Row
from edge_runtime.alerts.alert import Alert, AlertState, ModelIdentity, Origin, Severity
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.capture.camera import Pace
from edge_runtime.config import CameraConfig, MotionConfig, PresenceConfig
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from edge_runtime.service import board, wiring
from edge_runtime.service.worker import Plan, Worker
from edge_runtime.timing import Stage
from tests.broker import Broker, wait_for
from tests.small_centre import SmallCentre

_ORIGIN = Origin("bench", "board")
_ALERTS = 300


def arrival_to_commit(seconds: float = 30.0) -> Row:
    """A worker on real pictures at their own pace; every stage but the invoke, of each alert."""
    model = ModelSettings(MODEL, labels=LABELS, device="cpu")
    rules = (PresenceConfig(kind="presence", seconds=0.0, grace=0.0),)
    over: list[float] = []
    with tempfile.TemporaryDirectory() as name, Outbox(Path(name) / "o", _ORIGIN) as outbox:
        camera = CameraConfig.model_validate(
            {
                "name": "clip",
                "source": str(_comings_and_goings(Path(name) / "clip", int(seconds))),
                "fps": 10.0,
                "motion": MotionConfig(enabled=False),
            }
        )

        def commit(alert: Alert, identity: ModelIdentity) -> None:
            outbox.commit(alert, model=identity, clock_synchronised=board.clock_synchronised())
            # The moment at which the frame arrived that decided, on the same clock.
            arrived = alert.timestamp + alert.decided_after
            over.append(time.monotonic() - arrived - worker.times.latest(Stage.INVOKE))

        detector = load_detector(wiring.sought(model, rules))
        worker = Worker(Plan(camera, rules, model, stamps=()), detector, Pace.REAL, commit)
        worker.start()
        for _ in tqdm(range(int(seconds)), desc="arrival to commit", unit="s"):
            time.sleep(1)
        worker.ask_to_stop("stopped")
        worker.join(2)
    p50, p95 = np.percentile(over, (50, 95)) * 1e3
    return Row(
        "frame arrives -> alert committed, beyond the invoke, p95",
        "<= 5 ms",
        f"{p95:.1f} ms (p50 {p50:.1f}, {len(over)} alerts)",
        bool(p95 <= 5),
    )


def _comings_and_goings(folder: Path, seconds: int) -> Path:
    """Half a second with a person, half a second without, and so on, from the real clip."""
    folder.mkdir()
    capture = cv2.VideoCapture(str(CLIP))
    halves = []
    for first in (300, 10):
        capture.set(cv2.CAP_PROP_POS_FRAMES, first)
        halves += [capture.read()[1] for _ in range(5)]
    for number in range(seconds * 10):
        cv2.imwrite(str(folder / f"{number:04}.png"), halves[number % 10])
    return folder


def commit_to_puback() -> Row:
    """Single alerts to a Mosquitto on this machine, with a subscriber."""
    found = []
    with tempfile.TemporaryDirectory() as folder, Broker() as broker, SmallCentre(broker):
        outbox = Outbox(Path(folder) / "o", _ORIGIN)
        settings = MqttSettings(host=broker.host, port=broker.port, client_id="bench")
        publisher = Publisher(settings, outbox, Topics(_ORIGIN.site, _ORIGIN.device))
        publisher.start()
        wait_for(lambda: publisher.stats().link == "online", "the link")
        pause = threading.Event()
        for number in tqdm(range(_ALERTS), desc="commit to PUBACK", unit="alert"):
            outbox.commit(_alert(number), model=None, clock_synchronised=False)
            committed = time.perf_counter()
            while publisher.stats().delivered <= number:
                pause.wait(0.0002)
            found.append(time.perf_counter() - committed)
        publisher.stop(1.0)
        outbox.close()
    p50, p95 = np.percentile(found, (50, 95)) * 1e3
    return Row(
        "alert committed -> PUBACK, local Mosquitto, p95",
        "<= 20 ms",
        f"{p95:.1f} ms (p50 {p50:.1f}, {len(found)} alerts)",
        bool(p95 <= 20),
    )


def _alert(number: int) -> Alert:
    return Alert(
        rule="presence",
        name="presence",
        camera="bench",
        state=AlertState.STARTED,
        severity=Severity.MEDIUM,
        timestamp=float(number),
        wall_time=time.time(),
        decided_after=1.0,
        duration=0.0,
        incident=f"bench/{number}",
        label="person",
        score=0.9,
        track=number,
        boxes=((0.1, 0.2, 0.3, 0.4),),
    )
