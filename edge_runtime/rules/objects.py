"""Object left and object removed: something still that was not there before, or is missing.

Where something has changed and keeps still says `analysis.still_objects`. Here it is asked whose
it is: a thing belongs to who was beside it when it was put down, and is attended while its owner
is near. Who only passes by afterwards does not attend to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import hypot

from edge_runtime.analysis.stature import Stature
from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Place, Watch
from edge_runtime.scene import Change, Scene, StillObject
from edge_runtime.tracks import Box, Track, TrackState

LEFT, REMOVED = "object-left", "object-removed"
_CHANGES = {LEFT: Change.APPEARED, REMOVED: Change.VANISHED}

TIMING = Timing(seconds=10.0, grace=2.0)


_PAST_SECONDS = 12.0
"""For so long it is remembered who was where."""
_WINDOWS = (-0.75, 0.75), (-4.0, 2.0)
"""Seconds from when a thing came into view, within which its owner was beside it; and, where nobody
was, within which somebody was."""
_SAMPLE_SECONDS = 0.2
_FAR = 3.0
"""Somebody who was not there counts as so many heights away."""
_SHOULDER = 0.2
"""How far down a person's shoulders are, in heights."""
_TALLEST, _WIDEST = 0.8, 1.2
"""What people carry is less high and not much wider than this part of their height; what is larger
is a car, a door, or somebody whom the detector misses."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """Who was where."""

    at: float
    people: tuple[Track, ...]


@dataclass(slots=True)
class _Owner:
    """Whom a thing belongs to: a track, seen near it last at `at`."""

    track: int
    at: float
    near: bool = True


class _Owners:
    """Whose things are, and which of them are attended to."""

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._past: deque[_Moment] = deque()
        self._stature = Stature()
        self._owners: dict[int, _Owner] = {}

    def remember(self, people: tuple[Track, ...], now: float) -> None:
        """Who is where at `now`."""
        if not self._past or now - self._past[-1].at >= _SAMPLE_SECONDS:
            self._past.append(_Moment(now, people))
            self._stature.learn(people)
        while now - self._past[0].at > _PAST_SECONDS:
            self._past.popleft()

    def abandoned(self, thing: StillObject, people: tuple[Track, ...], scene: Scene) -> bool:
        """Whether `thing` has an owner, who is away; is asked once a scene."""
        owner = self._owners.get(thing.id)
        if owner is None:
            owner = self._owner(thing, scene)
            if owner is None:
                return False
            self._owners[thing.id] = owner
        here = {person.id: person for person in people}
        if owner.near and owner.track not in here:
            # The track broke off beside the thing: it goes on by a number that is as new.
            heirs = (p for p in people if p.first_seen >= owner.at - 0.5)
            heir = min(heirs, key=lambda p: self._apart(p, thing, scene), default=None)
            if heir is not None and self._apart(heir, thing, scene) <= self._reach:
                owner.track = heir.id
            elif thing.company:
                return False
        person = here.get(owner.track)
        owner.near = person is not None and self._apart(person, thing, scene) <= self._reach
        if person is not None:
            owner.at = person.last_seen
        return not owner.near and self._is_carried(thing, scene)

    def forget_all_but(self, things: Iterable[StillObject]) -> None:
        """What is gone will not be asked about again."""
        live = {thing.id for thing in things}
        self._owners = {thing: o for thing, o in self._owners.items() if thing in live}

    def _owner(self, thing: StillObject, scene: Scene) -> _Owner | None:
        """Who was beside `thing` when it came into view; None: nobody has been near.

        Who stood there, not who passed at that moment: the nearest on average.
        """
        for begin, end in _WINDOWS:
            moments = [m for m in self._past
                       if thing.since + begin <= m.at <= thing.since + end]  # fmt: skip
            apart: dict[int, list[float]] = {}
            for moment in moments:
                for person in moment.people:
                    far = min(self._apart(person, thing, scene), _FAR)
                    apart.setdefault(person.id, []).append(far)
            beside = {track: sum(far) + _FAR * (len(moments) - len(far))
                      for track, far in apart.items() if min(far) <= self._reach}  # fmt: skip
            if beside:
                nearest = min(beside, key=lambda track: beside[track])
                seen = [p.last_seen for m in moments for p in m.people if p.id == nearest]
                return _Owner(nearest, seen[-1])
        return None

    def _is_carried(self, thing: StillObject, scene: Scene) -> bool:
        """Whether `thing` is not too large to be carried or pushed by people."""
        x1, y1, x2, y2 = thing.box
        tall = self._stature.at(y2)
        return y2 - y1 <= _TALLEST * tall and (x2 - x1) * scene.aspect <= _WIDEST * tall

    def _apart(self, person: Track, thing: StillObject, scene: Scene) -> float:
        return _heights_apart(person.box, thing.box, scene.aspect)


def objects(watch: Watch, kind: str, timing: Timing = TIMING, *, reach: float = 1.0) -> Incidents:
    """The rule, for one camera.

    Args:
        watch: its classes are those to whom things belong; its zone is where things are looked
            for.
        kind: `LEFT` or `REMOVED`.
        timing: how long a thing has to be there (or be missing) without its owner.
        reach: how far the owner may be from it, in the owner's heights.
    """
    owners = _Owners(reach)

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        things = [thing for thing in scene.still if _counts(watch, kind, thing)]
        people = (
            *(t for t in scene.tracks if t.label in watch.labels and _is_there(t)),
            *scene.passers,
        )
        owners.remember(people, scene.timestamp)
        found: dict[Hashable, Claim] = {}
        for thing in things:
            if owners.abandoned(thing, people, scene):
                found[thing.id] = Claim((thing.box,), thing.sure, believed=not thing.hidden)
        owners.forget_all_but(things)
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
    What is above the shoulders is out of reach.
    """
    height = max(person[3] - person[1], 1e-6)
    if thing[3] < person[1] + _SHOULDER * height:
        return _FAR
    across = max(thing[0] - person[2], person[0] - thing[2], 0.0) * aspect
    down = max(thing[1] - person[3], 0.0)
    return hypot(across, down) / height
