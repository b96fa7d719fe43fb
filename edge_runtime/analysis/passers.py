"""Who passes through the picture without being detected: what moves there as people do.

A piece of the picture that differs from the empty scene is followed as a detection is. It is
somebody once it has come by more than its own height from where it was seen first. What changes in
its place (a door, a screen, sunlight, leaves) never does, and what is wider than high (a car) is
nobody.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import numpy as np

from edge_runtime.analysis.blobs import Blob, blobs
from edge_runtime.analysis.planes import Mask, Plane
from edge_runtime.analysis.stature import Stature
from edge_runtime.analysis.tracking import Tracker, TrackerSettings
from edge_runtime.detections import Detections
from edge_runtime.tracks import Box, Track, TrackState

_LABEL = "passer"
_LEAST, _MOST = 0.0006, 0.15
"""The part of the picture that somebody covers."""
_UPRIGHT = 0.9
"""Somebody is at least so many times as high as wide."""
_TALL = 0.05, 0.95
"""And of a height between these parts of the picture's, while nobody has been detected."""
_WAY = 1.0
"""By so many of the own heights somebody has come along."""
_RECENT, _STIRS = 2.0, 0.1
"""Of who has not come to rest at least this part has moved within so many seconds."""
_BESIDE = 0.35
"""What is so near to somebody detected, by the own height, is carried, or a shadow."""
_GROWN, _GIANT = 0.5, 1.7
"""And of a height between these parts of that of the people who have been detected there."""


class Passers:
    """Follows them in pictures of `shape` (H, W), which are `aspect` times as wide as high."""

    def __init__(self, shape: tuple[int, int], aspect: float) -> None:
        self._shape = shape
        self._aspect = aspect
        self._tracker = Tracker(TrackerSettings(confirm=0.5, patience=1.0))
        self._stature = Stature()
        self._first: dict[int, Box] = {}
        self._believed: set[int] = set()

    def step(
        self, changed: Mask, still: Plane, detected: tuple[Track, ...], now: float
    ) -> tuple[Track, ...]:
        """Who is there at `now`; their ids are below 0.

        Args:
            changed: where the picture is not the empty scene, and nobody detected hides it.
            still: for how many seconds each pixel has kept still.
            detected: who is tracked.
            now: seconds on the frame's clock.
        """
        self._stature.learn(detected)
        height, width = self._shape
        least, most = _LEAST * changed.size, _MOST * changed.size
        boxes = [
            blob.box
            for blob in blobs(changed, least, most)
            if self._is_like_people(blob, still) and not self._is_beside(blob, detected)
        ]
        seen = Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.ones(len(boxes), np.float32),
            np.zeros(len(boxes), np.int32),
            (_LABEL,),
        )
        self._tracker.update(seen, (width, height), now)
        tracks = self._tracker.tracks
        self._first = {t.id: self._first.get(t.id, t.box) for t in tracks}
        self._believed = {
            t.id for t in tracks
            if t.id in self._believed or self._has_come_along(t)
        }  # fmt: skip
        return tuple(replace(t, id=-t.id) for t in tracks if t.id in self._believed)

    def _is_like_people(self, blob: Blob, still: Plane) -> bool:
        """Whether it is upright, as large as people, and moves."""
        x1, y1, x2, y2 = blob.box
        tall = (y2 - y1) / self._shape[0]
        known = self._stature.at(y2 / self._shape[0])
        least, most = (_GROWN * known, _GIANT * known) if isfinite(known) else _TALL
        if y2 - y1 < _UPRIGHT * (x2 - x1) or not least <= tall <= most:
            return False
        moves = (still[blob.where] < _RECENT) & blob.mask
        return bool(np.count_nonzero(moves) >= _STIRS * blob.area)

    def _is_beside(self, blob: Blob, detected: tuple[Track, ...]) -> bool:
        height, width = self._shape
        x1, y1, x2, y2 = blob.box
        for track in detected:
            a1, b1, a2, b2 = track.box
            near = _BESIDE * (b2 - b1)
            across = x1 <= a2 * width + near * height and a1 * width - near * height <= x2
            if across and y1 <= (b2 + near) * height and b1 * height <= y2:
                return True
        return False

    def _has_come_along(self, track: Track) -> bool:
        if track.state is not TrackState.CONFIRMED:
            return False
        first, tall = self._first[track.id], track.box[3] - track.box[1]
        across = abs(track.box[0] + track.box[2] - first[0] - first[2]) / 2 * self._aspect
        down = abs(track.box[3] - first[3])
        return max(across, down) >= _WAY * tall
