from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.engine import ModelError
from edge_runtime.inference.litert import LiteRtEngine, brief, runtime


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    def without(*packages: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in packages:
                monkeypatch.delitem(sys.modules, name)
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return without


def test_without_any_runtime_one_sentence_says_what_to_install(without) -> None:
    without("ai_edge_litert", "tflite_runtime")
    with pytest.raises(ModelError, match=r"^nothing that runs models is installed: install ai-"):
        runtime()


def test_tflite_runtime_that_does_not_fit_numpy_is_one_sentence(
    without, tmp_path: Path, monkeypatch
) -> None:
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("raise ImportError('_ARRAY_API not found')")
    without("ai_edge_litert", "tflite_runtime")
    monkeypatch.delitem(sys.modules, "tflite_runtime")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(ModelError, match=r"needs numpy below 2 and 2\.4\.6 is installed"):
        runtime()
    monkeypatch.setattr(np, "__version__", "1.26.4")
    with pytest.raises(ModelError, match="tflite-runtime cannot be imported: _ARRAY_API not found"):
        runtime()


def test_the_input_is_the_tensors_own_memory(data_dir: Path) -> None:
    engine = LiteRtEngine(data_dir / "models" / "vww_96_int8.tflite")
    engine.input_view()[...] = 17
    assert np.all(engine.input_view() == 17)
    engine.invoke()
    assert (engine.input.shape, engine.input.dtype) == ((1, 96, 96, 3), np.int8)
    assert [str(spec) for spec in engine.output_specs] == ["int8[1,2]"]


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ("one thing failed.Tensor 3 has it. And more.", "one thing failed"),
        ("must be in [0, 1). Was 3.Tensor 33 has", "must be in [0, 1)"),
        ("a\nb  c", "a b c"),
        ("libx.so.1: cannot open shared object file", "libx.so.1: cannot open shared object file"),
        ("", "ValueError('')"),
        ("x" * 500, "x" * 197),
    ],
)
def test_native_errors_are_cut_to_their_first_statement(native: str, expected: str) -> None:
    assert brief(ValueError(native)) == expected
