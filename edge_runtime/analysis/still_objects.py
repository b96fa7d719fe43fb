"""Still objects: what keeps still and was not there before, and what is missing.

Two pictures of the scene are kept, one that changes within a second and one that remembers the
empty scene (after Porikli, Ivanov and Haga, "Robust Abandoned Object Detection Using Dual
Foregrounds", 2008): what agrees with the first and not with the second has changed and keeps still.
Whether something came or went is told by its outline, as usual in the literature (e.g. Tian et al.,
"Robust detection of abandoned and removed objects in complex surveillance videos", 2011): who came
has its edges in the picture of now, what went had them in the picture of before. What is only the
light (`lighting`) is learned as soon as it has been the light for some seconds, before it can
change its shape and be taken for something else.

Whoever is tracked is left out: behind a person nothing is learned, and nothing is decided.
Who is no longer found by the detector but still stands there is taken for the same person.

The work is done a few times a second, on a small picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edge_runtime.analysis.blobs import Blob, PixelBox, blobs, overlap, part_of
from edge_runtime.analysis.bystanders import Bystanders
from edge_runtime.analysis.displacement import is_displaced
from edge_runtime.analysis.empty_scene import EmptyScene, shrunk
from edge_runtime.analysis.outlines import Judgement, Picture, Verdict, judge
from edge_runtime.analysis.passers import Passers
from edge_runtime.analysis.planes import Mask, grown
from edge_runtime.analysis.thing import AROUND, GAP, STILL_SECONDS, Look, Thing, is_part
from edge_runtime.frame import Frame
from edge_runtime.scene import Change, StillObject
from edge_runtime.tracks import Track

_INTERVAL = 0.25
"""Seconds between two looks."""
_LONGEST_STEP = 2.0
"""After a gap in the frames nobody knows what kept still meanwhile."""
_NEW_LIGHT, _SETTLED_SECONDS, _SETTLED = 0.4, 1.0, 0.8
"""From this part of the picture on, a change is one of the light or of the camera; it is learned
when so much of the picture has been still for so long."""
_GONE_SECONDS, _GONE = 1.5, 0.2
"""After so long it is not there any more; if no more of its place than this has changed, it is as
empty as before."""
_MOVED_SECONDS, _SHIFT = 20.0, 1.5
"""For so long it is looked whether a thing was only moved, and by how much, by its size."""
_RESTLESS = 0.2
"""A piece waits while so much of what is around it has changed, but does not keep still yet."""
_LONGEST_BEFORE = 60.0
"""Seconds before it was found since which a thing may have been there."""
_LOOKS = 3
"""At so many looks in a row the same has to be said of what is believed to be a thing."""
_PATIENCE = {Verdict.LIGHT: 8, Verdict.UNCLEAR: 12}
"""After so many looks in a row at which it was only the light, or could not be told, it belongs to
the scene."""
_CHANGES = {Verdict.APPEARED: Change.APPEARED, Verdict.VANISHED: Change.VANISHED}


@dataclass(frozen=True, slots=True)
class StillSettings:
    """What is looked for.

    Attributes:
        level: by how many levels of its most different colour an object differs from what is
            behind it, 1..255.
        smallest: the part of the picture that it covers at least, above 0.
        largest: the part of the picture that it covers at most, up to 1.
        memory: seconds after which what has changed belongs to the scene.
    """

    level: int = 12
    smallest: float = 0.0006
    largest: float = 0.08
    memory: float = 1800.0

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 255:
            raise ValueError(f"level is in 1..255, not {self.level}")
        if not 0 < self.smallest < self.largest <= 1:
            raise ValueError("smallest and largest are fractions, the smaller one first")


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What was said of a blob that is not believed yet, and at how many looks in a row."""

    box: PixelBox
    verdict: Verdict
    looks: int


class StillObjects:
    """Watches one camera."""

    def __init__(self, settings: StillSettings | None = None) -> None:
        self._settings = settings or StillSettings()
        self._watch: _Watch | None = None
        self._looked = float("-inf")
        self._last_id = 0
        self._told: tuple[StillObject, ...] = ()

    @property
    def passers(self) -> tuple[Track, ...]:
        """Who passes through undetected, after the latest frame; see `Scene`."""
        return self._watch.passers if self._watch else ()

    def step(self, frame: Frame, tracks: Iterable[Track]) -> tuple[StillObject, ...]:
        """What is there by now; frames come in the order of their timestamps."""
        now = frame.timestamp
        if now - self._looked < _INTERVAL - 1e-3:
            return self._told
        elapsed, self._looked = min(now - self._looked, _LONGEST_STEP), now
        picture = shrunk(frame.image)
        if self._watch is None or self._watch.shape != picture.grey.shape:
            aspect = frame.width / frame.height
            self._watch = _Watch(self._settings, picture, aspect, self._last_id)
            elapsed = 0.0
        self._told = self._watch.look(picture, tuple(tracks), now, elapsed)
        self._last_id = self._watch.last_id
        return self._told


class _Watch:
    """Watches pictures of one size."""

    def __init__(
        self, settings: StillSettings, picture: Picture, aspect: float, last_id: int
    ) -> None:
        height, width = picture.grey.shape
        self.shape = height, width
        self.last_id = last_id
        self._settings = settings
        self._scene = EmptyScene(picture)
        self._people = Bystanders(self.shape, aspect)
        self._passing = Passers(self.shape, aspect)
        self.passers: tuple[Track, ...] = ()
        self._things: list[Thing] = []
        self._doubts: list[_Doubt] = []

    def look(
        self, picture: Picture, tracks: tuple[Track, ...], now: float, elapsed: float
    ) -> tuple[StillObject, ...]:
        """One look, `elapsed` seconds after the last: compare, decide, learn."""
        scene, found = self._scene, self._found()
        people = self._people.where(tracks)
        scene.watch(picture, people, elapsed)
        free = scene.known & ~people
        away = scene.compare(picture, free, elapsed) > self._settings.level
        self.passers = self._passing.step(away & free & ~found, scene.still, tracks, now)
        self._people.step((*tracks, *self.passers), now)
        people |= self._people.where(self.passers)
        free &= ~people
        look = Look(now, picture, people, away & free)
        self._people.forget_those_gone(free & ~found, away)
        if np.count_nonzero(look.changed) > _NEW_LIGHT * np.count_nonzero(free):
            self._new_light(picture, free & ~found)
        else:
            kept = found | self._people.lost() | self._judge(look, found)
            scene.learn(picture, away, ~people & ~kept, elapsed)
            self._end(look)
        return tuple(self._told(thing) for thing in self._things)

    def _found(self) -> Mask:
        """The pixels of all things."""
        found = np.zeros(self.shape, np.bool_)
        for thing in self._things:
            found |= thing.around
        return found

    def _judge(self, look: Look, found: Mask) -> Mask:
        """Decide of what is new; return the pixels that must not be learned for all that."""
        kept = np.zeros(self.shape, np.bool_)
        least, most = self._settings.smallest * kept.size, self._settings.largest * kept.size
        new = look.changed & ~found
        still = new & (self._scene.still >= STILL_SECONDS)
        restless = new & ~still
        doubts: list[_Doubt] = []
        for blob in blobs(still, least, most):
            if self._people.is_one(blob.box):
                kept[blob.where] = True
            elif _grows(blob, restless):
                kept[blob.where] |= blob.mask
            elif doubt := self._doubt(look, blob):
                doubts.append(doubt)
                if self._people.is_beside(blob.box):
                    kept[blob.where] = True
        self._doubts = doubts
        return kept

    def _doubt(self, look: Look, blob: Blob) -> _Doubt | None:
        """What is said of `blob` so far; None where it has been decided, or cannot be."""
        scene = self._scene
        since = look.now - float(np.median(scene.still[blob.where][blob.mask]))
        shadow = self._people.casts(blob.box)
        judgement = judge(
            look.picture,
            scene.picture,
            blob.box,
            blob.mask,
            noise=scene.noise,
            visited=self._people.was_beside(blob, since) and not shadow,
        )
        verdict = judgement.verdict
        if shadow and verdict is Verdict.LIGHT:
            # As long as it may be a person's shadow, nothing is counted.
            return _Doubt(blob.box, verdict, 0)
        if verdict in _CHANGES and not blob.is_compact():
            return None
        before = (
            d.looks for d in self._doubts if d.verdict is verdict and overlap(d.box, blob.box)
        )
        looks = 1 + max(before, default=0)
        if verdict in _CHANGES and looks >= _LOOKS:
            self._begin(look, judgement, blob, max(since, look.now - _LONGEST_BEFORE))
            return None
        patience = _PATIENCE.get(verdict, looks + 1)
        if looks >= patience and not self._people.is_beside(blob.box):
            scene.accept(look.picture, grown(blob.spread(self.shape), AROUND) & ~look.people)
            return None
        return _Doubt(blob.box, verdict, looks)

    def _begin(self, look: Look, judgement: Judgement, blob: Blob, since: float) -> None:
        """A thing is there; or more of one that was hidden in part, or one was only moved."""
        change = _CHANGES[judgement.verdict]
        mask = blob.spread(self.shape)
        looks = look.picture.colours[blob.where].astype(np.float32)
        ground = self._scene.picture.colours[blob.where].copy()
        new = Thing(self.last_id + 1, change, mask, since, look.now, judgement.sure, looks, ground)
        if whole := next((t for t in self._things if is_part(new, t)), None):
            whole.add(new, look.picture, self._scene)
        else:
            self.last_id = new.id
            self._things.append(new)

    def _end(self, look: Look) -> None:
        """Forget the things that are there no more, or for so long that they belong there."""
        left: list[Thing] = []
        for thing in self._things:
            thing.look(look, self._scene)
            if look.now - thing.since <= _MOVED_SECONDS and self._is_displaced(thing, look):
                self._scene.accept(look.picture, thing.around & ~look.people)
            elif look.now - thing.since > self._settings.memory:
                self._scene.known[part_of(thing.box)] = False
            elif look.now - thing.last <= _GONE_SECONDS:
                left.append(thing)
            elif np.count_nonzero(look.changed & thing.mask) <= _GONE * thing.area:
                # What has been learned of it and of its shadow has gone, too.
                self._scene.accept(look.picture, grown(thing.mask, 2 * AROUND) & ~look.people)
        self._things = left

    def _is_displaced(self, thing: Thing, look: Look) -> bool:
        """Whether it was only moved; what moves with somebody's steps is that person's shadow."""
        if thing.hidden or self._people.is_beside(thing.box):
            return False
        shows, other = look.picture.colours, self._scene.picture.colours
        if thing.change is Change.VANISHED:
            shows, other = other, shows
        x1, y1, x2, y2 = thing.box
        reach = max(round(_SHIFT * max(x2 - x1, y2 - y1)), GAP)
        return is_displaced(shows, other, thing.box, thing.mask[part_of(thing.box)], reach)

    def _new_light(self, picture: Picture, free: Mask) -> None:
        """So much has changed that it is the light, or the camera: learn the scene anew."""
        if free.any() and np.mean(self._scene.still[free] >= _SETTLED_SECONDS) >= _SETTLED:
            self._scene.renew(picture, free)

    def _told(self, thing: Thing) -> StillObject:
        height, width = self.shape
        x1, y1, x2, y2 = thing.box
        return StillObject(
            thing.id,
            thing.change,
            (x1 / width, y1 / height, x2 / width, y2 / height),
            thing.since,
            thing.sure,
            company=self._people.stays_beside(thing.mask),
            hidden=thing.hidden,
        )


def _grows(blob: Blob, restless: Mask) -> bool:
    """Whether it is a piece of something of which more has come to rest only now."""
    x1, y1, x2, y2 = blob.box
    height, width = restless.shape
    box = (
        max(x1 - AROUND, 0),
        max(y1 - AROUND, 0),
        min(x2 + AROUND, width),
        min(y2 + AROUND, height),
    )
    own = np.zeros((box[3] - box[1], box[2] - box[0]), np.bool_)
    own[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = blob.mask
    ring = grown(own, AROUND) & ~own
    return bool(
        np.count_nonzero(ring & restless[part_of(box)]) > _RESTLESS * np.count_nonzero(ring)
    )
