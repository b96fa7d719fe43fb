"""A camera that is watched: one thread that captures, reconnects and says how it is."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from edge_runtime.backoff import Backoff
from edge_runtime.capture.mailbox import Delivery, Mailbox
from edge_runtime.capture.source import (
    Picture,
    Source,
    SourceError,
    SourceInfo,
    SourceSettings,
    SourceStalledError,
)
from edge_runtime.capture.sources import create_source
from edge_runtime.frame import Frame
from edge_runtime.redaction import redact

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
"""Seconds between two looks whether a source that was gone is back."""
_RATE_WINDOW = 32
"""Frames over which the measured frame rate is taken."""


class CameraState(StrEnum):
    """How a camera is. While it is stale or failed, it is connected again and again."""

    CONNECTING = "connecting"
    """Nothing has come of the first attempt yet."""
    LIVE = "live"
    """Frames come."""
    STALE = "stale"
    """It is connected, but no frame came for `SourceSettings.stale_after` seconds."""
    FAILED = "failed"
    """It cannot be opened, or reading failed."""
    ENDED = "ended"
    """The recording is over, or the camera was stopped."""


class Pace(StrEnum):
    """How fast a recording plays. A live source has its own pace."""

    REAL = "real"
    """At its own pace; a frame that is not taken in time is replaced by the next."""
    FAST = "fast"
    """As fast as frames are taken, every frame; their timestamps run on the recording's time."""


_DELIVERY = {Pace.REAL: Delivery.NEWEST, Pace.FAST: Delivery.EVERY}


@dataclass(frozen=True, slots=True)
class CameraStats:
    """A camera at one moment.

    Attributes:
        state: how it is.
        since: when it came into that state, seconds on the monotonic clock.
        last_frame_age: seconds since the last frame arrived; None before the first.
        frames: how many arrived.
        dropped: how many of them were replaced before they were taken.
        reconnects: how often it was opened again, with success or without.
        changes: how often it came into each state.
        last_error: the last failure as one sentence without secrets; None before the first.
        width: of the last frame, in pixels; None before the first.
        height: of the last frame, in pixels; None before the first.
        fps: frames that arrive a second, measured over the last ones; 0 before the second.
        info: what was found when it was last opened.
    """

    state: CameraState
    since: float
    last_frame_age: float | None
    frames: int
    dropped: int
    reconnects: int
    changes: Mapping[CameraState, int]
    last_error: str | None
    width: int | None
    height: int | None
    fps: float
    info: SourceInfo | None


class Camera:
    """Captures from one source into a one-slot mailbox, for ever.

    Args:
        name: the camera's name, in logs and in the thread's name.
        settings: which source.
        pace: see `Pace`.
        backoff: the waits between attempts to connect; they start over once frames flow. A wait
            ends early when a source that was gone is back.
        rng: draws the jitter of the waits.
        create: makes a source out of settings.
    """

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        *,
        pace: Pace = Pace.REAL,
        backoff: Backoff | None = None,
        rng: random.Random | None = None,
        create: Callable[[SourceSettings], Source] = create_source,
    ) -> None:
        self.name = name
        self._settings = settings
        self._pace = pace
        self._backoff = backoff or Backoff()
        self._rng = rng or random.Random()
        self._create = create
        self._delays = self._backoff.delays(self._rng)
        # A limit to one frame in ten seconds makes no camera stale after five.
        self._patience = max(settings.stale_after, 2 / settings.fps if settings.fps else 0.0)
        self._mailbox: Mailbox[Frame] = Mailbox(_DELIVERY[pace])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)

        self._lock = threading.RLock()  # guards all below
        self._state = CameraState.CONNECTING
        self._since = self._alive = time.monotonic()
        self._due = math.inf  # when a frame must have come, else the camera is stale
        self._changes = dict.fromkeys(CameraState, 0)
        self._attempts = 0
        self._frames = 0
        self._arrivals: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._size: tuple[int, int] | None = None
        self._info: SourceInfo | None = None
        self._last_error: str | None = None

    def start(self) -> None:
        """Begin to capture, once."""
        self._changes[CameraState.CONNECTING] = 1
        self._since = self._alive = time.monotonic()
        self._thread.start()

    def stop(self, timeout: float = 0.5) -> bool:
        """Stop capturing; frames that wait can still be taken.

        Returns after `timeout` seconds at most. False says that the thread is still inside a
        source's call; it ends when that returns, and does not keep the process alive. A process
        that is about to end should then do so with `os._exit`: up to Python 3.13, a thread that
        comes back from OpenCV while the interpreter is taken down aborts the process.
        """
        self._stopping.set()
        self._mailbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def take(self, timeout: float) -> Frame | None:
        """The newest frame (with `Pace.FAST`: the next), waiting up to `timeout` seconds for it.

        None if none came in time, or ever will: see `finished`.
        """
        frame = self._mailbox.take(timeout)
        if frame is None:
            self._judge()
        return frame

    def __iter__(self) -> Iterator[Frame]:
        """The frames until the camera has ended or was stopped."""
        while not self.finished:
            frame = self.take(timeout=1.0)
            if frame is not None:
                yield frame

    @property
    def finished(self) -> bool:
        """Whether no frame will come any more."""
        return self._mailbox.finished

    @property
    def state(self) -> CameraState:
        """How it is now."""
        self._judge()
        return self._state

    @property
    def heartbeat(self) -> float:
        """When the capture thread last gave a sign of life, seconds on the monotonic clock.

        It does so with every frame, every attempt to connect and every second of a wait between
        two, but not inside a source's call, which can last for the source's own timeout.
        """
        return self._alive

    def stats(self) -> CameraStats:
        """How it is now, and what happened so far."""
        self._judge()
        with self._lock:
            now = time.monotonic()
            arrivals = self._arrivals
            width, height = self._size or (None, None)
            return CameraStats(
                state=self._state,
                since=self._since,
                last_frame_age=now - arrivals[-1] if arrivals else None,
                frames=self._frames,
                dropped=self._mailbox.dropped,
                reconnects=max(0, self._attempts - 1),
                changes=dict(self._changes),
                last_error=self._last_error,
                width=width,
                height=height,
                fps=(len(arrivals) - 1) / (now - arrivals[0]) if len(arrivals) > 1 else 0.0,
                info=self._info,
            )

    # The capture thread.

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and self._connect():
                pass
            if self._stopping.is_set():
                self._enter(CameraState.ENDED, "stopped")
        finally:
            self._mailbox.close()

    def _connect(self) -> bool:
        """One attempt, as long as it holds. False when there is to be no other."""
        self._expect(self._settings.open_timeout + self._patience)
        self._attempts += 1
        frames_before = self._frames
        source: Source | None = None
        try:
            source = self._create(self._settings)
            with closing(source):
                self._info = source.open()
                return self._play(source)
        except SourceStalledError as error:
            self._fail(CameraState.STALE, error)
        except SourceError as error:
            self._fail(CameraState.FAILED, error)
            if source is not None and not source.live and self._frames > frames_before:
                return False  # played again from its start, a recording would be seen twice
        self._pause(source)
        return True

    def _play(self, source: Source) -> bool:
        """Pass on what the source delivers. False when a recording has ended."""
        self._expect(self._patience)
        origin: float | None = None
        while not self._stopping.is_set():
            picture = source.read()
            if picture is None:
                self._enter(CameraState.ENDED, self._settings.name)
                return False
            if source.live and self._overdue(picture.arrived):
                # A driver that hung is not trusted to be well again.
                raise SourceStalledError(
                    f"the source {self._settings.name} is silent for {self._patience:g} s"
                )
            if picture.media_time is None:
                self._deliver(picture, picture.arrived)
                continue
            if origin is None:
                origin = picture.arrived - picture.media_time
            self._deliver(picture, self._paced(origin + picture.media_time))
        return False

    def _paced(self, moment: float) -> float:
        """Wait for the moment of a recording's picture; the timestamp that it gets."""
        if self._pace is Pace.FAST:
            return moment
        wait = moment - time.monotonic()
        if wait > 0:
            self._expect(wait + self._patience)
            self._stopping.wait(wait)
        return time.monotonic()

    def _deliver(self, picture: Picture, timestamp: float) -> None:
        now, wall = time.monotonic(), time.time()
        height, width = picture.image.shape[:2]
        with self._lock:
            number = self._frames
            self._frames += 1
            self._arrivals.append(now)
            self._size = width, height
        if self._state is not CameraState.LIVE:
            self._delays = self._backoff.delays(self._rng)
            self._enter(CameraState.LIVE, self._info.description if self._info else "frames come")
        self._expect(math.inf)  # the writer may have to wait: not the camera's fault
        self._mailbox.put(
            Frame(picture.image, timestamp, wall + timestamp - now, number, picture.decode_seconds)
        )
        # Let who waits for the frame begin: decoding the next one can take the same processor for
        # milliseconds before the scheduler thinks of it.
        os.sched_yield()
        self._expect(self._patience)

    def _pause(self, source: Source | None) -> None:
        """Wait before the next attempt, but no longer than until what was gone is back.

        A camera that is there and refuses is left in peace until the wait is over.
        """
        until = time.monotonic() + next(self._delays)
        gone = source is not None and not source.present()
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            self._alive = time.monotonic()
            self._stopping.wait(min(left, self._rng.uniform(0.5, 1.0) * _LOOK_EVERY))
            if gone and source is not None and source.present():
                self._delays = self._backoff.delays(self._rng)
                return

    # What every thread may do.

    def _expect(self, seconds: float) -> None:
        """A sign of life: the next frame is due in `seconds`."""
        with self._lock:
            self._alive = time.monotonic()
            self._due = self._alive + seconds

    def _overdue(self, moment: float) -> bool:
        with self._lock:
            return moment > self._due

    def _judge(self) -> None:
        """Find a camera stale whose thread is stuck in a driver and cannot say so itself."""
        with self._lock:
            waits_for_frames = self._state in (CameraState.CONNECTING, CameraState.LIVE)
            if waits_for_frames and self._overdue(time.monotonic()):
                self._enter(CameraState.STALE, "no frame comes")

    def _fail(self, state: CameraState, error: SourceError) -> None:
        with self._lock:
            self._last_error = redact(str(error))
        self._enter(state, str(error))

    def _enter(self, state: CameraState, reason: str) -> None:
        with self._lock:
            if state is self._state:
                return
            self._state = state
            self._since = time.monotonic()
            self._changes[state] += 1
            level = logging.INFO if state in _WELL else logging.WARNING
            text = f"camera {self.name} is {state}: {redact(reason)}"
            logger.log(level, "%s", text, extra={"camera": self.name})


_WELL = (CameraState.CONNECTING, CameraState.LIVE, CameraState.ENDED)
