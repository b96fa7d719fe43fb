"""Presence: an object of a class stays in a zone. Intrusion is the same by another name.

It has started when one object has been in the zone for `seconds`, and it is over when no such
object has been there for `grace`. Two who pass one after the other are not one who stays.
"""

from __future__ import annotations

from collections.abc import Hashable

from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

KIND = "presence"
INTRUSION = "intrusion"

TIMING = Timing(seconds=1.0, grace=0.7)


def presence(watch: Watch, timing: Timing = TIMING, *, kind: str = KIND) -> Incidents:
    """The rule, for one camera."""

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        return {track.id: Claim.of(track) for track in watch.seen(scene)}

    return Incidents(kind, watch, timing, claims, together=True)
