"""Alerts held against what really happened: by events, not by frames.

The measure is that of i-LIDS, the UK Home Office's library for the testing of video detection: an
alarm is true if it comes within ten seconds of the beginning of an event, one for each event; all
others are false. Of precision P and recall R it makes F1 = (a + 1) R P / (R + a P), in which the
recall bias a says how much more a missed event weighs than a false alarm; with a = 1 it is the
usual F1. (Imagery Library for Intelligent Detection Systems, user guide, Home Office CAST, 2011.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from edge_runtime.scoring.poisson import Interval, rate_interval
from edge_runtime.tracks import Box

WITHIN = 10.0
"""Seconds from an event's beginning within which its alarm has to come."""
EARLY = 1.0
"""Seconds by which an alarm may come before: as exact as a person marks the beginning."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and has to be told.

    Attributes:
        kind: what happened: the kind of a rule, a rule's name, or a condition of the camera.
        start: seconds from the clip's start at which it began.
        end: seconds at which it was over.
        boxes: where, in 0..1 of the picture; empty where it is about the whole of it.
        due: seconds from which an alarm is right, where that is later than `start`: a rule that
            tells what lasts for 15 s cannot tell it before.
    """

    kind: str
    start: float
    end: float
    boxes: tuple[Box, ...] = ()
    due: float | None = None

    def __post_init__(self) -> None:
        if not self.kind:
            raise ValueError("an event has a kind, as presence is one")
        if not self.end > self.start:
            raise ValueError(f"{self.kind} ends at {self.end} s, not after its start {self.start}")
        if self.due is not None and self.due < self.start:
            raise ValueError(f"{self.kind} is due at {self.due} s, before its start {self.start}")

    @property
    def begins(self) -> float:
        """Seconds from which an alarm is right."""
        return self.start if self.due is None else self.due


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was told: the start of an incident, never its updates or its end.

    Attributes:
        kind: as in `Event`.
        at: seconds from the clip's start at which it was told; not the earlier moment at which
            it is said to have happened.
    """

    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class Score:
    """What was right and wrong; scores of several clips are added with ``+``.

    Attributes:
        delays: seconds from each detected event's beginning to its alarm; one for each true alarm.
        false: how many alarms there were besides.
        missed: how many events had no alarm.
        seconds: for how long was watched.
    """

    delays: tuple[float, ...] = ()
    false: int = 0
    missed: int = 0
    seconds: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.delays + other.delays,
            self.false + other.false,
            self.missed + other.missed,
            self.seconds + other.seconds,
        )

    @property
    def true(self) -> int:
        """How many events were told in time."""
        return len(self.delays)

    @property
    def precision(self) -> float | None:
        """How much of what was told was true, 0..1; None where nothing was told."""
        return _share(self.true, self.true + self.false)

    @property
    def recall(self) -> float | None:
        """How much of what happened was told, 0..1; None where nothing happened."""
        return _share(self.true, self.true + self.missed)

    def f1(self, recall_bias: float = 1.0) -> float | None:
        """F1 with its recall bias, 0..1; None where nothing happened and nothing was told."""
        # (a + 1) R P / (R + a P), multiplied out: so it is 0, too, where R or P has no value.
        right = (recall_bias + 1) * self.true
        return _share(right, right + self.false + recall_bias * self.missed)

    @property
    def false_per_hour(self) -> float | None:
        """False alarms in an hour of one camera; None where nothing was watched."""
        return _share(self.false * 3600, self.seconds)

    @property
    def false_per_hour_interval(self) -> Interval | None:
        """Where that rate is with 95% confidence (Poisson, exact)."""
        return rate_interval(self.false, self.seconds / 3600) if self.seconds else None

    @property
    def delay(self) -> float | None:
        """The median time from an event's beginning to its alarm, in seconds; below 0: before."""
        return median(self.delays) if self.delays else None


def score(
    events: Iterable[Event],
    alarms: Iterable[Alarm],
    seconds: float,
    *,
    within: float = WITHIN,
    early: float = EARLY,
) -> Score:
    """Hold `alarms` against `events`, each kind by itself, over `seconds` that were watched."""
    parts = score_by_kind(events, alarms, seconds, within=within, early=early).values()
    return Score(
        tuple(delay for part in parts for delay in part.delays),
        sum(part.false for part in parts),
        sum(part.missed for part in parts),
        seconds,
    )


def score_by_kind(
    events: Iterable[Event],
    alarms: Iterable[Alarm],
    seconds: float,
    *,
    within: float = WITHIN,
    early: float = EARLY,
) -> dict[str, Score]:
    """The same for each kind that happened or was told, in the order of the alphabet."""
    events, alarms = tuple(events), tuple(alarms)
    kinds = sorted({each.kind for each in events} | {each.kind for each in alarms})
    return {
        kind: _score(
            sorted(each.begins for each in events if each.kind == kind),
            sorted(each.at for each in alarms if each.kind == kind),
            seconds,
            (early, within),
        )
        for kind in kinds
    }


def _score(
    begins: list[float], told: list[float], seconds: float, window: tuple[float, float]
) -> Score:
    delays = tuple(_delays(begins, told, *window))
    return Score(delays, len(told) - len(delays), len(begins) - len(delays), seconds)


def _delays(begins: list[float], told: list[float], early: float, within: float) -> Iterator[float]:
    """The delay of each event that has an alarm.

    Both lists rise and all windows are of one length: to give each event the first alarm in its
    window that is still free makes the most pairs that there can be.
    """
    alarms = iter(told)
    at = next(alarms, None)
    for begin in begins:
        while at is not None and at < begin - early:
            at = next(alarms, None)
        if at is not None and at <= begin + within:
            yield at - begin
            at = next(alarms, None)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
