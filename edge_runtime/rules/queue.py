"""Queue: at least so many have waited in a zone, each of them for so long.

Who only walks through the zone is not in the queue, however many they are.
"""

from __future__ import annotations

from collections.abc import Hashable

from edge_runtime.rules.bodies import distinct
from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

KIND = "queue"

TIMING = Timing(seconds=20.0, grace=2.0)


def queue(watch: Watch, count: int, timing: Timing = TIMING) -> Incidents:
    """The rule, for one camera: `count` objects, at least 1; ValueError for fewer.

    `timing.seconds` is how long each has to have waited, and `timing.grace` how long one may be
    out of sight and is still waiting.
    """
    if count < 1:
        raise ValueError(f"rule {watch.name!r} asks for {count} objects; at least 1 is needed")
    since: dict[int, float] = {}
    last: dict[int, float] = {}

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        now = scene.timestamp
        here = list(watch.seen(scene))
        for track in here:
            since.setdefault(track.id, now)
            last[track.id] = now
        for track_id in [t for t, at in last.items() if now - at > timing.grace]:
            del since[track_id], last[track_id]
        waited = distinct(t for t in here if now - since[t.id] >= timing.seconds)
        return {KIND: Claim.of(*waited)} if len(waited) >= count else {}

    # The waiting is counted above, for each by itself.
    return Incidents(KIND, watch, Timing(0.0, timing.grace), claims, together=True)
