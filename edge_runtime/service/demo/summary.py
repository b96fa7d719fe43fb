"""What came of a demo, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.service.demo.screen import delay
from edge_runtime.service.demo.subscriber import Received


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a duration, in milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The time for which there was no broker.

    Attributes:
        began: when it was killed, seconds after the first picture.
        seconds: how long it was away.
        waited: how many alerts waited on disk for it and came afterwards.
        longest_wait: seconds that one of these came late; 0 where there were none.
    """

    began: float
    seconds: float
    waited: int
    longest_wait: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the daemon committed, and what the subscriber got.

    Attributes:
        committed: alerts in the outbox, ever.
        received: of these, how many came.
        lost: those that did not.
        twice: those that came more than once.
        in_order: whether they came in the order of their numbers.
        latency_ms: from the frame that decided an alert to the subscriber, without those that
            waited for the broker; None where there were none.
    """

    committed: int
    received: int
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    in_order: bool
    latency_ms: Percentiles | None

    @classmethod
    def of(
        cls, expected: Sequence[str], alerts: Sequence[Received], late: Sequence[Received]
    ) -> Delivery:
        """Compare the ids that were committed with the alerts that came, some of them `late`."""
        came = [str(alert.payload["id"]) for alert in alerts]
        first = list(dict.fromkeys(came))
        prompt = [delay(alert) for alert in alerts if alert not in late]
        return cls(
            committed=len(expected),
            received=len(first),
            lost=tuple(each for each in expected if each not in first),
            twice=tuple(each for each in first if came.count(each) > 1),
            in_order=first == [each for each in expected if each in first],
            latency_ms=_percentiles(prompt),
        )


def _percentiles(seconds: Sequence[float]) -> Percentiles | None:
    if not seconds:
        return None
    p50, p95 = (np.percentile(seconds, (50, 95)) * 1e3).tolist()
    return Percentiles(round(p50, 1), round(p95, 1))


@dataclass(frozen=True, slots=True)
class Covered:
    """What was told of a camera whose lens was covered.

    Attributes:
        at: when, seconds after the first picture.
        ended: presences that ended with it, although nobody had left.
        told: whether an alert said that the camera sees nothing.
    """

    at: float
    ended: int
    told: bool

    def __str__(self) -> str:
        blind = "was told" if self.told else "was not told"
        return (
            f"the lens was covered at {self.at:.0f} s: {self.ended} presences ended with it, "
            f"although nobody had left; that the camera sees nothing {blind}"
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """All of it.

    Attributes:
        source: the camera.
        model: name, version and hash of the model that saw it.
        backend: what ran the model.
        broker: which broker.
        seconds: how long the camera was watched.
        frames: pictures that arrived; of these `dropped` were replaced before they were analysed,
            and `looked` went through the detector.
        stages: latency by stage of a frame's way.
        delivery: what became of the alerts.
        outage: when the broker was away; None where the demo was over before.
        covered: what was told of the covered lens; None for another camera than the drawn one.
        resident_mb: the daemon's memory.
        warnings: what the daemon has to say.
        files: what lies in the demo's folder, by name.
    """

    source: str
    model: Mapping[str, str]
    backend: str
    broker: str
    seconds: float
    frames: int
    analysed: int
    dropped: int
    looked: int
    stages: Mapping[str, Percentiles]
    delivery: Delivery
    outage: Outage | None
    covered: Covered | None
    resident_mb: float
    warnings: tuple[str, ...]
    files: Mapping[str, str]

    @property
    def good(self) -> bool:
        """Whether there was something to see, and nothing was lost."""
        return self.analysed > 0 and not self.delivery.lost

    def as_dict(self) -> dict[str, Any]:
        """The same for a machine."""
        return {"good": self.good, **asdict(self)}

    def __str__(self) -> str:
        lines = [
            "",
            f"{self.frames} frames in {self.seconds:.1f} s from {self.source}, {self.dropped} "
            f"dropped; {self.model['name']} {self.model['version']} on {self.backend} looked at "
            f"{self.looked}; the daemon took {self.resident_mb:.0f} MB, the filming "
            "included",
            *self._stage_lines(),
            *self._delivery_lines(),
        ]
        if self.covered:
            lines.append(f"  ! {self.covered}")
        lines += [f"  ! {warning}" for warning in self.warnings]
        lines += ["", *(f"{what}: {path}" for what, path in self.files.items())]
        return "\n".join(lines)

    def _stage_lines(self) -> list[str]:
        return [
            f"{'a frame takes':<14} {'p50 ms':>8} {'p95 ms':>8}",
            *(f"  {name:<12} {at.p50:>8.2f} {at.p95:>8.2f}" for name, at in self.stages.items()),
        ]

    def _delivery_lines(self) -> list[str]:
        delivery = self.delivery
        lost = f"LOST: {', '.join(delivery.lost)}" if delivery.lost else "nothing lost"
        order = "in order" if delivery.in_order else "NOT in order"
        twice = f", {len(delivery.twice)} twice" if delivery.twice else ""
        lines = [
            f"alerts: {delivery.committed} committed, {delivery.received} received, {order}"
            f"{twice}: {lost}"
        ]
        if delivery.latency_ms:
            lines.append(
                f"  frame to subscriber: p50 {delivery.latency_ms.p50:.0f} ms, "
                f"p95 {delivery.latency_ms.p95:.0f} ms"
            )
        if self.outage:
            lines.append(
                f"  {self.broker} was killed at {self.outage.began:.1f} s for "
                f"{self.outage.seconds:.1f} s: {self.outage.waited} alerts waited on disk, up to "
                f"{self.outage.longest_wait:.1f} s"
            )
        return lines
