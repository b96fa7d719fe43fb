"""The rules' sections of the configuration and their keys.

What they mean for a person is in docs/configuration.md.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_runtime.alerts.alert import Severity
from edge_runtime.config.values import (
    DEFAULT_CLASSES,
    Clock,
    Listed,
    Name,
    Seconds,
    Section,
    Text,
    TimeZone,
)

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week; the place of each is its number in `datetime.weekday`."""

Sure = Annotated[float, Field(gt=0, lt=1)]
Ways = Literal["in", "out", "both"]


class ScheduleConfig(Section):
    """The weekly hours in which a rule is on."""

    days: Annotated[Listed[Day], Field(min_length=1)] = Field(
        default=DAYS,
        description="The days on which the hours begin.",
        examples=[["mon", "tue", "wed", "thu", "fri"]],
    )
    start: Clock = Field(
        default=time(0, 0),
        alias="from",
        description="The first minute that counts.",
        examples=["22:00"],
        json_schema_extra={"default": "00:00"},
    )
    end: Clock = Field(
        default=time(0, 0),
        alias="to",
        description="The first minute that does not. Before `from`: on the next day; the same as "
        "`from`: 24 hours.",
        examples=["06:00"],
        json_schema_extra={"default": "00:00"},
    )
    time_zone: TimeZone = Field(
        default="UTC",
        description="The branch's time zone, by its IANA name.",
        examples=["Europe/Paris"],
    )
    outside: bool = Field(
        default=False,
        description="true: the rule is on outside these hours, and off within them.",
    )


class _RuleConfig(Section):
    """What all rules have."""

    name: Name = Field(description="The rule's name, unique on the device.")
    cameras: Annotated[Listed[str], Field(min_length=1)] | None = Field(
        default=None,
        description="The cameras that it looks at; by default all.",
        examples=[["atm"]],
    )
    zone: str | None = Field(
        default=None,
        description="The zone, which each of these cameras has to have; by default the whole "
        "picture.",
        examples=["counter"],
    )
    place: Literal["feet", "body"] = Field(
        default="feet",
        description="What of an object has to be in the zone: its `feet` (the middle of its box's "
        "lower edge), or half of its `body`.",
    )
    classes: Annotated[Listed[Text], Field(min_length=1)] = Field(
        default=DEFAULT_CLASSES, description="The classes that count.", examples=[["person"]]
    )
    cooldown: Seconds = Field(
        default=0.0,
        description="Seconds after an end during which nothing new starts.",
        examples=[30.0],
    )
    severity: Severity = Field(
        default=Severity.MEDIUM, strict=False, description="How urgent its alerts are."
    )
    schedule: ScheduleConfig | None = Field(
        default=None, description="When the rule is on; by default always."
    )


def _kind() -> Any:
    return Field(description="What the rule is about.")


def _name(kind: str, example: str) -> Any:
    return Field(
        default=kind,
        description="The rule's name, unique on the device; by default its kind.",
        examples=[example],
    )


def _seconds(default: float, what: str) -> Any:
    return Field(default=default, description=what, examples=[default])


def _severity(default: Severity) -> Any:
    return Field(default=default, strict=False, description="How urgent its alerts are.")


class PresenceConfig(_RuleConfig):
    """Tells when an object of a class stays in a zone, and when it has gone."""

    kind: Literal["presence"] = _kind()
    name: Name = _name("presence", "after-hours")
    seconds: Seconds = _seconds(1.0, "How long an object has to stay before it is told.")
    grace: Seconds = _seconds(0.7, "Seconds without the object before it counts as gone.")


class IntrusionConfig(_RuleConfig):
    """Tells when somebody is where nobody should be: a presence that is urgent by default."""

    kind: Literal["intrusion"] = _kind()
    name: Name = _name("intrusion", "vault")
    seconds: Seconds = _seconds(1.0, "How long somebody has to stay before it is told.")
    grace: Seconds = _seconds(0.7, "Seconds without anybody before the intruder counts as gone.")
    severity: Severity = _severity(Severity.HIGH)


class LoiteringConfig(_RuleConfig):
    """Tells when one person stays in a zone for long; each person is an incident."""

    kind: Literal["loitering"] = _kind()
    name: Name = _name("loitering", "lingers")
    seconds: Seconds = _seconds(60.0, "How long one person has to stay before it is told.")
    grace: Seconds = _seconds(
        3.0, "For how long a person may be out of the zone, or out of sight, and is still there."
    )


class CrowdConfig(_RuleConfig):
    """Tells when many are in a zone at the same time."""

    kind: Literal["crowd"] = _kind()
    name: Name = _name("crowd", "lobby-full")
    count: int = Field(default=5, ge=1, description="How many have to be there.", examples=[5])
    seconds: Seconds = _seconds(5.0, "How long there have to be so many before it is told.")
    grace: Seconds = _seconds(1.5, "For how long there may be fewer, and it is still a crowd.")


class QueueConfig(_RuleConfig):
    """Tells when many wait in a zone, each of them for so long."""

    kind: Literal["queue"] = _kind()
    name: Name = _name("queue", "queue-at-the-atm")
    count: int = Field(default=4, ge=1, description="How many have to wait.", examples=[4])
    seconds: Seconds = _seconds(20.0, "How long one has to be there before it is waiting.")
    grace: Seconds = _seconds(2.0, "For how long who waits may be out of the zone or of sight.")


class SecondPersonConfig(_RuleConfig):
    """Tells when two or more are in the zone of one ATM."""

    kind: Literal["second-person"] = _kind()
    name: Name = _name("second-person", "two-at-the-atm")
    seconds: Seconds = _seconds(2.0, "How long two have to be there before it is told.")
    grace: Seconds = _seconds(1.5, "For how long one of them may be out of the zone or of sight.")


class _LineRuleConfig(_RuleConfig):
    """What the rules about a line have, too."""

    line: str = Field(
        description="The line, which each of these cameras has to have.", examples=["door"]
    )


class LineCrossingConfig(_LineRuleConfig):
    """Tells of each who crosses a line."""

    kind: Literal["line-crossing"] = _kind()
    name: Name = _name("line-crossing", "enters")
    direction: Ways = Field(default="both", description="Which direction counts.", examples=["in"])


class WrongWayConfig(_LineRuleConfig):
    """Tells of each who crosses a line against the permitted direction."""

    kind: Literal["wrong-way"] = _kind()
    name: Name = _name("wrong-way", "in-through-the-exit")
    permitted: Literal["in", "out"] = Field(
        default="in", description="The direction that is in order.", examples=["in"]
    )


class TailgatingConfig(_LineRuleConfig):
    """Tells when two cross a line one closely after the other, in the same direction."""

    kind: Literal["tailgating"] = _kind()
    name: Name = _name("tailgating", "second-through-the-door")
    direction: Ways = Field(default="in", description="Which direction counts.", examples=["in"])
    seconds: Seconds = _seconds(3.0, "How long after the first the second crosses at the latest.")
    severity: Severity = _severity(Severity.HIGH)


class CoveredFaceConfig(_RuleConfig):
    """Tells when somebody stands in a zone and shows no face."""

    kind: Literal["covered-face"] = _kind()
    name: Name = _name("covered-face", "hidden-at-the-atm")
    seconds: Seconds = _seconds(5.0, "How long no face is to be seen before it is told.")
    grace: Seconds = _seconds(2.0, "For how long the face may be seen meanwhile.")
    threshold: Sure = Field(
        default=0.7,
        description="How sure the classifier has to be that a face is covered.",
        examples=[0.7],
    )
    mask_allowed: bool = Field(
        default=False,
        description="true: a face that is partly covered is in order as long as the face detector "
        "finds it.",
    )


class _ObjectRuleConfig(_RuleConfig):
    """What the rules about things have: `classes` are those to whom things belong."""

    seconds: Seconds = _seconds(10.0, "How long it has to be so, without the owner.")
    grace: Seconds = _seconds(2.0, "For how long the thing or its place may be out of sight.")
    reach: Annotated[float, Field(ge=0)] = Field(
        default=1.0,
        description="How far from the thing its owner may be and still attends to it, in the "
        "owner's heights.",
        examples=[1.0],
    )


class ObjectLeftConfig(_ObjectRuleConfig):
    """Tells when something stays behind that was not there before."""

    kind: Literal["object-left"] = _kind()
    name: Name = _name("object-left", "left-bag")


class ObjectRemovedConfig(_ObjectRuleConfig):
    """Tells when something is missing that was there before."""

    kind: Literal["object-removed"] = _kind()
    name: Name = _name("object-removed", "extinguisher")


class PersonDownConfig(_RuleConfig):
    """Tells when somebody lies on the floor and does not get up."""

    kind: Literal["person-down"] = _kind()
    name: Name = _name("person-down", "fallen")
    seconds: Seconds = _seconds(4.0, "How long somebody has to lie before it is told.")
    grace: Seconds = _seconds(1.5, "For how long it may look otherwise meanwhile.")
    severity: Severity = _severity(Severity.HIGH)


RuleConfig = Annotated[
    PresenceConfig
    | IntrusionConfig
    | LoiteringConfig
    | CrowdConfig
    | QueueConfig
    | SecondPersonConfig
    | LineCrossingConfig
    | WrongWayConfig
    | TailgatingConfig
    | CoveredFaceConfig
    | ObjectLeftConfig
    | ObjectRemovedConfig
    | PersonDownConfig,
    Field(discriminator="kind"),
]
"""Any rule. A new kind is one more model."""
