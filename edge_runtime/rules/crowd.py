"""Crowd: at least so many objects are in a zone at the same time. Two at one ATM are the same.

It does not matter who they are: who leaves may be replaced by who comes. An alert `updated`
follows whenever there are more than ever in this incident.
"""

from __future__ import annotations

from collections.abc import Hashable

from edge_runtime.rules.bodies import distinct
from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene

KIND = "crowd"
SECOND_PERSON = "second-person"

TIMING = Timing(seconds=5.0, grace=1.5)


def crowd(watch: Watch, count: int, timing: Timing = TIMING, *, kind: str = KIND) -> Incidents:
    """The rule, for one camera: `count` objects, at least 1; ValueError for fewer."""
    if count < 1:
        raise ValueError(f"rule {watch.name!r} asks for {count} objects; at least 1 is needed")

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        here = distinct(watch.seen(scene))
        return {kind: Claim.of(*here)} if len(here) >= count else {}

    return Incidents(kind, watch, timing, claims, together=True)
