"""The section ``[[cameras]]``, and the tables in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edge_runtime.alerts.alert import Severity
from edge_runtime.config.rules import ScheduleConfig
from edge_runtime.config.values import (
    Listed,
    MaskPolygon,
    Name,
    Pair,
    Points,
    Polygon,
    Seconds,
    Section,
    Source,
)

Pixels = Annotated[int, Field(ge=1, le=16384)]


class MotionConfig(Section):
    """The motion gate, which spares the detector while nothing moves."""

    enabled: bool = Field(default=True, description="false: every picture goes to the detector.")
    area: float = Field(
        default=0.002,
        gt=0,
        le=1,
        description="The fraction of the picture that has to change.",
        examples=[0.002],
    )
    level: int = Field(
        default=12,
        ge=1,
        le=255,
        description="By how many grey levels a pixel has to change.",
        examples=[12],
    )
    hold: float = Field(
        default=0.3,
        ge=0,
        description="Seconds for which the gate stays open after the last motion.",
        examples=[0.3],
    )
    longest_rest: float = Field(
        default=5.0,
        gt=0,
        description="Seconds after which the detector looks in any case.",
        examples=[5.0],
    )


class HealthConfig(Section):
    """What is told of the camera itself: that it is covered, turned, frozen and the like."""

    enabled: bool = Field(default=True, description="false: nothing is told of the camera itself.")
    severity: Severity | None = Field(
        default=None,
        strict=False,
        description="How urgent its alerts are; by default as urgent as each condition is.",
        examples=["high"],
    )
    cooldown: Seconds = Field(
        default=10.0,
        description="Seconds after a condition's end during which the same one does not start "
        "again.",
        examples=[10.0],
    )
    lit: ScheduleConfig | None = Field(
        default=None,
        description="The hours in which there is light: `dark` is told only then.",
        examples=[{"from": "07:00", "to": "20:00", "time_zone": "Europe/Paris"}],
    )


class ZoneConfig(Section):
    """A part of a camera's picture."""

    name: Name = Field(
        description="The zone's name, unique within the camera.", examples=["counter"]
    )
    polygon: Polygon = Field(
        description="Its corners, one after another around it: three or more [x, y], as fractions "
        "of the picture's width and height, from the upper left corner.",
        examples=[[[0.1, 0.2], [0.9, 0.2], [0.9, 1.0], [0.1, 1.0]]],
    )


class MaskConfig(Section):
    """A part of a camera's picture that nobody is to see."""

    polygon: MaskPolygon = Field(
        description="Its corners, as those of a zone.",
        examples=[[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3], [0.0, 0.3]]],
    )


class LineConfig(Section):
    """A line across a camera's picture, that is crossed in one direction or in the other."""

    name: Name = Field(description="The line's name, unique within the camera.", examples=["door"])
    points: Points = Field(
        description="Its two ends, [x, y] as fractions of the picture's width and height, from "
        "the upper left corner. Who crosses it from the left to the right of the way from the "
        "first to the second comes in.",
        examples=[[[0.2, 0.6], [0.8, 0.6]]],
    )


class CameraConfig(Section):
    """A camera, or a clip in place of one."""

    name: Name = Field(
        description="The camera's name, unique on the device; a level of its alerts' topics.",
        examples=["atm"],
    )
    source: Source = Field(
        description="Where its pictures come from.", examples=["rtsp://user:password@10.0.0.7/1"]
    )
    resolution: Pair[Pixels] | None = Field(
        default=None,
        description="Width and height in pixels to ask the camera for; by default its own choice.",
        examples=[[1280, 720]],
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        description="The most pictures a second to look at; by default all.",
        examples=[5],
    )
    closer_looks: float = Field(
        default=10.0,
        ge=0,
        description="The most looks a second at a part of the picture, larger, for people who are "
        "small in it; 0: none.",
        examples=[5],
    )
    stale_after: float = Field(
        default=5.0,
        gt=0,
        description="Seconds without a picture after which the camera counts as lost.",
        examples=[5.0],
    )
    motion: MotionConfig = Field(default=MotionConfig(), description="When the detector may rest.")
    health: HealthConfig = Field(
        default_factory=HealthConfig, description="What is told of the camera itself."
    )
    zones: Listed[ZoneConfig] = Field(
        default=(), description="Parts of the picture that rules name."
    )
    lines: Listed[LineConfig] = Field(
        default=(), description="Lines across the picture that rules name."
    )
    masks: Listed[MaskConfig] = Field(
        default=(), description="Parts of the picture that are made black before anything sees it."
    )
