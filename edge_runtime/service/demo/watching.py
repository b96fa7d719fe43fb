"""The demo's daemon: the real one, whose work is filmed.

``python -m edge_runtime.service.demo.watching CONFIG FOLDER`` watches until SIGUSR1 or the end of a
clip, then brings away what waits, and leaves the video and the contact sheet in FOLDER.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from edge_runtime.capture.camera import Pace
from edge_runtime.config import load
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.service import daemon, logs, ruling
from edge_runtime.service.demo.recorder import Recorder
from edge_runtime.service.demo.setting import THE_END


def main(config_path: Path, folder: Path) -> int:
    """Run it; the exit status."""
    with logs.configured(logs.LogFormat.TEXT):
        try:
            config = load(config_path)
            (camera,) = config.cameras
            with Recorder(folder, camera, ruling.zones(camera)) as recorder:
                filmed = daemon.Daemon(config, Pace.REAL, recorder.add)
                signal.signal(THE_END, lambda *_: filmed.finish())
                return filmed.run()
        except EdgeRuntimeError as error:
            logs.logger.critical("%s", error)
            return 1


if __name__ == "__main__":
    sys.exit(daemon.leave(main(Path(sys.argv[1]), Path(sys.argv[2]))))
