"""All rules at once over the real clip with the real detector: what follows from who is in view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.config import Config, load
from edge_runtime.frame import Frame
from edge_runtime.inference.model import load_detector
from edge_runtime.service import models, wiring
from tests.daemon import Daemon, camera
from tests.scenes.people import clip_room
from tests.scenes.sources import clip as frames_of
from tests.scenes.stories import visits
from tests.scenes.things import bag, removed
from tests.scenes.truth import Frames
from tests.segments import FPS, TOLERANCE, VISITS, assert_are_the_visits

NIGHT = datetime(2026, 11, 25, 23, 0, tzinfo=UTC).timestamp()
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()
LONG = 15.0
RULES = f"""
[[cameras.lines]]
name = "across"
points = [[0.0, 0.45], [1.0, 0.45]]
[[rules]]
kind = "intrusion"
[rules.schedule]
from = "08:00"
to = "18:00"
outside = true
[[rules]]
kind = "loitering"
seconds = {LONG}
[[rules]]
kind = "second-person"
[[rules]]
kind = "crowd"
count = 2
[[rules]]
kind = "queue"
count = 2
[[rules]]
kind = "tailgating"
line = "across"
[[rules]]
kind = "object-left"
[[rules]]
kind = "object-removed"
[[rules]]
kind = "person-down"
"""


def told(config: Config, frames: Frames, wall: float = NOON) -> list[Alert]:
    """All that is told of `frames`, begun at `wall`."""
    (settings,) = config.cameras
    with models.borrowed(config.model) as model:
        detector = load_detector(wiring.sought(model.settings, config.rules))
        pipeline = wiring.pipeline(settings, config.rules, model.settings, detector)
    alerts: list[Alert] = []
    for number, (now, image) in enumerate(frames):
        alerts += pipeline.step(Frame(image, now, wall + now, number)).alerts
    return alerts + pipeline.finish("camera ended")


def of(alerts: Sequence[Alert], rule: str) -> list[tuple[str, float]]:
    return [(str(a.state), a.timestamp) for a in alerts if a.rule == rule]


@pytest.mark.timeout(180)
def test_all_rules_tell_what_follows_from_who_is_in_view_and_nothing_else(
    clip: Path, detector: str, tmp_path: Path
) -> None:
    config = load(Daemon(tmp_path, [detector, camera("atm", clip), RULES]).config)
    alerts = told(config, frames_of(clip), NIGHT)
    assert_are_the_visits(of(alerts, "intrusion"))
    long = [(a, b) for a, b in VISITS if b - a >= LONG * FPS]
    assert len(long) == 3
    loitering = of(alerts, "loitering")
    assert [state for state, _ in loitering] == ["started", "ended"] * len(long)
    expected = [frame / FPS for visit in long for frame in visit]
    for (_, moment), at in zip(loitering, expected, strict=True):
        assert moment == pytest.approx(at, abs=TOLERANCE)
    for alert in alerts:
        if alert.rule == "loitering" and alert.state is AlertState.STARTED:
            assert alert.decided_after == pytest.approx(LONG, abs=0.2)
    assert {alert.rule for alert in alerts} == {"intrusion", "loitering"}


def test_at_noon_nobody_intrudes(clip: Path, detector: str, tmp_path: Path) -> None:
    config = load(Daemon(tmp_path, [detector, camera("atm", clip), RULES]).config)
    assert told(config, frames_of(clip, 0.0, 20.0)) == []


@pytest.mark.parametrize("joined", [True, False], ids=["joined", "alone"])
def test_a_second_person_beside_the_customer_is_told(
    clip: Path, detector: str, tmp_path: Path, joined: bool
) -> None:
    """The other is cut out of another visit, and as high as one is who stands there."""
    room = clip_room(clip, (768, 432))
    other = (visits(3.0, 8.0, x=0.3, y=0.97, look=3),) if joined else ()
    frames = ((now, room.paint(now, other, image)[0]) for now, image in frames_of(clip, 24.0, 19.0))
    rule = '[[rules]]\nkind = "second-person"\n'
    config = load(Daemon(tmp_path, [detector, camera("atm", clip), rule]).config)
    alerts = told(config, frames)
    assert [str(alert.state) for alert in alerts] == (["started", "ended"] if joined else [])
    if joined:
        begun = alerts[0].timestamp + alerts[0].decided_after
        assert other[0].marks[0].at < begun < other[0].marks[1].at + 3.0


@pytest.mark.parametrize("kind", ["object-left", "object-removed"])
def test_a_bag_beside_the_first_visitor_is_told_when_the_visitor_has_gone(
    clip: Path, detector: str, tmp_path: Path, kind: str
) -> None:
    """The bag appears at the visitor's feet, or is missing, while the visitor stands there."""
    _, gone = (frame / FPS for frame in VISITS[0])
    at = 13.0
    change = bag if kind == "object-left" else removed
    frames, _ = change(at, 1e9, (0.24, 0.75, 0.34, 0.97))(frames_of(clip, 0.0, gone + 10.0))
    rules = '[[rules]]\nkind = "object-left"\nseconds = 5\n'
    rules += '[[rules]]\nkind = "object-removed"\nseconds = 5\n'
    config = load(Daemon(tmp_path, [detector, camera("atm", clip), rules]).config)
    begun = [a for a in told(config, frames) if a.state is AlertState.STARTED]
    assert [alert.rule for alert in begun] == [kind]
    assert gone - 3.0 < begun[0].timestamp < gone + 5.0
