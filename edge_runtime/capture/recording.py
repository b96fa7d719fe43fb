"""A recording read straight through: no thread, every picture, on the recording's own time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from edge_runtime.capture.source import SourceSettings
from edge_runtime.capture.sources import create_source
from edge_runtime.frame import Frame


def frames(settings: SourceSettings, start_wall: float | None = None) -> Iterator[Frame]:
    """Every frame of a source, one after another, as fast as they are taken.

    Args:
        settings: which source; its fps limits how many frames are seen.
        start_wall: Unix seconds of the recording's start; now, if not given. A frame's wall time
            is that plus its timestamp.

    Yields:
        Frames whose timestamp is the recording's own time in seconds from 0; of a live source, the
        time since its first picture.

    Raises:
        SourceError: the source cannot be opened, or fails.
    """
    wall = time.time() if start_wall is None else start_wall
    with closing(create_source(settings)) as source:
        source.open()
        number, first = 0, None
        while (picture := source.read()) is not None:
            first = picture.arrived if first is None else first
            live_time = picture.arrived - first
            timestamp = live_time if picture.media_time is None else picture.media_time
            yield Frame(picture.image, timestamp, wall + timestamp, number, picture.decode_seconds)
            number += 1
