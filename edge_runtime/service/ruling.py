"""From the rules of a configuration to the rules that look: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_runtime.analysis.lines import Line, Way
from edge_runtime.analysis.zones import Zone
from edge_runtime.config import DAYS, CameraConfig, RuleConfig, ScheduleConfig
from edge_runtime.config import rules as sections
from edge_runtime.rules.covered_face import covered_face
from edge_runtime.rules.crossings import Ways
from edge_runtime.rules.crowd import SECOND_PERSON, crowd
from edge_runtime.rules.incidents import Timing
from edge_runtime.rules.line_crossing import WRONG_WAY, line_crossing
from edge_runtime.rules.loitering import loitering
from edge_runtime.rules.objects import LEFT, REMOVED, objects
from edge_runtime.rules.person_down import person_down
from edge_runtime.rules.presence import INTRUSION, presence
from edge_runtime.rules.queue import queue
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.schedule import Schedule
from edge_runtime.rules.tailgating import tailgating
from edge_runtime.rules.watch import Place, Watch


def zones(camera: CameraConfig) -> tuple[Zone, ...]:
    """The camera's zones."""
    return tuple(Zone(zone.name, zone.polygon) for zone in camera.zones)


def lines(camera: CameraConfig) -> tuple[Line, ...]:
    """The camera's lines."""
    return tuple(Line(line.name, *line.points) for line in camera.lines)


def looks_for_things(rules: Iterable[RuleConfig]) -> bool:
    """Whether one of `rules` is about what keeps still and is nobody."""
    kinds = sections.ObjectLeftConfig | sections.ObjectRemovedConfig
    return any(isinstance(rule, kinds) for rule in rules)


def asking_for_faces(rules: Iterable[RuleConfig], camera: CameraConfig) -> list[Watch]:
    """Whose faces, where and when, those of `rules` want to know that are about faces."""
    return [_watch(rule, camera) for rule in rules if isinstance(rule, sections.CoveredFaceConfig)]


def rule_of(rule: RuleConfig, camera: CameraConfig) -> Rule:  # noqa: PLR0911, PLR0912 (a list)
    """One rule for one camera. A new kind of rule gets its line here."""
    watch = _watch(rule, camera)
    match rule:
        case sections.PresenceConfig():
            return presence(watch, _timing(rule))
        case sections.IntrusionConfig():
            return presence(watch, _timing(rule), kind=INTRUSION)
        case sections.LoiteringConfig():
            return loitering(watch, _timing(rule))
        case sections.CrowdConfig():
            return crowd(watch, rule.count, _timing(rule))
        case sections.SecondPersonConfig():
            return crowd(watch, 2, _timing(rule), kind=SECOND_PERSON)
        case sections.QueueConfig():
            return queue(watch, rule.count, _timing(rule))
        case sections.LineCrossingConfig():
            return line_crossing(watch, _line(rule.line, camera), Ways(rule.direction))
        case sections.WrongWayConfig():
            forbidden = Ways(Way(rule.permitted).other.value)
            return line_crossing(watch, _line(rule.line, camera), forbidden, kind=WRONG_WAY)
        case sections.TailgatingConfig():
            line = _line(rule.line, camera)
            return tailgating(watch, line, Ways(rule.direction), rule.seconds)
        case sections.CoveredFaceConfig():
            threshold, allowed = rule.threshold, rule.mask_allowed
            return covered_face(watch, threshold, _timing(rule), mask_allowed=allowed)
        case sections.ObjectLeftConfig():
            return objects(watch, LEFT, _timing(rule), reach=rule.reach)
        case sections.ObjectRemovedConfig():
            return objects(watch, REMOVED, _timing(rule), reach=rule.reach)
        case sections.PersonDownConfig():
            return person_down(watch, _timing(rule))


class _Timed(Protocol):
    """A section with the two durations that most rules have."""

    @property
    def seconds(self) -> float: ...
    @property
    def grace(self) -> float: ...


def _timing(rule: _Timed) -> Timing:
    return Timing(rule.seconds, rule.grace)


def _watch(rule: RuleConfig, camera: CameraConfig) -> Watch:
    return Watch(
        name=rule.name,
        camera=camera.name,
        labels=frozenset(rule.classes),
        zone=next((zone for zone in zones(camera) if zone.name == rule.zone), None),
        place=Place(rule.place),
        cooldown=rule.cooldown,
        severity=rule.severity,
        schedule=hours(rule.schedule) if rule.schedule else None,
    )


def _line(name: str, camera: CameraConfig) -> Line:
    return next(line for line in lines(camera) if line.name == name)


def hours(schedule: ScheduleConfig) -> Schedule:
    """The hours that the configuration names."""
    days = frozenset(DAYS.index(day) for day in schedule.days)
    zone = ZoneInfo(schedule.time_zone)
    return Schedule(days, schedule.start, schedule.end, zone, outside=schedule.outside)
