"""Runs Coral's edgetpu_compiler, or says how and where to run it.

It exists for Debian and Ubuntu on x86-64 only (https://coral.ai/docs/edgetpu/compiler/).
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import ModelError
from model_export.errors import ExportError

PROGRAM = "edgetpu_compiler"

TIMEOUT = 900.0
"""Seconds. The compiler itself gives up after 180 seconds of its own."""

_ON_TPU = re.compile(r"will run on Edge TPU: (\d+)")
_ON_CPU = re.compile(r"will run on CPU: (\d+)")
_PROBLEM = re.compile(r"(?i)error|fail|invalid|abort|not quantized|unsupported")

_KEY = "/usr/share/keyrings/coral-edgetpu.gpg"
_HOST = "https://packages.cloud.google.com/apt"


class CompilerError(ExportError):
    """The compiler could not be run, or made nothing of the model."""


class CompilerMissingError(CompilerError):
    """The compiler is not on PATH; the commands of `how_to` bring it and run it."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the compiler made.

    Attributes:
        path: the file for the Edge TPU.
        mapped, on_cpu: how many operators run where, as the compiler says; None: it said nothing.
        log: all that it said.
    """

    path: Path
    mapped: int | None
    on_cpu: int | None
    log: str

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine; the path as text."""
        return asdict(self) | {"path": str(self.path)}


def how_to(path: Path, folder: Path) -> tuple[str, ...]:
    """The commands that install the compiler and compile the model, one a line."""
    return (
        f"curl -fsSL {_HOST}/doc/apt-key.gpg | sudo gpg --dearmor -o {_KEY}",
        f'echo "deb [signed-by={_KEY}] {_HOST} coral-edgetpu-stable main" '
        "| sudo tee /etc/apt/sources.list.d/coral-edgetpu.list",
        f"sudo apt-get update && sudo apt-get install -y {PROGRAM.replace('_', '-')}",
        shlex.join([PROGRAM, "--show_operations", "--out_dir", str(folder), str(path)]),
    )


def compile_model(path: Path, folder: Path) -> Compiled:
    """Compile the model into `folder`, as ``NAME_edgetpu.tflite``.

    Nothing is left there unless the compiler made a file that uses the Edge TPU.

    Raises:
        ModelError: the model is missing, damaged or compiled already.
        CompilerMissingError: there is no compiler on PATH.
        CompilerError: it failed, or mapped nothing; or `folder` cannot be written.
    """
    if tflite_file.read(path).for_edgetpu:
        raise ModelError(f"model {path} is compiled for the Edge TPU already")
    program = shutil.which(PROGRAM)
    if program is None:
        raise CompilerMissingError(
            f"{PROGRAM} is not on PATH, so {path} was not compiled: it runs on Debian or Ubuntu on "
            "an x86-64 machine, with these commands"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside its place to be, so that it can be renamed into it.
        with tempfile.TemporaryDirectory(prefix=".edgetpu-", dir=folder) as scratch:
            return _run(program, path, Path(scratch), folder)
    except OSError as error:
        raise CompilerError(
            f"{error.filename or folder} cannot be used to compile {path}: {error.strerror}"
        ) from error


def _run(program: str, path: Path, scratch: Path, folder: Path) -> Compiled:
    try:
        done = subprocess.run(
            [program, "--show_operations", "--out_dir", str(scratch), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"{PROGRAM} did not end within {TIMEOUT:g} s on {path}") from error
    made = scratch / f"{path.stem}_edgetpu.tflite"
    if done.returncode or not made.is_file():
        raise CompilerError(f"{PROGRAM} did not compile {path}: {_problem(done.stdout)}")
    if not tflite_file.read(made).for_edgetpu:
        raise CompilerError(
            f"{PROGRAM} mapped no operator of {path} to the Edge TPU, so nothing was written: "
            "edge-export inspect says why"
        )
    target = folder / made.name
    made.replace(target)
    return Compiled(target, _count(_ON_TPU, done.stdout), _count(_ON_CPU, done.stdout), done.stdout)


def _problem(output: str) -> str:
    """The line in which the compiler names its problem, else its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = [line for line in lines if _PROBLEM.search(line)]
    return ([*named[:1], *lines[-1:]] or ["it said nothing"])[0].rstrip(".! ")


def _count(pattern: re.Pattern[str], output: str) -> int | None:
    found = pattern.search(output)
    return int(found[1]) if found else None
