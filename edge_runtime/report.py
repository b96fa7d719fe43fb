"""What a device says of itself: the types of the topics ``status`` and ``health``.

They are dictionaries, as they are sent, and the type checker holds what builds them to what is
promised here; `edge_runtime.contract` makes the published schemas of the same types.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Status(TypedDict):
    """How a device is, retained; the last will says offline for it."""

    state: Literal["online", "degraded", "offline"]
    """degraded: it runs, and something is not as it should be."""
    reasons: NotRequired[list[str]]
    """Why it is degraded, a sentence each."""
    reason: NotRequired[str]
    """Why it is offline: `stopped`, or `connection lost` from the last will."""
    since: NotRequired[str]
    """When the process started, RFC 3339."""
    version: str
    """Of edge-runtime."""


class OutboxReport(TypedDict):
    """The alerts that wait on the device's disk."""

    depth: int
    """How many wait."""
    epoch: int
    """When the outbox was made, Unix microseconds: alerts are numbered within it."""
    committed: int
    """The highest number that was ever given in this epoch."""
    bytes: int
    """What its files take on the disk."""
    evicted: dict[str, int]
    """Alerts that had waited and were dropped since the start, of each severity."""
    refused: dict[str, int]
    """Alerts that found no room when they came, since the start, of each severity."""
    untold: int
    """Dropped alerts, since whenever, of which the centre is not known to know."""


class ChainReport(TypedDict):
    """How far the chain of alerts goes, signed with the device's key."""

    site: str
    device: str
    epoch: int
    first: int
    """The number of the first alert in the chain."""
    sequence: int
    """The number of the last one."""
    hash: str
    """The last one's."""
    time: str
    """When this was said, RFC 3339."""
    key: NotRequired[str]
    """Which key signed: 16 hexadecimal digits of its SHA-256."""
    signature: NotRequired[str]
    """Base64; what is signed, docs/alerts.md says."""
    unsigned: NotRequired[str]
    """Why there is no signature."""


class AcknowledgementReport(TypedDict):
    """How far the centre holds the alerts."""

    upto: int
    """The number up to which it holds all."""
    waiting: int
    """Alerts that the broker took and the centre has not acknowledged yet."""
    waiting_since: str | None
    """Since when such alerts wait and no acknowledgement came, RFC 3339; null where none wait."""
    refused: int
    """Acknowledgements that were not believed, since the start."""


class LinkReport(TypedDict):
    """The way to the broker."""

    link: str
    """`online`, or in which state it is instead."""
    since: str
    """Since when it is so, RFC 3339."""
    in_flight: int
    """Alerts that wait for the broker's answer."""
    delivered: int
    """How often the broker took an alert since the start."""
    resent: int
    """How often an alert went out that had gone out before."""
    set_aside: int
    """Alerts that the broker will not take; they stay on the disk."""
    held: str | None
    """Why alerts wait although the broker is there; null while they flow."""
    acknowledged: AcknowledgementReport | None
    """How far the centre is; null where the broker's word is enough."""
    last_error: str | None
    reconnects: int


class ModelReport(TypedDict):
    """Which model looks."""

    name: str
    version: str
    sha256: str
    """Of the .tflite file that runs."""


class CameraReport(TypedDict):
    """One camera."""

    name: str
    state: str
    """`connecting`, `live`, `stale`, `failed` or `ended`."""
    seconds_in_state: float
    last_frame_age: float | None
    """Seconds since the last frame; null before the first."""
    size: list[int | None] | None
    """Width and height of the last frame."""
    fps: float
    """Frames that arrive a second."""
    frames: int
    """How many arrived."""
    dropped: int
    """How many of them were replaced by a newer one before they were looked at."""
    reconnects: int
    conditions: list[str]
    """What is wrong with its picture: `covered`, `frozen` and the like; docs/camera-health.md."""
    state_changes: dict[str, int]
    """How often it came into each state."""
    last_error: str | None
    analysed: int
    """Frames that went through motion gate, tracker and rules."""
    looked: int
    """Frames that the detector looked at."""
    closer_looks: int
    """In how many of these it looked at a part once more, larger."""
    failed_inferences: int
    backend: str
    """What runs the model: `litert-cpu`, `edgetpu:0` …"""
    backend_state: str
    """`ok`, or `degraded`: on the CPU where a TPU is asked for."""
    backend_reason: str
    model: ModelReport
    latency_ms: dict[str, list[float]]
    """Of each stage of a frame's way: p50, p95 and p99 of the latest frames, in milliseconds."""


class Health(TypedDict):
    """All of a device in figures, retained, every 30 s and when something changes."""

    state: Literal["online", "degraded"]
    reasons: list[str]
    """Why it is degraded."""
    warnings: list[str]
    """What is as it was configured or ordered, and has to be known all the same."""
    version: str
    site: str
    device: str
    pid: int
    started: str
    """When the process started, RFC 3339."""
    time: str
    """When this was said, RFC 3339."""
    clock_synchronised: bool
    temperature: float | None
    """Of the processor, degrees Celsius; null where the board does not tell."""
    resident_mb: float
    """Memory of the process, in MB."""
    outbox: OutboxReport
    chain: ChainReport
    mqtt: LinkReport | None
    cameras: list[CameraReport]
