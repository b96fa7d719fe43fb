"""A second model looks at the heads of people that a rule asks about, beside the stream.

The frame's way never waits for it: a head is left in a one-slot mailbox, a thread of its own looks
at it, and what it saw is known at the next frame. Where the pace is not real (a replay, a test),
the look is taken at once, so that the same frames give the same alerts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_runtime.analysis.crops import Head, HeadChooser, Square, cut
from edge_runtime.capture.mailbox import Mailbox
from edge_runtime.config.models import COVERED
from edge_runtime.detections import Detections
from edge_runtime.frame import Frame, Image
from edge_runtime.inference.engine import InvokeError
from edge_runtime.rules.watch import Watch
from edge_runtime.scene import Face
from edge_runtime.tracks import Track, TrackState

logger = logging.getLogger(__name__)

_FACE_MARGIN = 1.4
"""What a head's square is to the box of its face, which goes from the brows to the chin."""
_FACE_RISE = 0.1
"""By how much the head's middle is above that of its face, in widths of the face."""
_LEAST_FACE = 0.12
"""The least width of a face by that of the bust that it belongs to."""
_HUNG_SECONDS = 10.0


class Sees(Protocol):
    """The part of a detector that a look needs."""

    def detect(self, image: Image) -> Detections:
        """What is in `image`; raises InvokeError."""
        ...


@dataclass(frozen=True, slots=True)
class Examiner:
    """Looks at one head.

    Attributes:
        classifier: says how sure it is of `COVERED`.
        detector: finds faces; None: nobody looks for one.
    """

    classifier: Sees
    detector: Sees | None = None

    def __call__(self, head: Head) -> Face:
        """What is to be said of the face; raises InvokeError."""
        place = seen = None
        if self.detector:
            place = face_square(self.detector.detect(head.bust), head.bust.shape[1])
            seen = place is not None
        image = cut(head.bust, place) if place else head.image
        found = self.classifier.detect(image)
        scores = [float(found.scores[n]) for n in range(len(found)) if found.label(n) == COVERED]
        return Face(seen, max(scores, default=0.0), head.at)


def face_square(faces: Detections, width: int) -> Square | None:
    """The square of the head whose face is the best of `faces`; None where there is none.

    `width` is that of the bust in pixels: who stands far behind has a smaller face.
    """
    boxes = faces.boxes.tolist()
    near = next((box for box in boxes if box[2] - box[0] >= _LEAST_FACE * width), None)
    if near is None:
        return None
    x1, y1, x2, y2 = near
    side = _FACE_MARGIN * (x2 - x1)
    middle = (y1 + y2) / 2 - _FACE_RISE * (x2 - x1)
    return round((x1 + x2 - side) / 2), round(middle - side / 2), round(side)


class SecondLook:
    """Looks at the heads of one camera's people."""

    def __init__(
        self,
        watches: Sequence[Watch],
        rate: float,
        examine: Callable[[Head], Face],
        *,
        apart: bool,
    ) -> None:
        """Begin; a thread is started with the first head.

        Args:
            watches: what the rules are about that ask for faces.
            rate: the most heads a second, above 0.
            examine: looks at one; raises InvokeError.
            apart: whether a thread of its own looks; else the one that calls `step`.
        """
        self._watches = tuple(watches)
        self._chooser = HeadChooser(rate)
        self._examine = examine
        self._apart = apart
        self._faces: dict[int, Face] = {}
        self._failure: str | None = None
        self._mailbox: Mailbox[Head] = Mailbox()
        self._lock = threading.Lock()  # guards _faces
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="second-look", daemon=True)

    def step(self, frame: Frame, tracks: Sequence[Track]) -> Mapping[int, Face]:
        """What is known of the faces of `tracks`, by their ids, after `frame`."""
        self._chooser.offer(frame, (t for t in tracks if self._asked(t, frame.wall_time)))
        head = self._chooser.choose(frame.timestamp)
        if head and self._apart:
            if self._thread.ident is None:
                self._thread.start()
            self._mailbox.put(head)
        elif head:
            self._look(head)
        alive = {track.id for track in tracks}
        with self._lock:
            self._faces = {track: face for track, face in self._faces.items() if track in alive}
            return dict(self._faces)

    @property
    def failure(self) -> str | None:
        """Why nothing is known of faces although it is asked for; None where all is well."""
        since = self._busy_since
        if since is not None and time.monotonic() - since > _HUNG_SECONDS:
            return f"the second look takes more than {_HUNG_SECONDS:g} s"
        return self._failure

    def close(self) -> None:
        """No frame follows."""
        self._mailbox.close()

    def _asked(self, track: Track, wall_time: float) -> bool:
        return track.state is not TrackState.LOST and any(
            watch.active(wall_time) and watch.counts(track) for watch in self._watches
        )

    def _work(self) -> None:
        while not self._mailbox.finished:
            head = self._mailbox.take()
            if head is not None:
                self._busy_since = time.monotonic()
                self._look(head)
                self._busy_since = None

    def _look(self, head: Head) -> None:
        try:
            face = self._examine(head)
        except InvokeError as error:
            if self._failure is None:
                logger.error("the second look fails: %s", error)
            self._failure = f"the second look fails: {error}"
            return
        self._failure = None
        with self._lock:
            self._faces[head.track] = face
