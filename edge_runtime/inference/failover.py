"""An Edge TPU with the CPU standing by.

The CPU's engine is loaded from the start. When the TPU fails at a frame, that same frame is run on
the CPU, and the following ones too, until a TPU has been opened and has run its first inference
in a thread beside: what a frame waits for is only the exchange. (One part cannot be kept away from
the frames: while libedgetpu opens a device, the runtime's binding holds Python's global lock. So a
device is only opened when libedgetpu lists it, and tries are spaced by `Backoff`.)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge_runtime.backoff import Backoff
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.engine import Engine, InvokeError, Tensor, TensorSpec


class EngineState(StrEnum):
    """Whether a model runs where it should."""

    OK = "ok"
    DEGRADED = "degraded"
    """On the CPU, although an Edge TPU is asked for or was in use."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What runs the model, and why that.

    Attributes:
        backend: ``litert-cpu``, ``tflite-cpu``, ``edgetpu:0`` ...
        state: ok or degraded.
        reason: one sentence.
    """

    backend: str
    state: EngineState
    reason: str


class _Attempt:
    """Opens a TPU in a thread of its own."""

    def __init__(self, open_tpu: Callable[[], Engine]) -> None:
        self.engine: Engine | None = None
        self.error = "opening it ended without a word"
        self._thread = threading.Thread(
            target=self._run, args=(open_tpu,), name="open-edgetpu", daemon=True
        )
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def _run(self, open_tpu: Callable[[], Engine]) -> None:
        try:
            self.engine = open_tpu()
        except EdgeRuntimeError as error:
            self.error = str(error)


class FailoverEngine:
    """An `Engine` that runs on a TPU while it can, and on the CPU while it cannot.

    Args:
        cpu: stands by; its input tensor is like the TPU's.
        open_tpu: opens the TPU and runs the model once; raises an EdgeRuntimeError.
        clock: seconds, monotonic.
        backoff: how long to wait before the TPU is tried again.
    """

    def __init__(
        self,
        cpu: Engine,
        open_tpu: Callable[[], Engine],
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._cpu = cpu
        self._open_tpu = open_tpu
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._delays = self._backoff.delays()
        self._attempt: _Attempt | None = None
        self._retry_at = 0.0
        self._since = clock()
        self._active = cpu
        # Replaced as a whole: others may read it from other threads.
        self._status = EngineStatus(cpu.backend, EngineState.OK, "")
        try:
            self._use(open_tpu())
        except EdgeRuntimeError as error:
            self._degrade(str(error))

    @property
    def backend(self) -> str:
        """What runs the next frame."""
        return self._active.backend

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU has taken over."""
        return self._active is self._cpu

    @property
    def status(self) -> EngineStatus:
        """What runs it, and why that; may be read from any thread."""
        return self._status

    @property
    def input(self) -> TensorSpec:
        """The input tensor: 1 x H x W x C."""
        return self._active.input

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """The output tensors."""
        return self._active.output_specs

    def input_view(self) -> Tensor:
        """The memory of the input tensor that `invoke` will read; see `Engine`."""
        if self.on_cpu:
            self._try_again()
        return self._active.input_view()

    def invoke(self) -> None:
        """Run the model, on the CPU if the TPU fails; raises InvokeError only if that fails too."""
        try:
            self._active.invoke()
        except InvokeError as error:
            if self.on_cpu:
                raise
            # The interpreter keeps what stands in its input tensor, whatever became of the run.
            np.copyto(self._cpu.input_view(), self._active.input_view())
            self._degrade(str(error))
            self._cpu.invoke()

    def outputs(self) -> tuple[Tensor, ...]:
        """Views of the output tensors; see `Engine`."""
        return self._active.outputs()

    def _use(self, tpu: Engine) -> None:
        self._active = tpu
        self._since = self._clock()
        self._status = EngineStatus(tpu.backend, EngineState.OK, f"runs on {tpu.backend}")

    def _degrade(self, reason: str) -> None:
        now = self._clock()
        if not self.on_cpu and now - self._since > self._backoff.longest:
            # It served for long: this is a new failure, not one that comes again and again.
            self._delays = self._backoff.delays()
        self._active = self._cpu
        self._retry_at = now + next(self._delays)
        self._status = EngineStatus(
            self._cpu.backend, EngineState.DEGRADED, f"runs on the CPU: {reason}"
        )

    def _try_again(self) -> None:
        """Begin to open the TPU when it is time to; take it, or wait longer, when that is over."""
        if self._attempt is None:
            if self._clock() >= self._retry_at:
                self._attempt = _Attempt(self._open_tpu)
        elif self._attempt.over:
            attempt, self._attempt = self._attempt, None
            if attempt.engine:
                self._use(attempt.engine)
            else:
                self._degrade(attempt.error)
