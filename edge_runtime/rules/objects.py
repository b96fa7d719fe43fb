"""Object left and object removed: something still that was not there before, or is missing.

Where something has changed and keeps still says `analysis.still_objects`. Here it is asked whose
it is: a thing belongs to who was beside it when it was put down, and is attended while its owner
is near. Who only passes by afterwards does not attend to it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import hypot

from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Place, Watch
from edge_runtime.scene import Change, Scene, StillObject
from edge_runtime.tracks import Box, Track, TrackState

LEFT, REMOVED = "object-left", "object-removed"
_CHANGES = {LEFT: Change.APPEARED, REMOVED: Change.VANISHED}

TIMING = Timing(seconds=10.0, grace=2.0)


@dataclass(slots=True)
class _Owner:
    """Whom a thing belongs to: a track, or nobody whom anybody saw."""

    track: int | None = None
    near: bool = False


class _Attention:
    """Which things are attended to."""

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._owners: dict[int, _Owner] = {}

    def attended(self, thing: StillObject, people: Iterable[Track], scene: Scene) -> bool:
        """Whether the owner of `thing` is near it; is asked once a scene."""
        distances = {p.id: _heights_apart(p.box, thing.box, scene.aspect) for p in people}
        closest = min(distances, key=distances.__getitem__, default=None)
        beside = closest if closest is not None and distances[closest] <= self._reach else None
        owner = self._owners.get(thing.id)
        if owner is None or (owner.near and owner.track not in distances):
            # Just found; or the owner's track broke off beside it, and goes on by another number.
            owner = self._owners[thing.id] = _Owner(beside)
        owner.near = owner.track in distances and distances[owner.track] <= self._reach
        return owner.near

    def forget_all_but(self, things: Iterable[StillObject]) -> None:
        """What is gone will not be asked about again."""
        live = {thing.id for thing in things}
        self._owners = {thing: o for thing, o in self._owners.items() if thing in live}


def objects(watch: Watch, kind: str, timing: Timing = TIMING, *, reach: float = 1.0) -> Incidents:
    """The rule, for one camera.

    Args:
        watch: its classes are those to whom things belong; its zone is where things are looked
            for.
        kind: `LEFT` or `REMOVED`.
        timing: how long a thing has to be there (or be missing) without its owner.
        reach: how far the owner may be from it, in the owner's heights.
    """
    attention = _Attention(reach)

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        things = [thing for thing in scene.still if _counts(watch, kind, thing)]
        people = [t for t in scene.tracks if t.label in watch.labels and _is_there(t)]
        found: dict[Hashable, Claim] = {}
        for thing in things:
            if not attention.attended(thing, people, scene):
                found[thing.id] = Claim((thing.box,), thing.sure)
        attention.forget_all_but(things)
        return found

    return Incidents(kind, watch, timing, claims, together=False)


def _counts(watch: Watch, kind: str, thing: StillObject) -> bool:
    if thing.change is not _CHANGES[kind]:
        return False
    if watch.zone is None:
        return True
    x1, _, x2, y2 = thing.box
    if watch.place is Place.FEET:
        return watch.zone.contains(((x1 + x2) / 2, y2))
    return watch.zone.share(thing.box) >= 0.5


def _is_there(track: Track) -> bool:
    return track.state is not TrackState.TENTATIVE


def _heights_apart(person: Box, thing: Box, aspect: float) -> float:
    """How far `thing` is from the feet of `person`, between the nearer ends of both boxes.

    Counted in the person's heights, as far as one may measure on a floor that is seen askew.
    """
    height = max(person[3] - person[1], 1e-6)
    across = max(thing[0] - person[2], person[0] - thing[2], 0.0) * aspect
    down = max(thing[1] - person[3], person[3] - thing[3] - height, 0.0)
    return hypot(across, down) / height
