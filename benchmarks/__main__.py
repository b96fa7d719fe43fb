"""Measures the numbers that the project is built to, and writes docs/benchmarks.md.

make bench                                  # all of it, about five minutes
make bench ARGS="--memory 60"               # the memory row after an hour
make bench ARGS="--only cameras"            # one part anew; the others keep their day
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import alert_latency, daemon, frame_path, gate, install_size
from benchmarks.material import DATA, ROOT, Row

OUTPUT = ROOT / "docs" / "benchmarks.md"
FIGURES = OUTPUT.with_suffix(".json")


def parts(minutes: float) -> dict[str, Callable[[], Any]]:
    """What can be measured, in the order of the page's rows; the long one comes last in time."""
    return {
        "frame": frame_path.measure,
        "rules": frame_path.everything,
        "commit": alert_latency.arrival_to_commit,
        "puback": alert_latency.commit_to_puback,
        "start": daemon.start,
        "cameras": daemon.cameras,
        "gate": gate.saving,
        "sizes": install_size.table,
        "memory": partial(daemon.memory, minutes),
    }


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--memory", type=float, default=2.0, metavar="MINUTES")
    parser.add_argument("--only", choices=list(parts(0)), action="append")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"the real clip and model are needed in {DATA} (or EDGE_TEST_DATA)", file=sys.stderr)
        return 1

    figures = json.loads(FIGURES.read_text()) if arguments.only and FIGURES.exists() else {}
    for name, measure in parts(arguments.memory).items():
        if not arguments.only or name in arguments.only:
            figures[name] = {"on": f"{datetime.now(UTC):%Y-%m-%d}", "found": _plain(measure())}
    figures["machine"] = _machine()
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    OUTPUT.write_text(_page(figures))
    print(OUTPUT.read_text())
    return 0


def _plain(found: Any) -> Any:
    """As JSON has it: a row, a row and a table, or a table."""
    if isinstance(found, tuple):
        return [_plain(each) for each in found]
    return asdict(found) if isinstance(found, Row) else found


def _page(figures: dict[str, Any]) -> str:
    frame, stages = figures["frame"]["found"]
    rows = [_row(frame, figures["frame"]["on"])]
    rows += [
        _row(part["found"], part["on"])
        for part in (figures[name] for name in parts(0) if name not in ("frame", "sizes"))
    ]
    table = "\n".join(rows)
    return f"""# Benchmarks

Written by `make bench`; do not edit. Clip and model: the test data's
`one-by-one-person-detection.mp4` and `ssd_mobilenet_v1_coco_quant_300.tflite`. The machine:
{figures["machine"]}.
Machines differ and are noisy: trust the ratios within one run more than the milliseconds.

| what | aim | found | met | on |
|---|---|---|---|---|
{table}

## The stages of a frame, motion gate working, every frame looked at

{stages}

## The plain install

{figures["sizes"]["found"]}
"""


def _row(row: dict[str, Any], on: str) -> str:
    return f"{Row(**row)} {on} |"


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
