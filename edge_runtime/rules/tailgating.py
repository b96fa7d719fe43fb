"""Tailgating: a second person comes over a line closely behind the first, in the same direction."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.analysis.lines import Line, Way
from edge_runtime.rules.crossings import Crossings, Ways
from edge_runtime.rules.incidents import Claim
from edge_runtime.rules.moments import Moments
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

KIND = "tailgating"


def tailgating(watch: Watch, line: Line, ways: Ways, seconds: float) -> Moments:
    """The rule, for one camera: two cross `line` within `seconds`, which is not negative."""
    watch.check_durations(seconds)
    crossings = Crossings(line, watch)
    latest: dict[Way, tuple[float, int]] = {}

    def happenings(scene: Scene) -> list[Claim]:
        told = []
        for crossing in crossings.step(scene):
            track = crossing.track
            if not ways.include(crossing.way):
                continue
            at, who = latest.get(crossing.way, (float("-inf"), track.id))
            if who != track.id and scene.timestamp - at <= seconds:
                told.append(replace(Claim.of(track), since=at))
            latest[crossing.way] = scene.timestamp, track.id
        return told

    return Moments(KIND, watch, happenings)
