"""What camera health tells, how sure of it it is, and how often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_runtime.alerts.alert import Alert, AlertState
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.analysis.glance import Glancer
from edge_runtime.rules.camera_health import CameraHealth, HealthSettings

FPS = 10
STARTED, ENDED = AlertState.STARTED, AlertState.ENDED
Levels = Callable[[float], float]
"""How bright the whole picture is at a time, in grey levels."""


def told(levels: Levels, seconds: float, **settings: float) -> list[tuple[float, Alert]]:
    """What is told, and when, of a grey camera with a little noise."""
    health, glancer = CameraHealth(HealthSettings("cam", **settings)), Glancer()
    rng = np.random.default_rng(1)
    said = []
    for number in range(round(seconds * FPS)):
        now = number / FPS
        image = np.clip(rng.normal(levels(now), 2, (72, 128, 3)), 0, 255).astype(np.uint8)
        said += [(now, alert) for alert in health.step(glancer(image), now, now)]
    return said


def loose(now: float) -> float:
    """Dark for four of every eight seconds, from the fourth on."""
    return 5 if now % 8 >= 4 else 120


def test_a_condition_that_flickers_is_told_at_once_and_then_rests_for_its_cooldown() -> None:
    often = told(loose, 40)
    starts = [now for now, alert in often if alert.state is STARTED]
    assert len(starts) == 5
    once = told(loose, 40, cooldown=60)
    assert [alert.state for _, alert in once] == [STARTED, ENDED]
    assert once[0] == often[0]


def test_what_is_still_wrong_after_the_cooldown_is_told_of_the_time_at_which_it_began() -> None:
    said = told(lambda now: 5 if 4 <= now < 8 or now >= 10 else 120, 40, cooldown=20)
    (_, first), (ended, _), (again, second) = said
    assert (first.timestamp, first.state) == (4, STARTED)
    assert second.state is STARTED
    assert second.timestamp == pytest.approx(10, abs=0.2)
    assert again == pytest.approx(ended + 20, abs=0.2)
    assert second.decided_after == pytest.approx(again - second.timestamp)
    assert second.incident != first.incident


def test_the_cooldown_of_one_condition_keeps_no_other_one_silent() -> None:
    said = told(lambda now: 5 if 4 <= now < 8 else 255 if now >= 10 else 120, 20, cooldown=60)
    assert [(alert.name, alert.state) for _, alert in said] == [
        (Condition.DARK, STARTED),
        (Condition.DARK, ENDED),
        (Condition.BRIGHT, STARTED),
    ]


def test_what_is_wrong_during_a_cooldown_is_present_all_the_same() -> None:
    health, glancer = CameraHealth(HealthSettings("cam", cooldown=60)), Glancer()
    present = []
    for number in range(160):
        now = number / FPS
        image = np.full((72, 128, 3), round(loose(now)), np.uint8)
        health.step(glancer(image), now, now)
        present.append(Condition.DARK in health.present)
    assert present[75], "dark for the first time, and told"
    assert not present[110]
    assert present[155], "dark again, and not told"


def test_it_is_the_surer_the_further_beyond_its_limit_something_is() -> None:
    def score(level: float) -> float:
        ((_, alert),) = told(lambda now: level if now >= 4 else 120, 12)
        assert (alert.name, alert.state) == (Condition.DARK, STARTED)
        assert alert.score is not None
        return alert.score

    just, half, wholly = score(24), score(12), score(0)
    assert 0.5 < just < 0.56
    assert 0.7 < half < 0.8
    assert wholly > 0.95


def test_the_end_of_an_incident_says_how_sure_it_was_at_best() -> None:
    def levels(now: float) -> float:
        return 120 if now < 4 or now >= 14 else 20 if now < 8 else 2

    started, ended = (alert for _, alert in told(levels, 20))
    assert (started.state, ended.state) == (STARTED, ENDED)
    assert started.score == pytest.approx(0.6, abs=0.05)
    assert ended.score == pytest.approx(0.95, abs=0.05)


def test_that_nothing_comes_is_certain() -> None:
    health, glancer = CameraHealth(HealthSettings("cam")), Glancer()
    health.step(glancer(np.full((72, 128, 3), 120, np.uint8)), 0.0, 0.0)
    (alert,) = health.idle(6.0, 6.0)
    assert (alert.name, alert.score) == (Condition.NO_FRAMES, 1.0)


def test_a_stream_that_stutters_is_told_once_in_a_cooldown() -> None:
    health, glancer = CameraHealth(HealthSettings("cam", cooldown=60)), Glancer()
    glance = glancer(np.full((72, 128, 3), 120, np.uint8))
    alerts = [alert for n in range(8) for alert in health.step(glance, 5.0 * n, 5.0 * n)]
    assert [a.state for a in alerts if a.name == Condition.NO_FRAMES] == [STARTED, ENDED]


def test_a_gap_in_which_frames_came_that_nobody_looked_at_is_not_the_cameras_silence() -> None:
    health, glancer = CameraHealth(HealthSettings("cam")), Glancer()
    glance = glancer(np.full((72, 128, 3), 120, np.uint8))
    health.step(glance, 0.0, 0.0)
    assert health.step(glance, 6.0, 6.0, dropped=True) == []
    assert health.idle(9.9, 9.9) == []
    (silent,) = health.idle(10.0, 10.0)  # the silence after it counts from the frame that was seen
    assert (silent.name, silent.timestamp) == (Condition.NO_FRAMES, 6.0)


def test_a_cooldown_is_not_negative() -> None:
    with pytest.raises(ValueError, match="cooldown is 0 seconds or more, not -1"):
        HealthSettings("cam", cooldown=-1)
