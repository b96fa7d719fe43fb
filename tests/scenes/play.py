"""Plays a story to the real pipeline, and holds what is told against what happened.

The detector is replaced by the truth with a detector's faults; motion gate, tracker, camera health,
still objects and rules are those of the device, wired as from its configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.config import CameraConfig, RuleConfig
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.model import ModelSettings
from edge_runtime.rules.camera_health import KIND as CAMERA_HEALTH
from edge_runtime.scene import Face
from edge_runtime.scoring.events import Alarm
from edge_runtime.service import wiring
from edge_runtime.timing import Lap, no_lap
from edge_runtime.tracks import Track
from tests.scenes.people import Body, Room
from tests.scenes.stories import DOOR, MACHINE, Bag, Story
from tests.scenes.things import draw_bag

_NOISES = 8
_SIGMA = 2.5
_LABELS = ("person",)


@dataclass(slots=True, eq=False)
class Seer:
    """A detector that knows the truth and has a detector's faults.

    It shakes its boxes, misses somebody now and then and for most of a second, does not see who is
    hidden, is bad at who lies on the floor, and rarely sees somebody who is not there. Of a person
    who is too small for it, it finds no more than the `share` of the frames.
    """

    rng: np.random.Generator
    share: float = 1.0
    bodies: tuple[Body, ...] = ()
    now: float = 0.0
    locates: bool = False
    """It knows of the picture as a whole only, not of a part of it."""
    _blind: dict[int, float] = field(default_factory=dict)

    def detect(self, image: Image, lap: Lap = no_lap) -> Detections:
        """The bodies of now."""
        height, width = image.shape[:2]
        found = [
            (body.box, self.rng.normal(0.75, 0.07)) for body in self.bodies if self._sees(body)
        ]
        if self.rng.random() < 0.003:
            x, y = self.rng.uniform(0, 0.8, 2)
            found.append(((x, y, x + 0.1, y + 0.2), self.rng.uniform(0.5, 0.6)))
        boxes = np.array([self._shaken(box) for box, _ in found], np.float32).reshape(-1, 4)
        scores = np.clip([score for _, score in found], 0.3, 0.99).astype(np.float32)
        boxes *= np.array([width, height, width, height], np.float32)
        return Detections(boxes, scores, np.zeros(len(found), np.int32), _LABELS)

    def _sees(self, body: Body) -> bool:
        if self.now < self._blind.get(body.walker, 0.0) or body.visible < 0.35:
            return False
        if self.share < 1 and self.rng.random() >= self.share:
            return False
        if self.rng.random() < 0.01:
            self._blind[body.walker] = self.now + self.rng.uniform(0.3, 0.9)
        x1, y1, x2, y2 = body.box
        lies = (x2 - x1) * 16 > (y2 - y1) * 9 * 1.1
        return bool(self.rng.random() > (0.3 if lies else 0.04))

    def _shaken(self, box: Sequence[float]) -> Sequence[float]:
        shake = self.rng.normal(0, 0.012 * (box[3] - box[1]), 4)
        return np.clip(np.asarray(box) + shake, 0, 1).tolist()


@dataclass(slots=True, eq=False)
class Faces:
    """Says of the people whose faces are hidden; looks twice a second, and may be wrong."""

    seer: Seer
    covered: frozenset[int]
    _known: dict[int, Face] = field(default_factory=dict)

    def step(self, frame: Frame, tracks: Sequence[Track]) -> Mapping[int, Face]:
        """The faces of `tracks`."""
        for track in tracks:
            known = self._known.get(track.id)
            if known and frame.timestamp - known.at < 0.5:
                continue
            hidden = any(self._is(body, track) for body in self.seer.bodies)
            wrong = self.seer.rng.random() < 0.08
            self._known[track.id] = Face(hidden == wrong, None, frame.timestamp)
        return self._known

    def _is(self, body: Body, track: Track) -> bool:
        middle = (track.box[0] + track.box[2]) / 2
        return body.walker in self.covered and body.box[0] <= middle <= body.box[2]


def play(story: Story, room: Room, seed: int, fps: float = 10.0) -> list[Alarm]:
    """What is told of `story`: what starts, of its rules and of camera health."""
    told = alerts_of(story, room, seed, fps)
    return [
        Alarm(alert.name if alert.rule == CAMERA_HEALTH else alert.rule,
              alert.timestamp + alert.decided_after)
        for alert in told
        if alert.state is AlertState.STARTED
    ]  # fmt: skip


def alerts_of(
    story: Story, room: Room, seed: int, fps: float = 10.0, *, share: float = 1.0
) -> list[Alert]:
    """All that is told of `story`, the ends, too; `share`: see `Seer`."""
    rng = np.random.default_rng(seed)
    seer = Seer(rng, share)
    tables = [dict(rule) for rule in (story.rule, *story.more)]
    rules = TypeAdapter(tuple[RuleConfig, ...]).validate_python(tables, strict=False)
    camera = CameraConfig.model_validate(
        {
            "name": "room",
            "source": "scene:atm",
            "zones": [{"name": "machine", "polygon": [list(point) for point in MACHINE]}],
            "lines": [{"name": "door", "points": [list(point) for point in DOOR]}],
        }
    )
    model = ModelSettings(Path("truth.tflite"), labels=_LABELS)
    faces = Faces(seer, story.covered)
    pipeline = wiring.pipeline(camera, rules, model, seer, faces=faces)
    told: list[Alert] = []
    frames, _ = story.lens(_pictures(story, room, seer, fps))
    for number, (now, image) in enumerate(frames):
        told += pipeline.step(Frame(image, now, story.wall + now, number)).alerts
    return told


def _pictures(story: Story, room: Room, seer: Seer, fps: float) -> Iterator[tuple[float, Image]]:
    """The frames; tells `seer` who is in each."""
    shape = room.picture.shape
    noises = [seer.rng.normal(0, _SIGMA, shape).astype(np.int8) for _ in range(_NOISES)]
    phase, swing = seer.rng.uniform(0, 6), seer.rng.uniform(0.0, 0.05)
    bags = [(bag, _with_bag(room.picture, bag)) for bag in story.bags]
    for number in range(round(story.seconds * fps)):
        now = number / fps
        stands = [picture for bag, picture in bags if bag.start <= now < bag.end]
        furnished = stands[0] if stands else None
        image, bodies = room.paint(now, story.walkers, furnished, story.props)
        seer.bodies, seer.now = bodies, now
        gain = 1 + swing * np.sin(phase + now / 4)
        levels = image * np.float32(gain) + noises[int(seer.rng.integers(_NOISES))]
        yield now, np.clip(levels, 0, 255).astype(np.uint8)


def _with_bag(picture: Image, bag: Bag) -> Image:
    drawn = draw_bag(picture, bag.box, bag.colour)
    if bag.hidden:
        width = picture.shape[1]
        seen = bag.box[0] + (1 - bag.hidden) * (bag.box[2] - bag.box[0])
        drawn[:, round(seen * width) :] = picture[:, round(seen * width) :]
    return drawn
