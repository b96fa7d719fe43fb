"""Makes of a model what the Edge TPU's compiler would: part of it becomes edgetpu-custom-op.

Here that part is every RESHAPE, which the fake Edge TPU can do by copying bytes.
"""

from __future__ import annotations

from pathlib import Path


def make_twin(model: Path, twin: Path) -> Path:
    """Write `twin`, the file of `model` for the fake Edge TPU."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.read_bytes()))
    reshapes = [
        index
        for index, code in enumerate(tree.operatorCodes)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.RESHAPE
    ]
    for index in reshapes:
        code = tree.operatorCodes[index]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"edgetpu-custom-op"
    for operator in tree.subgraphs[0].operators:
        if operator.opcodeIndex in reshapes:
            operator.builtinOptionsType, operator.builtinOptions = 0, None
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    twin.write_bytes(builder.Output())
    return twin
