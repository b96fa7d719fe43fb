"""`edge-runtime score`: a clip is replayed, and what was told is held against the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.alerts.alert import AlertEvent, AlertState
from edge_runtime.frame import Frame
from edge_runtime.scoring.events import EARLY, WITHIN, Alarm, Score, score, score_by_kind
from edge_runtime.scoring.tracks import TrackScore, score_tracks
from edge_runtime.scoring.truth import Truth
from edge_runtime.service.pipeline import Analysed
from edge_runtime.service.replay import Replay, Summary, replay
from edge_runtime.tracks import Track


@dataclass(frozen=True, slots=True)
class Measure:
    """What counts as an alarm in time, and what weighs how much.

    Attributes:
        within: seconds from an event's beginning in which its alarm is true, > 0.
        early: seconds before it from which it is true, too, >= 0.
        recall_bias: how much more a missed event weighs in F1 than a false alarm, > 0.
    """

    within: float = WITHIN
    early: float = EARLY
    recall_bias: float = 1.0

    def __post_init__(self) -> None:
        if self.within <= 0 or self.early < 0 or self.recall_bias <= 0:
            raise ValueError("within and recall_bias are > 0, and early is >= 0")


@dataclass(frozen=True, slots=True)
class Report:
    """How good a configuration is on one clip.

    Attributes:
        measure: by what it was measured.
        total: over all kinds.
        kinds: for each kind.
        unjudged: how many alarms there were of kinds of which the truth says nothing.
        tracks: None where the truth has none.
        replayed: what was replayed.
    """

    measure: Measure
    total: Score
    kinds: dict[str, Score]
    unjudged: dict[str, int]
    tracks: TrackScore | None
    replayed: Summary

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "measure": asdict(self.measure),
            "total": self._figures(self.total),
            "kinds": {kind: self._figures(each) for kind, each in self.kinds.items()},
            "unjudged": self.unjudged,
            "tracks": asdict(self.tracks) if self.tracks else None,
            "frames": self.replayed.frames,
            "seconds": self.total.seconds,
        }

    def _figures(self, score: Score) -> dict[str, Any]:
        interval = score.false_per_hour_interval
        return {
            "true": score.true,
            "false": score.false,
            "missed": score.missed,
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1(self.measure.recall_bias),
            "delay": score.delay,
            "delays": list(score.delays),
            "false_per_hour": score.false_per_hour,
            "false_per_hour_interval": [interval.low, interval.high] if interval else None,
        }

    def __str__(self) -> str:
        lines = [
            f"{'kind':<20}{'true':>6}{'false':>7}{'missed':>8}{'precision':>11}{'recall':>8}"
            f"{'F1':>7}{'delay':>9}"
        ]
        lines += [self._line(kind, each) for kind, each in self.kinds.items()]
        lines.append(self._line("all", self.total))
        interval = self.total.false_per_hour_interval
        if interval:
            lines.append(
                f"false alarms an hour: {self.total.false_per_hour:.2f}, with 95% confidence "
                f"{interval.low:.2f} to {interval.high:.2f}, from {self.total.seconds:.1f} s"
            )
        if self.unjudged:
            told = ", ".join(f"{kind} ({count})" for kind, count in self.unjudged.items())
            lines.append(f"not judged, as the truth says nothing of them: {told}")
        if self.tracks:
            each = self.tracks
            lines.append(
                f"tracks: MOTA {each.mota:.1%}, IDF1 {each.idf1:.1%}, {each.switches} switches, "
                f"{each.missed} boxes missed and {each.false} false beside {each.boxes} of "
                f"{each.objects} objects"
            )
        return "\n".join(lines)

    def _line(self, kind: str, score: Score) -> str:
        delay = "-" if score.delay is None else f"{score.delay:.1f} s"
        return (
            f"{kind:<20}{score.true:>6}{score.false:>7}{score.missed:>8}"
            f"{_percent(score.precision):>11}{_percent(score.recall):>8}"
            f"{_percent(score.f1(self.measure.recall_bias)):>7}{delay:>9}"
        )


def measure(what: Replay, truth: Truth, by: Measure, *, progress: bool) -> Report:
    """Replay `what` and hold it against `truth`.

    Raises:
        EdgeRuntimeError: the clip or the model cannot be used; the truth has tracks, and
            motmetrics is not installed.
    """
    alarms: list[Alarm] = []
    unjudged: Counter[str] = Counter()
    frames: list[tuple[float, tuple[Track, ...]]] = []

    def hear(event: AlertEvent) -> None:
        told = event.data
        if told.state is not AlertState.STARTED or told.media_time is None:
            return
        kind = truth.kind_of(told.rule, told.name)
        if kind is None:
            unjudged[told.rule] += 1
        else:
            alarms.append(Alarm(kind, told.media_time + told.decided_after))

    def see(frame: Frame, analysed: Analysed) -> None:
        if truth.tracks:
            frames.append((frame.timestamp, analysed.tracks))

    replayed = replay(what, hear, None, progress=progress, see=see)
    seconds = replayed.media_seconds
    window = {"within": by.within, "early": by.early}
    return Report(
        measure=by,
        total=score(truth.events, alarms, seconds, **window),
        kinds=score_by_kind(truth.events, alarms, seconds, **window),
        unjudged=dict(unjudged),
        tracks=score_tracks(truth.tracks, frames) if truth.tracks else None,
        replayed=replayed,
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
