"""Runs a .tflite file with LiteRT, or with tflite-runtime where only that is installed."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge_runtime.inference.engine import InvokeError, ModelError, Tensor, TensorSpec

INPUT_TYPES = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32))


def runtime() -> tuple[str, ModuleType]:
    """The name and the interpreter module of the runtime that is installed.

    Raises:
        ModelError: neither is, or it cannot be imported.
    """
    try:
        from ai_edge_litert import interpreter
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ai_edge_litert":
            raise ModelError(f"ai-edge-litert cannot be imported: {brief(error)}") from error
    except ImportError as error:
        raise ModelError(f"ai-edge-litert cannot be imported: {brief(error)}") from error
    else:
        return "litert", interpreter
    if int(np.__version__.partition(".")[0]) >= 2 and _installed("tflite_runtime"):
        raise ModelError(
            f"tflite-runtime needs numpy below 2 and {np.__version__} is installed: "
            "install 'numpy<2', or ai-edge-litert in its place"
        )
    try:
        from tflite_runtime import interpreter
    except ModuleNotFoundError as error:
        raise ModelError(
            "nothing that runs models is installed: install ai-edge-litert (or tflite-runtime)"
        ) from error
    except ImportError as error:
        raise ModelError(f"tflite-runtime cannot be imported: {brief(error)}") from error
    return "tflite", interpreter


def _installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def brief(error: BaseException) -> str:
    """The first statement of a native error, which can run over pages."""
    text = " ".join(str(error).split())
    first = re.split(r"(?<=[a-z)\d])\.(?=\s|[A-Z]|$)| See instructions:", text, maxsplit=1)[0]
    return (first if len(first) <= 200 else first[:197] + "...").rstrip(". ") or repr(error)


class LiteRtEngine:
    """A model in the classic interpreter, loaded and run once on a grey picture.

    That first run makes the first frame as fast as the others, and tells the shapes of outputs
    that the file leaves open.

    Args:
        path: the .tflite file.
        threads: of the interpreter, at least 1.
        delegate: takes over the operators that it can run; None: the CPU runs all.
        backend: the name of what the delegate runs on.

    Raises:
        ModelError: the interpreter rejects the file, or the file has no picture input.
        InvokeError: the first run fails.
    """

    def __init__(
        self, path: Path, threads: int = 1, *, delegate: Any = None, backend: str | None = None
    ) -> None:
        name, module = runtime()
        self._path = path
        self._backend = backend or f"{name}-cpu"
        try:
            self._interpreter = module.Interpreter(
                model_path=str(path),
                num_threads=threads,
                experimental_delegates=None if delegate is None else [delegate],
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(_rejected(path, error)) from error
        self._input, self._input_index = _picture_input(path, self._interpreter)
        self._warm_up()
        details = self._interpreter.get_output_details()
        # Each call gives a view of the tensor as it is then.
        self._output_views = tuple(
            self._interpreter.tensor(int(detail["index"])) for detail in details
        )
        self._output_specs = tuple(_spec(detail) for detail in details)

    @property
    def backend(self) -> str:
        """What runs it."""
        return self._backend

    @property
    def input(self) -> TensorSpec:
        """The input tensor: 1 x H x W x C."""
        return self._input

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """The output tensors, in the model's order."""
        return self._output_specs

    def input_view(self) -> Tensor:
        """The input tensor's own memory as H x W x C; see `Engine`."""
        view: Tensor = self._interpreter.tensor(self._input_index)()[0]
        return view

    def invoke(self) -> None:
        """Run the model; raises InvokeError."""
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise InvokeError(
                f"{self._path.name} failed on {self._backend}: {brief(error)}"
            ) from error

    def outputs(self) -> tuple[Tensor, ...]:
        """Views of the output tensors; see `Engine`."""
        return tuple(view() for view in self._output_views)

    def _warm_up(self) -> None:
        # The middle of the type's range is grey; for float32 this is 0.
        self.input_view()[...] = 128 if self._input.dtype == np.uint8 else 0
        self.invoke()


def _picture_input(path: Path, interpreter: Any) -> tuple[TensorSpec, int]:
    details = interpreter.get_input_details()
    specs = [_spec(detail) for detail in details]
    if len(specs) == 1:
        spec = specs[0]
        shape = spec.shape
        picture = len(shape) == 4 and shape[0] == 1 and shape[3] in (1, 3) and min(shape[1:3]) > 1
        if picture and spec.dtype in INPUT_TYPES:
            return spec, int(details[0]["index"])
    raise ModelError(
        f"model {path} takes {', '.join(map(str, specs))}, which is not one picture: "
        "uint8, int8 or float32 [1, height, width, 1 or 3] is needed"
    )


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        name=str(detail["name"]),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _rejected(path: Path, error: Exception) -> str:
    unresolved = re.search(r"unresolved custom op: ([\w.-]*\w)", str(error))
    if unresolved:
        return (
            f"model {path} needs the operator {unresolved[1]}, which this runtime does not have: "
            "convert it without custom operators"
        )
    return f"model {path} is rejected by the interpreter: {brief(error)}"
