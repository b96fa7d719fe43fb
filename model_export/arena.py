"""How much memory the interpreter plans for what flows through a model: its tensor arena."""

from __future__ import annotations

from typing import Any

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.litert import brief
from model_export.tflite_graph import TfliteModel

_PAGE = 4096


def arena_bytes(model: TfliteModel) -> int:
    """The bytes of the tensor arena, kernels' scratch included.

    The interpreter does not tell, but each tensor tells where it lies: this is what all that are
    no constants cover. It is taken without XNNPACK, which keeps a workspace of its own and leaves
    only inputs and outputs in the arena; so it is what tflite-runtime and microcontrollers need,
    and about what XNNPACK needs.

    Raises:
        ModelError: the interpreter rejects the file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = model.file.path
    try:
        interpreter = Interpreter(
            model_path=str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"model {path} is rejected by the interpreter: {brief(error)}") from error
    constants = {i for i, tensor in enumerate(model.graph.tensors) if tensor.constant}
    return covered(_places(interpreter, constants))


def _places(interpreter: Any, constants: set[int]) -> list[tuple[int, int]]:
    """Begin and end of each tensor that has memory of its own."""
    places = []
    for index in (detail["index"] for detail in interpreter.get_tensor_details()):
        if index in constants:
            continue
        try:
            view = interpreter.tensor(index)()
        except ValueError:  # it gets its memory when the model runs, or has none
            continue
        begin = int(view.__array_interface__["data"][0])
        places.append((begin, begin + view.nbytes))
    return places


def covered(places: list[tuple[int, int]]) -> int:
    """The bytes from first to last of each group of places that lie together."""
    places = sorted(places)
    total = 0
    first = last = places[0][0] if places else 0
    for begin, end in places:
        if begin > last + _PAGE:
            total += last - first
            first = begin
        last = max(last, end)
    return total + last - first
