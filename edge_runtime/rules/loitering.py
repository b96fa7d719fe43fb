"""Loitering: one person stays in a zone for long.

Each person has a time of their own; it goes on through a short walk out of the zone, and through a
gap in the tracking: who appears where somebody has just been lost is taken for the same person.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from edge_runtime.rules.bodies import distinct, same_body
from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Scene
from edge_runtime.tracks import Box, Track

KIND = "loitering"

TIMING = Timing(seconds=60.0, grace=3.0)


@dataclass(slots=True)
class _Person:
    """Who has been in the zone: `subject` is the first of their tracks."""

    subject: int
    track: int
    box: Box
    last: float


class _People:
    """Which person of the zone a track is, across tracks that broke off."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._people: dict[int, _Person] = {}

    def subjects(self, here: Iterable[Track], scene: Scene) -> dict[int, Track]:
        """The tracks that are `here`, by the number under which their person is known."""
        now = scene.timestamp
        self._people = {s: p for s, p in self._people.items() if now - p.last <= self._grace}
        here = distinct(here)
        seen, live = ({track.id for track in tracks} for tracks in (here, scene.tracks))
        by_track = {person.track: person for person in self._people.values()}
        named = {}
        for track in here:
            person = by_track.get(track.id) or self._heir(track, seen, live)
            if person is None:
                person = self._people[track.id] = _Person(track.id, track.id, track.box, now)
            person.track, person.box, person.last = track.id, track.box, now
            named[person.subject] = track
        return named

    def _heir(self, track: Track, seen: set[int], live: set[int]) -> _Person | None:
        """The person whose track ended where `track` has begun, the latest seen of several.

        Of two boxes on one body the second may be the one that stays.
        """
        lost = [
            person
            for person in self._people.values()
            if person.track not in seen
            and (
                same_body(person.box, track.box)
                or (
                    person.track not in live
                    and track.first_seen >= person.last
                    and _near(person.box, track.box)
                )
            )
        ]
        return max(lost, key=lambda person: person.last, default=None)


def _near(a: Box, b: Box) -> bool:
    """Whether two boxes meet: a person does not jump further than that."""
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def loitering(watch: Watch, timing: Timing = TIMING) -> Incidents:
    """The rule, for one camera."""
    people = _People(timing.grace)

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        # A lost track is where it was foretold to be: it is bridged by the grace, not believed.
        named = people.subjects(watch.seen(scene), scene)
        return {subject: Claim.of(track) for subject, track in named.items()}

    return Incidents(KIND, watch, timing, claims, together=False)
