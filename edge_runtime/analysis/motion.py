"""The motion gate: spares the detector while nothing moves.

The picture is compared with itself of a moment ago, not with a learned background: a background
that averages over half a minute keeps the ghost of the last visitor in it, and the gate open.
What came and then stands still is not forgotten by this, because the tracker keeps it while the
gate rests.

What moves and is nobody (leaves, a shadow, a door that falls shut) is looked at less often after a
while, and often again as soon as somebody is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from edge_runtime.analysis.glance import Glance, Glancer, Grey
from edge_runtime.frame import Frame
from edge_runtime.tracks import Box

_REFERENCE_SECONDS = 0.2
"""How old the picture gets that is compared with: slow movement needs time to show."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """When a change counts as motion.

    Attributes:
        enabled: False lets every frame through.
        area: the fraction of the picture that has to change, in (0, 1].
        level: by how many grey levels a pixel has to change, 1..255.
        hold: seconds for which the gate stays open after the last motion, >= 0.
        longest_rest: seconds after which the detector looks in any case, > 0.
    """

    enabled: bool = True
    area: float = 0.002
    level: int = 12
    hold: float = 0.3
    longest_rest: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.area <= 1:
            raise ValueError(f"area is a fraction in (0, 1], not {self.area}")
        if not 1 <= self.level <= 255:
            raise ValueError(f"level is in 1..255, not {self.level}")
        if self.hold < 0 or self.longest_rest <= 0:
            raise ValueError("hold is >= 0 seconds and longest_rest > 0")


_EAGER = 0.5
"""Seconds for which every frame is looked at in which something moves and nobody is seen."""
_SPARSE = 0.18
"""Seconds between two looks after that: five a second, with some jitter."""
_NOTHING: Grey = np.zeros((1, 1), np.uint8)
FEWEST = 5
"""Pixels of a glance that move, for something to be there."""
_AROUND = 0.3, 0.15
"""What moves so near to a box, across and down, by how tall it is, belongs to it."""
_JOIN = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 5))


class MotionGate:
    """Says for each frame of one camera whether the detector has to look at it."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._glancer = Glancer()
        self._difference: Grey | None = None
        self._reference: Grey | None = None
        self._reference_time = 0.0
        self._last_motion = float("-inf")
        self._last_look = float("-inf")
        self._in_vain_since = float("-inf")

    @property
    def moved(self) -> Grey:
        """What moves in the latest frame: a picture as small as a glance, 0 where nothing does.

        It is overwritten by the next frame.
        """
        return _NOTHING if self._difference is None else self._difference

    def step(
        self,
        frame: Frame,
        *,
        settled: bool,
        somebody: bool,
        glance: Glance | None = None,
        worth: Callable[[Grey], bool] | None = None,
    ) -> bool:
        """Whether to look at `frame`.

        `glance` is the frame's, where somebody else needs it, too.

        `settled` is False while the tracker is in doubt (something has just come or gone): then
        the gate stays open, so that a doubt never lasts because nothing moves. `somebody` is True
        while anybody is followed and not lost: then every frame counts in which something moves.

        `worth` is asked about `moved` where too little of the picture has changed, and says
        whether that is worth a look all the same.
        """
        if not self._settings.enabled and worth is None:
            return True
        now = frame.timestamp
        glance = glance or self._glancer(frame.image)
        changed = self._changed(glance.calm, now)
        if changed >= self._settings.area or (worth and worth(self.moved)):
            self._last_motion = now
        moving = now - self._last_motion <= self._settings.hold
        if somebody or not moving:
            self._in_vain_since = now
        rested = now - self._last_look
        look = (
            not self._settings.enabled
            or not settled
            or (moving and (now - self._in_vain_since < _EAGER or rested >= _SPARSE))
            or rested >= self._settings.longest_rest
        )
        if look:
            self._last_look = now
        return look

    def _changed(self, grey: Grey, now: float) -> float:
        """The fraction of pixels that differ from the reference; 1 where there is none yet."""
        reference = self._reference
        if reference is None or reference.shape != grey.shape:
            self._reference, self._difference, self._reference_time = grey, None, now
            return 1.0
        if self._difference is None:
            self._difference = np.empty_like(grey)
        difference = self._difference
        cv2.absdiff(grey, reference, dst=difference)
        cv2.threshold(difference, self._settings.level, 255, cv2.THRESH_BINARY, dst=difference)
        changed = cv2.countNonZero(difference) / grey.size
        if now - self._reference_time >= _REFERENCE_SECONDS:
            self._reference, self._reference_time = grey, now
        return changed


def spots(moved: Grey, size: tuple[int, int]) -> list[Box]:
    """Boxes around what moves together, in pixels of a frame of `size`.

    `moved` is a small picture of that frame, 0 where nothing moves.
    """
    if cv2.countNonZero(moved) < FEWEST:
        return []
    joined = cv2.dilate(moved, _JOIN)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    across, down = size[0] / moved.shape[1], size[1] / moved.shape[0]
    found = []
    for x, y, w, h, _ in boxes[1:].tolist():
        left, top, wide, high = cv2.boundingRect(part := moved[y : y + h, x : x + w])
        if cv2.countNonZero(part) >= FEWEST:
            x1, y1 = x + left, y + top
            found.append((x1 * across, y1 * down, (x1 + wide) * across, (y1 + high) * down))
    return found


def beside(moved: Grey, known: Iterable[Box], size: tuple[int, int]) -> Grey:
    """`moved` with 0 at and close to `known`, boxes in pixels of a frame of `size`."""
    rest = moved.copy()
    across, down = moved.shape[1] / size[0], moved.shape[0] / size[1]
    for x1, y1, x2, y2 in known:
        aside, above = (share * (y2 - y1) for share in _AROUND)
        left, right = max(int((x1 - aside) * across), 0), int((x2 + aside) * across) + 1
        top, bottom = max(int((y1 - above) * down), 0), int((y2 + above) * down) + 1
        rest[top : max(bottom, 0), left : max(right, 0)] = 0
    return rest
