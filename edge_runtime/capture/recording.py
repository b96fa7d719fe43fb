"""A recording read straight through: no thread, every picture, on the recording's own time."""

from __future__ import annotations

import time
from collections.abc import Iterator

from edge_runtime.capture.source import SourceError, SourceInfo, SourceSettings
from edge_runtime.capture.sources import create_source
from edge_runtime.frame import Frame


class Recording:
    """Every frame of a source, one after another, as fast as they are taken.

    A context manager; iterate over it once. The frames' timestamps are the recording's own time
    in seconds from 0; of a live source, the time since its first picture.
    """

    def __init__(self, settings: SourceSettings, start_wall: float | None = None) -> None:
        """Open the source.

        Args:
            settings: which source; its fps limits how many frames are seen.
            start_wall: Unix seconds of the recording's start; now, if not given. A frame's wall
                time is that plus its timestamp.

        Raises:
            SourceError: the source cannot be opened.
        """
        self._wall = time.time() if start_wall is None else start_wall
        self._source = create_source(settings)
        try:
            self.info: SourceInfo = self._source.open()
        except SourceError:
            self._source.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Frame]:
        """The frames; raises SourceError where the source fails."""
        number, first = 0, None
        while (picture := self._source.read()) is not None:
            first = picture.arrived if first is None else first
            live_time = picture.arrived - first
            at = live_time if picture.media_time is None else picture.media_time
            yield Frame(picture.image, at, self._wall + at, number, picture.decode_seconds)
            number += 1
