"""Line crossing: an object comes over a line. Wrong way: it does so against the permitted way."""

from __future__ import annotations

from edge_runtime.analysis.lines import Line
from edge_runtime.rules.crossings import Crossings, Ways
from edge_runtime.rules.incidents import Claim
from edge_runtime.rules.moments import Moments
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

KIND = "line-crossing"
WRONG_WAY = "wrong-way"


def line_crossing(watch: Watch, line: Line, ways: Ways, *, kind: str = KIND) -> Moments:
    """The rule, for one camera: tells of every crossing of `line` in one of `ways`."""
    crossings = Crossings(line, watch)

    def happenings(scene: Scene) -> list[Claim]:
        return [Claim.of(c.track) for c in crossings.step(scene) if ways.include(c.way)]

    return Moments(kind, watch, happenings)
