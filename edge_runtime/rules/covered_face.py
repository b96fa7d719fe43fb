"""Covered face: somebody stands in a zone and shows no face.

Looks at heads come now and then (`Scene.faces`), not with every frame: what the latest one said
holds until the next, but not for longer than `_FRESH` seconds.
"""

from __future__ import annotations

from collections.abc import Hashable

from edge_runtime.rules.incidents import Claim, Incidents, Timing
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Face, Scene

KIND = "covered-face"

TIMING = Timing(seconds=5.0, grace=2.0)
_FRESH = 3.0
_UNSEEN = 0.5
"""How sure it is that a face is hidden which the face detector did not find: it may be turned."""


def hidden(face: Face, threshold: float, *, mask_allowed: bool) -> float | None:
    """How sure it is that `face` is hidden, 0..1; None where it is not.

    Args:
        face: the latest look.
        threshold: from which a classifier's word counts, 0..1.
        mask_allowed: whether it is enough that a face is found, be it partly covered.
    """
    covered = face.covered or 0.0
    if face.seen is False:
        return max(covered, _UNSEEN)
    if covered >= threshold and not mask_allowed:
        return covered
    return None


def covered_face(
    watch: Watch, threshold: float, timing: Timing = TIMING, *, mask_allowed: bool
) -> Incidents:
    """The rule, for one camera; see `hidden` for `threshold` and `mask_allowed`."""

    def claims(scene: Scene) -> dict[Hashable, Claim]:
        found: dict[Hashable, Claim] = {}
        for track in watch.seen(scene):
            face = scene.faces.get(track.id)
            if face is None or scene.timestamp - face.at > _FRESH:
                continue
            sure = hidden(face, threshold, mask_allowed=mask_allowed)
            if sure is not None:
                found[track.id] = Claim.of(track, score=sure)
        return found

    return Incidents(KIND, watch, timing, claims, together=False)
