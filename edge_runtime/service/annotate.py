"""`edge-runtime annotate`: a draft of a truth file, from what the rules tell of a clip.

Who corrects a draft is faster than who begins with nothing; who leaves it as it is measures the
rules against themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from edge_runtime.alerts.alert import AlertData, AlertEvent, AlertState
from edge_runtime.frame import Frame
from edge_runtime.scoring.events import WITHIN
from edge_runtime.service.contact_sheet import EventSheet
from edge_runtime.service.pipeline import Analysed
from edge_runtime.service.replay import Replay, replay
from edge_runtime.tracks import Track, TrackState

_BETWEEN_BOXES = 0.5
"""Seconds between two boxes of a track in a draft."""
_BREAK = 1.0
"""Seconds without a sighting after which a track goes on as another stretch."""


def draft(
    what: Replay, title: str, *, tracks: bool, progress: bool, sheet: EventSheet | None = None
) -> str:
    """The text of a truth file for the clip of `what`, called `title`; raises EdgeRuntimeError.

    Args:
        what: the clip, and how it is analysed.
        title: what the file says it is about.
        tracks: whether it has the tracks, too.
        progress: whether to show a progress bar on standard error.
        sheet: gets each frame; None for no sheet. It is not written here.
    """
    started: dict[str, AlertData] = {}
    events: list[dict[str, Any]] = []
    walks = _Walks()
    kinds = [str(rule.kind) for rule in what.rules]
    shared = {kind for kind in kinds if kinds.count(kind) > 1}

    def hear(event: AlertEvent) -> None:
        told = event.data
        if told.state is AlertState.STARTED:
            started[told.incident] = told
        elif told.state is AlertState.ENDED:
            events.append(_event(started.pop(told.incident), told, shared))

    def see(frame: Frame, analysed: Analysed) -> None:
        if tracks:
            walks.add(frame.timestamp, analysed.tracks)
        if sheet is not None:
            sheet.add(frame, analysed)

    replay(what, hear, None, progress=progress, see=see)
    events.sort(key=lambda event: event["start"])
    return _text(title, events, walks.stretches())


class _Walks:
    """Collects where each track is, in stretches without a break."""

    def __init__(self) -> None:
        self._stretches: list[tuple[Track, list[list[float]]]] = []
        self._open: dict[int, int] = {}

    def add(self, now: float, tracks: Iterable[Track]) -> None:
        for track in tracks:
            if track.state is not TrackState.CONFIRMED:
                continue
            at = self._open.get(track.id)
            if at is None or now - self._stretches[at][1][-1][0] > _BREAK:
                self._open[track.id] = len(self._stretches)
                self._stretches.append((track, []))
            rows = self._stretches[self._open[track.id]][1]
            row = [round(now, 3), *(round(min(max(side, 0.0), 1.0), 4) for side in track.box)]
            # The latest box always stands there, so that the stretch ends where the track does.
            if len(rows) > 1 and now - rows[-2][0] < _BETWEEN_BOXES:
                rows[-1] = row
            else:
                rows.append(row)

    def stretches(self) -> list[dict[str, Any]]:
        return [
            {"id": track.id, "label": track.label, "boxes": rows} for track, rows in self._stretches
        ]


def _event(started: AlertData, ended: AlertData, shared: set[str]) -> dict[str, Any]:
    """An incident as an event; by the rule's name where several rules are of one kind."""
    start = started.media_time or 0.0
    by_name = started.rule in shared or started.rule == "camera-health"
    event: dict[str, Any] = {
        "kind": started.name if by_name else started.rule,
        "start": round(start, 2),
        "end": round(max(ended.media_time or 0.0, start + 0.01), 2),
    }
    if started.decided_after > WITHIN:
        event["due"] = round(start + started.decided_after, 2)
    return event


def _text(title: str, events: list[dict[str, Any]], tracks: list[dict[str, Any]]) -> str:
    """JSON with an event or a track a line, to be edited by hand."""
    parts = [
        '  "version": 1',
        f'  "clip": {json.dumps(title)}',
        f'  "events": {_lines(events)}',
    ]
    if tracks:
        parts.append(f'  "tracks": {_lines(tracks)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(entries: list[dict[str, Any]]) -> str:
    if not entries:
        return "[]"
    return "[\n" + ",\n".join(f"    {json.dumps(entry)}" for entry in entries) + "\n  ]"
