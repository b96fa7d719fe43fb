"""systemd's own word on a unit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def with_a_program(unit: Path, folder: Path) -> Path:
    """A copy of the unit in `folder` that starts a program that is there."""
    path = folder / unit.name
    text, count = re.subn(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
    assert count == 1
    path.write_text(text)
    return path


def verify(*units: Path) -> None:
    """Assert that nothing is wrong with them."""
    done = _analyze("verify", "--man=no", *map(str, units))
    assert done.returncode == 0, done.stderr
    for unit in units:
        assert unit.stem not in done.stderr, done.stderr


def exposure(unit: Path) -> float:
    """How far it is exposed, of ten."""
    done = _analyze("security", "--offline=yes", str(unit))
    overall = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert overall, done.stdout + done.stderr
    return float(overall[1])


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
