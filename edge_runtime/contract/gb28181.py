"""Alerts as alarms of GB/T 28181, for platforms that speak it.

Source: GB/T 28181-2022, annex A.2.5, alarm notification: priority 1 to 4, of which 1 is the most
urgent; method 2 (device), 5 (video), 6 (device fault) or 7 (other); and a type within the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from edge_runtime.alerts.alert import Severity
from edge_runtime.analysis.camera_health.conditions import Condition
from edge_runtime.rules.camera_health import KIND as CAMERA_HEALTH


class Method(IntEnum):
    """How an alarm was raised."""

    DEVICE = 2
    VIDEO = 5
    FAULT = 6
    OTHER = 7


@dataclass(frozen=True, slots=True)
class AlarmType:
    """What an alarm is about.

    Attributes:
        method: ``AlarmMethod``.
        number: ``AlarmType``; None where the standard has none for it.
        meaning: what the standard calls it, translated.
    """

    method: Method
    number: int | None
    meaning: str


_OTHER = AlarmType(Method.OTHER, None, "other")
_ABNORMAL = AlarmType(Method.VIDEO, 11, "abnormal video")
_DENSITY = AlarmType(Method.VIDEO, 10, "density")
_TRIPWIRE = AlarmType(Method.VIDEO, 5, "tripwire")

PRIORITIES: Mapping[Severity, int] = {
    Severity.CRITICAL: 1,
    Severity.HIGH: 2,
    Severity.MEDIUM: 3,
    Severity.LOW: 4,
    Severity.INFO: 4,
}

RULES: Mapping[str, AlarmType] = {
    "presence": AlarmType(Method.VIDEO, 2, "moving target"),
    "intrusion": AlarmType(Method.VIDEO, 6, "intrusion"),
    "loitering": AlarmType(Method.VIDEO, 8, "loitering"),
    "crowd": _DENSITY,
    "queue": _DENSITY,
    "second-person": _DENSITY,
    "line-crossing": _TRIPWIRE,
    "wrong-way": AlarmType(Method.VIDEO, 7, "wrong way"),
    "tailgating": _TRIPWIRE,
    "covered-face": _OTHER,
    "object-left": AlarmType(Method.VIDEO, 3, "object left behind"),
    "object-removed": AlarmType(Method.VIDEO, 4, "object removed"),
    "person-down": _OTHER,
    "outbox": AlarmType(Method.FAULT, 1, "disk fault"),
}

CONDITIONS: Mapping[Condition, AlarmType] = {
    Condition.COVERED: AlarmType(Method.VIDEO, 13, "covered picture"),
    Condition.DEFOCUSED: _ABNORMAL,
    Condition.MOVED: _ABNORMAL,
    Condition.FROZEN: _ABNORMAL,
    Condition.DARK: _ABNORMAL,
    Condition.BRIGHT: _ABNORMAL,
    Condition.NOISY: _ABNORMAL,
    Condition.NO_FRAMES: AlarmType(Method.DEVICE, 1, "video lost"),
}


def alarm_type(rule: str, name: str) -> AlarmType:
    """What the alert of a rule is in GB/T 28181; other, for a rule that is not known here.

    Args:
        rule: the kind of the rule, ``data.rule`` of an alert.
        name: ``data.name`` of it; of ``camera-health``, the condition.
    """
    if rule == CAMERA_HEALTH:
        return CONDITIONS[Condition(name)] if name in set(Condition) else _ABNORMAL
    return RULES.get(rule, _OTHER)


def table() -> str:
    """The mapping in Markdown."""
    rows = [(f"`{CAMERA_HEALTH}`, `{condition}`", found) for condition, found in CONDITIONS.items()]
    rows = [(f"`{rule}`", found) for rule, found in RULES.items()] + rows
    lines = ["| alert | AlarmMethod | AlarmType | |", "|---|---|---|---|"]
    for alert, found in rows:
        number = "none" if found.number is None else str(found.number)
        lines.append(f"| {alert} | {found.method.value} | {number} | {found.meaning} |")
    lines += ["", "| severity | AlarmPriority |", "|---|---|"]
    lines += [f"| `{severity}` | {number} |" for severity, number in PRIORITIES.items()]
    return "\n".join(lines)
