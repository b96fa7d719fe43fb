"""What the outputs of a model mean: one module a kind.

A new kind is a new module with the names of `kind.OutputKind`, and its entry in `KINDS`.
"""

from __future__ import annotations

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.outputs import blazeface, classifier, ssd, yolo
from edge_runtime.inference.outputs.kind import ModelOutputs, OutputKind

KINDS: tuple[OutputKind, ...] = (ssd, blazeface, yolo, classifier)
"""All kinds, in the order in which they are tried."""

AUTO = "auto"


def kind_of(outputs: ModelOutputs, name: str = AUTO) -> OutputKind:
    """The kind that is called `name`, or with "auto" the first that these outputs match.

    Raises:
        ModelError: there is none, or the outputs are not of the kind that is asked for.
    """
    known = ", ".join(kind.NAME for kind in KINDS)
    found = ", ".join(map(str, outputs.specs))
    asked = [kind for kind in KINDS if name in (AUTO, kind.NAME)]
    if not asked:
        raise ModelError(f'there is no output kind "{name}": known are {known}, and {AUTO}')
    for kind in asked:
        if kind.matches(outputs):
            return kind
    wanted = "of no known kind" if name == AUTO else f"not those of {name}"
    raise ModelError(
        f"the outputs of model {outputs.file.path} are {wanted}: found {found}; known are {known}"
    )
