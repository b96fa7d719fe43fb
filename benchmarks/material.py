"""What the benchmarks run on, and the form of what they find."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("EDGE_TEST_DATA", ROOT.parent / "shared" / "data"))
CLIP = DATA / "clips" / "one-by-one-person-detection.mp4"
MODEL = DATA / "models" / "ssd_mobilenet_v1_coco_quant_300.tflite"
LABELS = DATA / "labels" / "coco_labels.txt"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what was aimed at, what was found."""

    what: str
    aim: str
    found: str
    met: bool | None
    """None where there is no aim."""

    def __str__(self) -> str:
        verdict = {True: "yes", False: "**no**", None: ""}[self.met]
        return f"| {self.what} | {self.aim} | {self.found} | {verdict} |"


def configuration(folder: Path, cameras: str, *, mqtt: str = "", rules: str = "") -> Path:
    """A configuration file in `folder` for the benchmarks' model and these tables."""
    path = folder / "edge-runtime.toml"
    path.write_text(
        f'[device]\nsite = "bench"\nname = "board"\nstate_dir = "{folder / "state"}"\n'
        f'[model]\npath = "{MODEL}"\nlabels = "{LABELS}"\ndevice = "cpu"\n'
        f"{mqtt}\n{cameras}\n{rules}\n"
    )
    return path
