"""What the plain install weighs, and how soon its command answers.

python -m benchmarks.install_size    # prints the tables; needs the package index
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

from benchmarks.material import ROOT

RUNS = 20
_SMALL_MB = 1.0
"""Packages below this share one line."""


def table() -> str:
    """Install the wheel into an empty environment: its sizes and times as markdown tables."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "environment")
        _install(environment, Path(folder, "dist"))
        return f"{_sizes(environment)}\n\n{_times(environment)}"


def _install(environment: Path, dist: Path) -> None:
    # By way of a source distribution: nothing that lies about in build/ gets in.
    _quietly(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))
    (wheel,) = dist.glob("*.whl")
    _quietly(sys.executable, "-m", "venv", "--without-pip", str(environment))
    pip = (sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"))
    _quietly(*pip, "install", "--only-binary", ":all:", str(wheel))


def _quietly(*command: str) -> None:
    """Run `command`; its output is shown only where it fails."""
    run = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if run.returncode:
        raise SystemExit(f"{' '.join(command)}\n{run.stdout}")


def _sizes(environment: Path) -> str:
    (site,) = environment.glob("lib/python3*/site-packages")
    weights = {
        f"{each.name} {each.version}": _megabytes(each) for each in distributions(path=[str(site)])
    }
    large = {name: size for name, size in weights.items() if size >= _SMALL_MB}
    rows = sorted(large.items(), key=lambda item: -item[1])
    small = len(weights) - len(large)
    rows.append((f"{small} more", sum(weights.values()) - sum(large.values())))
    rows.append(("**all**", sum(weights.values())))
    lines = (f"| {name} | {size:.1f} |" for name, size in rows)
    return "| package | MB (10⁶ bytes, as installed) |\n|---|---|\n" + "\n".join(lines)


def _megabytes(distribution: Distribution) -> float:
    paths = (Path(str(file.locate())) for file in distribution.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _times(environment: Path) -> str:
    python = str(environment / "bin" / "python")
    # -P: the package that was installed, not the one in the folder from which this is called.
    commands = {
        "`python -c pass`": (python, "-P", "-c", "pass"),
        "`python -c 'import edge_runtime'`": (python, "-P", "-c", "import edge_runtime"),
        "`edge-runtime --help`": (str(environment / "bin" / "edge-runtime"), "--help"),
    }
    lines = (f"| {name} | {_median_ms(command):.0f} |" for name, command in commands.items())
    return f"| command | ms (median of {RUNS}) |\n|---|---|\n" + "\n".join(lines)


def _median_ms(command: tuple[str, ...]) -> float:
    took = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - start)
    # The first run fills the caches.
    return statistics.median(took[1:]) * 1000


if __name__ == "__main__":
    print(table())
