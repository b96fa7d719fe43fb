"""The daemon as a whole: its start, its memory, how many cameras it carries."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.material import CLIP, MODEL, Row, configuration
from edge_runtime.service.control import SOCKET_NAME, ask

_EDGE_RUNTIME = (sys.executable, "-m", "edge_runtime.cli")
_RULE = '[[rules]]\nkind = "presence"\n'


class _Daemon:
    """A daemon process for the time of a with-block."""

    def __init__(self, config: Path) -> None:
        self._socket = config.parent / "state" / SOCKET_NAME
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [*_EDGE_RUNTIME, "run", str(config)], stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> _Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def seconds_to(self, text: str) -> float:
        """Read the log up to a line with `text`; seconds since the start."""
        assert self._process.stderr
        seen = []
        for line in self._process.stderr:
            seen.append(line)
            if re.search(text, line):
                return time.monotonic() - self.began
        raise RuntimeError(f"no {text!r} in the daemon's log:\n{''.join(seen)}")

    def status(self) -> dict[str, Any]:
        return ask(self._socket)


def start(runs: int = 7) -> Row:
    """From the start of the process to the first inference on a frame."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        camera = f'[[cameras]]\nname = "clip"\nsource = "{CLIP}"\n'
        config = configuration(Path(name), camera, rules=_RULE)
        for _ in tqdm(range(runs), desc="start", unit="run"):
            with _Daemon(config) as daemon:
                found.append(daemon.seconds_to("first inference"))
    median = float(np.median(found))
    return Row(
        "daemon start -> first inference (CPU)",
        "<= 1.5 s",
        f"{median:.2f} s (median of {runs}, longest {max(found):.2f})",
        median <= 1.5,
    )


def memory(minutes: float) -> Row:
    """One 720p camera at 10 frames a second, one detector, every frame looked at."""
    samples = []
    with tempfile.TemporaryDirectory() as name:
        camera = (
            '[[cameras]]\nname = "hall"\nsource = "synthetic:?width=1280&height=720&fps=10"\n'
            "[cameras.motion]\nenabled = false\n"
        )
        with _Daemon(configuration(Path(name), camera, rules=_RULE)) as daemon:
            daemon.seconds_to("first inference")
            for _ in tqdm(range(max(2, int(minutes * 6))), desc="memory", unit="x10 s"):
                time.sleep(10)
                samples.append(daemon.status()["resident_mb"])
    half = len(samples) // 2
    growth = float(np.mean(samples[half:]) - np.mean(samples[:half]))
    return Row(
        f"resident memory, one 720p camera, one detector, after {minutes:g} minutes",
        "<= 150 MB, flat (after an hour)",
        f"{samples[-1]:.0f} MB; mean of the second half less that of the first: {growth:+.1f} MB",
        samples[-1] <= 150 and growth < 2,
    )


def cameras(seconds: float = 10.0, fps: int = 5) -> Row:
    """How many cameras run without drops, beside what the bare invoke would allow."""
    allowed = _allowed(fps)
    wanted = ceil(allowed * 0.85)
    # The largest number without a drop: `good` is one, `bad` is none.
    good, bad, tried = 0, wanted + 1, []
    count = wanted
    while bad - good > max(1, wanted // 12):
        dropped, analysed = _drops(count, fps, seconds)
        tried.append(f"{count}: {dropped} of {analysed + dropped} dropped")
        good, bad = (count, bad) if dropped == 0 else (good, count)
        count = (good + bad) // 2
    count = good
    return Row(
        f"cameras at {fps} fps, SSD MobileNet 300, on 2 cores, no drops",
        f"within 15% of what invoke time allows ({allowed:.1f})",
        f"{count} ({count / allowed:.0%}; tried {'; '.join(tried)})",
        count >= wanted,
    )


def _allowed(fps: int, seconds: float = 8.0) -> float:
    """Cameras that two cores could serve if there were nothing but the invoke."""
    loop = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from edge_runtime.inference.litert import LiteRtEngine\n"
        "engine = LiteRtEngine(Path(sys.argv[1]))\n"
        "began, count = time.monotonic(), 0\n"
        "while (passed := time.monotonic() - began) < float(sys.argv[2]):\n"
        "    engine.invoke()\n"
        "    count += 1\n"
        "print(count / passed)\n"
    )
    command = [sys.executable, "-c", loop, str(MODEL), str(seconds)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return sum(float(process.communicate()[0]) for process in both) / fps


def _drops(count: int, fps: int, seconds: float) -> tuple[int, int]:
    source = f"synthetic:?width=768&height=432&fps={fps}"
    tables = "".join(
        f'[[cameras]]\nname = "c{n}"\nsource = "{source}&seed={n}"\n'
        "[cameras.motion]\nenabled = false\n"
        for n in range(count)
    )
    with (
        tempfile.TemporaryDirectory() as name,
        _Daemon(configuration(Path(name), tables, rules=_RULE)) as daemon,
    ):
        daemon.seconds_to("ready")
        time.sleep(5)  # until all have started
        before = _counts(daemon.status())
        for _ in tqdm(range(int(seconds)), desc=f"{count} cameras", unit="s"):
            time.sleep(1)
        after = _counts(daemon.status())
    return after[0] - before[0], after[1] - before[1]


def _counts(status: dict[str, Any]) -> tuple[int, int]:
    of = status["cameras"]
    return sum(c["dropped"] for c in of), sum(c["analysed"] for c in of)
