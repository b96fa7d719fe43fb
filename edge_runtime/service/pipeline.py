"""The middle of a frame's way: motion gate, camera health, detector, tracker, rules.

Pure but for the detector's own memory: no I/O, no wall clock, no randomness. The same frames give
the same alerts at any speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol

from edge_runtime.alerts.alert import Alert
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.closer import CloserLooks, must_have_seen
from edge_runtime.analysis.glance import Glancer
from edge_runtime.analysis.motion import MotionGate
from edge_runtime.analysis.region import Region, merged, shifted, uncut
from edge_runtime.analysis.spare_time import SpareTime
from edge_runtime.analysis.still_objects import StillObjects
from edge_runtime.analysis.tracking import Tracker
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.rules.camera_health import CameraHealth
from edge_runtime.rules.rule import Rule
from edge_runtime.scene import Face, Scene
from edge_runtime.timing import Lap, Stage, no_lap
from edge_runtime.tracks import Box, Track, TrackState

_EDGE = 0.02
"""A box so near to the edge of the picture, in 0..1, may leave it."""


class Looks(Protocol):
    """The part of a detector that the pipeline needs."""

    @property
    def locates(self) -> bool:
        """Whether it says where things are, not only what is in the picture."""
        ...

    def detect(self, image: Image, lap: Lap = ...) -> Detections:
        """The objects in `image`; raises InvokeError."""
        ...


class KnowsFaces(Protocol):
    """What says how people's faces are."""

    def step(self, frame: Frame, tracks: Sequence[Track]) -> Mapping[int, Face]:
        """What is known after `frame` of the faces of `tracks`, by their ids."""
        ...


@dataclass(frozen=True, slots=True)
class Analysed:
    """What became of one frame.

    Attributes:
        alerts: what is to be told.
        tracks: the objects that are followed.
        looked: whether the detector ran; False while the motion gate rests it.
        failure: what the detector said when it failed; None where it did not.
        detections: what it saw in this frame, and in the closer part of it, in pixels of the frame,
            before one gave way to the other; empty where it did not run, or failed.
        closer: the part of the frame that it saw once more, larger; None where it did not.
    """

    alerts: list[Alert]
    tracks: tuple[Track, ...]
    looked: bool
    failure: str | None = None
    detections: tuple[Detections, ...] = ()
    closer: Region | None = None


class Pipeline:
    """The way of one camera's frames from a picture to alerts."""

    def __init__(
        self,
        detector: Looks,
        gate: MotionGate,
        tracker: Tracker,
        rules: Sequence[Rule],
        lap: Lap = no_lap,
        *,
        things: StillObjects | None = None,
        health: CameraHealth | None = None,
        faces: KnowsFaces | None = None,
        closer: CloserLooks | None = None,
    ) -> None:
        self._detector = detector
        self._gate = gate
        self._tracker = tracker
        self._rules = tuple(rules)
        self._lap = lap
        self._things = things
        self._health = health
        self._glancer = Glancer()
        self._faces = faces
        self._closer = closer
        self._spare_time = SpareTime()
        self._scene = Scene(0.0, 0.0, ())

    def step(self, frame: Frame) -> Analysed:
        """Analyse `frame`; frames come in the order of their timestamps."""
        closer = self._closer if self._spare_time.step(frame) else None
        glance = self._glancer(frame.image) if self._health else None
        look = self._gate.step(
            frame,
            settled=self._settled(),
            somebody=any(t.state is not TrackState.LOST for t in self._scene.tracks),
            glance=glance,
            worth=partial(closer.worth, tracks=self._scene.tracks, now=frame.timestamp)
            if closer
            else None,
        )
        self._lap(Stage.MOTION)
        alerts: list[Alert] = []
        if self._health and glance:
            dropped = self._spare_time.missing > 0
            alerts += self._health.step(glance, frame.timestamp, frame.wall_time, dropped=dropped)
            self._lap(Stage.HEALTH)
        failure: str | None = None
        detections: tuple[Detections, ...] = ()
        region: Region | None = None
        if look:
            try:
                detections, region = self._look(frame, closer)
            except InvokeError as error:
                failure = str(error)
                self._tracker.hold(frame.timestamp)
        else:
            self._tracker.rest(frame.timestamp)
        tracks = self._tracker.tracks
        self._lap(Stage.TRACK)
        self._scene = Scene(
            frame.timestamp,
            frame.wall_time,
            tracks,
            still=self._things.step(frame, tracks) if self._things else (),
            passers=self._things.passers if self._things else (),
            faces=self._faces.step(frame, tracks) if self._faces else {},
            aspect=frame.width / frame.height,
        )
        alerts += chain.from_iterable(rule.step(self._scene) for rule in self._rules)
        self._lap(Stage.RULES)
        return Analysed(alerts, tracks, look, failure, detections, region)

    def idle(self, timestamp: float, wall_time: float) -> list[Alert]:
        """What is to be told at `timestamp`, on the frames' clock, at which no frame has come."""
        return self._health.idle(timestamp, wall_time) if self._health else []

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What is wrong with the camera; may be asked from any thread."""
        return self._health.present if self._health else ()

    def finish(self, reason: str) -> list[Alert]:
        """No frame follows: end what is open, and say why."""
        alerts = self._health.finish(self._scene.timestamp, reason) if self._health else []
        alerts += chain.from_iterable(rule.finish(self._scene, reason) for rule in self._rules)
        return alerts

    def _settled(self) -> bool:
        """Whether nobody has to be looked for.

        Who was lost within the picture has not left, and may stand still where the detector has
        failed to see him: the gate must not shut on him.
        """
        lost = (t for t in self._scene.tracks if t.state is TrackState.LOST)
        return self._tracker.settled and all(_at_edge(track.box) for track in lost)

    def _look(
        self, frame: Frame, closer: CloserLooks | None
    ) -> tuple[tuple[Detections, ...], Region | None]:
        """Detect and track; raises InvokeError, which is not the same as nobody there."""
        found = self._detector.detect(frame.image, self._lap)
        size, now = (frame.width, frame.height), frame.timestamp
        if closer is None:
            self._tracker.update(found, size, now)
            return (found,), None
        moved = self._gate.moved
        region = closer.choose(moved, self._tracker.foretold(now), found, size, now)
        if region is None:
            self._tracker.update(found, size, now, must_have_seen(None, size))
            return (found,), None
        near = shifted(self._detector.detect(region.cut(frame.image), self._lap), region)
        whole = uncut(near, region, size)
        closer.looked(region, whole, moved, size, now)
        each_once = merged(found, whole, region)
        self._tracker.update(each_once, size, now, must_have_seen(region, size))
        return (found, near), region


def _at_edge(box: Box) -> bool:
    """Whether who was there may have left the picture."""
    x1, y1, x2, y2 = box
    return min(x1, y1) < _EDGE or max(x2, y2) > 1 - _EDGE
