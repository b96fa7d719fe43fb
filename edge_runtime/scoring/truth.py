"""The truth about a clip, as a person writes it down: docs/truth.md describes the file."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.scoring.events import Event
from edge_runtime.tracks import Box

Sighting = tuple[float, float, float, float, float]
"""Seconds, then x1, y1, x2, y2 in 0..1 of the picture."""


class TruthError(EdgeRuntimeError):
    """A truth file that cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class TrueTrack(_Part):
    """Where one object is while it is in view without a break.

    Attributes:
        id: whose it is; somebody who comes again has the same in another track.
        label: the object's class.
        boxes: at which moments it is where, the moments rising; in between it moves evenly.
    """

    id: int
    label: str = "person"
    boxes: Annotated[tuple[Sighting, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        moments = [row[0] for row in self.boxes]
        if any(later <= earlier for earlier, later in itertools.pairwise(moments)):
            raise ValueError("the seconds of its boxes have to rise")
        _check_boxes(row[1:] for row in self.boxes)
        return self

    def at(self, now: float) -> Box | None:
        """Where it is at `now` (s); None where it is not in view."""
        after = bisect_right(self.boxes, now, key=lambda row: row[0])
        if after == 0:
            return None
        before, *box = self.boxes[after - 1]
        if after == len(self.boxes):
            return _box(box) if now == before else None
        then, *later = self.boxes[after]
        part = (now - before) / (then - before)
        return _box(a + part * (b - a) for a, b in zip(box, later, strict=True))


class Truth(_Part):
    """All that is to be told of a clip.

    Attributes:
        version: of the form of the file.
        clip: which it is about, for people.
        kinds: of which kinds all events are there; alerts of others are not judged. None: all.
        events: what happens.
        tracks: who is where; empty where nobody wrote that down.
    """

    version: Literal[1]
    clip: str = ""
    kinds: tuple[str, ...] | None = None
    events: tuple[Event, ...]
    tracks: tuple[TrueTrack, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for event in self.events:
            if self.kinds is not None and event.kind not in self.kinds:
                raise ValueError(f"there is an event of the kind {event.kind!r}, not in kinds")
            _check_boxes(event.boxes)
        return self

    def kind_of(self, rule: str, name: str) -> str | None:
        """The kind by which an alert of the rule `name`, of kind `rule`, is judged.

        An event's kind may be the name of a rule, where a configuration has two of one kind, and
        is the condition in an alert about the camera. None where the truth says nothing of it.
        """
        known = self.kinds or {event.kind for event in self.events}
        if name in known:
            return name
        return rule if self.kinds is None or rule in self.kinds else None


def read_truth(path: Path) -> Truth:
    """The truth in the file `path`; raises TruthError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise TruthError(f"the truth file {path} cannot be read: {error.strerror}") from error
    try:
        return Truth.model_validate_json(text)
    except ValidationError as error:
        raise TruthError(f"the truth file {path} is not right: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong, with its place: ``events[2].start: ...``."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    match first["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            what = "there is no such key"
        case "missing":
            what = "it is missing"
    return f"{place.lstrip('.')}: {what}" if place else what


def _check_boxes(boxes: Iterable[Iterable[float]]) -> None:
    for x1, y1, x2, y2 in boxes:
        if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
            raise ValueError(
                f"a box is x1, y1, x2, y2 in 0..1 of the picture, not {x1}, {y1}, {x2}, {y2}"
            )


def _box(numbers: Iterable[float]) -> Box:
    x1, y1, x2, y2 = numbers
    return x1, y1, x2, y2
