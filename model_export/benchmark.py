"""Models side by side: what they weigh, and how long an inference takes on this machine.

A shared or throttled machine is fast in one second and slow in the next. So the models take turns,
each for a few inferences, and all of them meet the same weather: the ratios hold where the
milliseconds do not.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.inference.engine import Engine
from edge_runtime.inference.litert import LiteRtEngine
from edge_runtime.inference.trial import trial
from model_export import layers, tflite_graph
from model_export.arena import arena_bytes
from model_export.errors import ExportError

TURN = 5
"""Timed inferences a turn; one before them is not timed: it fetches the model into the caches."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """The time of one inference on so many threads.

    Attributes:
        threads: of the interpreter.
        runs: how many were timed.
        p50, p95: in milliseconds.
        ratio: its p50 over that of the first model on one thread.
    """

    threads: int
    runs: int
    p50: float
    p95: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One model.

    Attributes:
        path: the file.
        bytes, gzip_bytes: its size, and that of its compressed download (gzip, level 9).
        parameters: weights and biases.
        macs: multiply-accumulates an inference.
        arena_bytes: the interpreter's memory for values; see `arena`.
        invokes: by threads.
    """

    path: Path
    bytes: int
    gzip_bytes: int
    parameters: int
    macs: int
    arena_bytes: int
    invokes: tuple[Invoke, ...]

    def as_dict(self) -> dict[str, Any]:
        """The figures for a machine; the path as text."""
        return asdict(self) | {"path": str(self.path)}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was measured, and on what.

    Attributes:
        backend: what ran the models.
        processor: as the system names it, or "".
        cores: that this process may use.
        models: in the order in which they were named.
    """

    backend: str
    processor: str
    cores: int
    models: tuple[Figures, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a machine."""
        return asdict(self) | {"models": [figures.as_dict() for figures in self.models]}


def benchmark(
    paths: Sequence[Path],
    *,
    runs: int = 100,
    threads: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> Benchmark:
    """Weigh and time the models.

    Args:
        paths: of .tflite files with one picture input.
        runs: timed inferences of each model on each number of threads, 1 or more.
        threads: measure on 1, 2 ... so many threads.
        progress: is told the share of the work that is done, 0..1.

    Raises:
        ExportError: an argument is out of its range.
        ModelError: a model cannot be used.
        InvokeError: an inference fails.
    """
    if not paths:
        raise ExportError("there is no model to measure: name one or more .tflite files")
    if runs < 1 or threads < 1:
        raise ExportError("runs and threads are 1 or more")
    for path in paths:
        tflite_graph.read(path)  # a file that is no model is told of before it is run
        trial(path)
    runners = [
        [_Runner(LiteRtEngine(path, count)) for count in range(1, threads + 1)] for path in paths
    ]
    _take_turns([runner for of_model in runners for runner in of_model], runs, progress)
    first = runners[0][0].p50()
    return Benchmark(
        backend=runners[0][0].engine.backend,
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        models=tuple(
            _figures(path, tuple(runner.invoke(n, first) for n, runner in enumerate(of_model, 1)))
            for path, of_model in zip(paths, runners, strict=True)
        ),
    )


@dataclass(slots=True)
class _Runner:
    engine: Engine
    nanoseconds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Noise, always the same: some operators take longer where there is something to see.
        view = self.engine.input_view()
        noise = np.random.default_rng(0).integers(0, 256, view.shape, np.uint8)
        is_float = view.dtype == np.float32
        view[...] = noise.astype(np.float32) / 255 if is_float else noise.view(view.dtype)

    def turn(self, count: int) -> None:
        invoke, clock, note = self.engine.invoke, time.perf_counter_ns, self.nanoseconds.append
        invoke()
        for _ in range(count):
            began = clock()
            invoke()
            note(clock() - began)

    def p50(self) -> float:
        return float(np.median(self.nanoseconds)) / 1e6

    def invoke(self, threads: int, first: float) -> Invoke:
        p50, p95 = np.percentile(self.nanoseconds, (50, 95)) / 1e6
        return Invoke(threads, len(self.nanoseconds), float(p50), float(p95), float(p50) / first)


def _take_turns(runners: list[_Runner], runs: int, progress: Callable[[float], None]) -> None:
    """All runners in turn until each has its runs; who follows whom changes with each round."""
    order = np.random.default_rng(0)
    done = 0
    while done < runs:
        count = min(TURN, runs - done)
        for index in order.permutation(len(runners)):
            runners[index].turn(count)
        done += count
        progress(done / runs)


def _figures(path: Path, invokes: tuple[Invoke, ...]) -> Figures:
    model = tflite_graph.read(path)
    return Figures(
        path=path,
        bytes=model.bytes,
        gzip_bytes=len(gzip.compress(path.read_bytes(), 9, mtime=0)),
        parameters=sum(tensor.size for tensor in model.parameters()),
        macs=sum(layers.macs(model.graph, operator) for operator in model.graph.operators),
        arena_bytes=arena_bytes(model),
        invokes=invokes,
    )


def _processor() -> str:
    """What /proc/cpuinfo calls it: the model name, or the board on those that state no name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    fields = {key.strip(): value.strip() for key, _, value in (li.partition(":") for li in lines)}
    return fields.get("model name") or fields.get("Model") or ""
