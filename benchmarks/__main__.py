"""Measures the numbers that the project is built to, and writes docs/benchmarks.md.

make bench                          # all of it, about five minutes
make bench ARGS="--memory 60"       # the memory row after an hour
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import alert_latency, daemon, frame_path, gate, install_size
from benchmarks.material import DATA, ROOT

OUTPUT = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--memory", type=float, default=2.0, metavar="MINUTES")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"the real clip and model are needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1

    rows, stages = frame_path.measure()
    rows.append(alert_latency.arrival_to_commit())
    rows.append(alert_latency.commit_to_puback())
    rows.append(daemon.start())
    rows.append(daemon.cameras())
    rows.append(gate.saving())
    sizes = install_size.table()
    # The long one comes last, so that all that is timed meets the same machine.
    rows.append(daemon.memory(arguments.memory))
    table = "\n".join(map(str, rows))
    arguments.output.write_text(_page(table, stages, sizes))
    print(arguments.output.read_text())
    return 0


def _page(rows: str, stages: str, sizes: str) -> str:
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; do not edit. Clip and model: the test
data's `one-by-one-person-detection.mp4` and `ssd_mobilenet_v1_coco_quant_300.tflite`. The machine:
{_machine()}. Machines differ and are noisy: trust the ratios within one run more than the
milliseconds.

| what | aim | found | met |
|---|---|---|---|
{rows}

## The stages of a frame, motion gate working, every frame looked at

{stages}

## The plain install

{sizes}
"""


def _machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith(("model name", "Model"))),
        platform.machine(),
    )  # fmt: skip
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("ai-edge-litert", "opencv-python-headless", "numpy")
    )
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    sys.exit(main())
