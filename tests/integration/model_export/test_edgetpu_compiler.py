"""Coral's compiler is for other machines: a script stands for it that answers as its log does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.inference import tflite_file
from edge_runtime.inference.engine import ModelError
from model_export.edgetpu_compiler import (
    CompilerError,
    CompilerMissingError,
    compile_model,
    how_to,
)

HEAD = """#!/bin/sh
# As https://coral.ai/docs/edgetpu/compiler/ has it: --show_operations --out_dir DIR MODEL
test "$1 $2" = "--show_operations --out_dir" || exit 9
name=$(basename "$4" .tflite)
echo "Edge TPU Compiler version 16.0.384591198"
"""

Install = Callable[[str], None]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(script: str) -> None:
        path = tmp_path / "bin" / "edgetpu_compiler"
        path.parent.mkdir()
        path.write_text(HEAD + script)
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return install


@pytest.fixture
def model(data_dir: Path) -> Path:
    return data_dir / "models" / "mobilenet_v1_0.25_128_quant.tflite"


def test_what_the_compiler_makes_is_put_in_its_place(
    compiler: Install, model: Path, tmp_path: Path
) -> None:
    twin = shlex.quote(str(model.with_name(f"{model.stem}_edgetpu.tflite")))
    compiler(
        f'cp {twin} "$3/${{name}}_edgetpu.tflite"; touch "$3/${{name}}_edgetpu.log"\n'
        'echo "Number of operations that will run on Edge TPU: 31"\n'
        'echo "Number of operations that will run on CPU: 0"\n'
    )
    made = compile_model(model, tmp_path / "out")
    assert made.path == tmp_path / "out" / f"{model.stem}_edgetpu.tflite"
    assert (made.mapped, made.on_cpu) == (31, 0)
    assert tflite_file.read(made.path).for_edgetpu
    assert [path.name for path in (tmp_path / "out").iterdir()] == [made.path.name]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (
            'echo "Invalid model: $4"; echo "Model not quantized"; exit 1\n',
            r"did not compile .*quant\.tflite: Invalid model: .*quant\.tflite$",
        ),
        ('echo "Internal compiler error. Aborting! "; exit 134\n', "Internal compiler error"),
        ("exit 0\n", r"did not compile .*: Edge TPU Compiler version 16\.0\.384591198$"),
        ('cp "$4" "$3/${name}_edgetpu.tflite"\n', "mapped no operator of .* nothing was written"),
    ],
)
def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(
    script: str, problem: str, compiler: Install, model: Path, tmp_path: Path
) -> None:
    compiler(script)
    with pytest.raises(CompilerError, match=problem):
        compile_model(model, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_without_a_compiler_it_is_said_what_to_run_where(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    expected = "edgetpu_compiler is not on PATH, so .* on Debian or Ubuntu on an x86-64 machine"
    with pytest.raises(CompilerMissingError, match=expected):
        compile_model(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    commands = how_to(Path("my model.tflite"), Path("out"))
    assert commands[-1] == ("edgetpu_compiler --show_operations --out_dir out 'my model.tflite'")
    assert any("coral-edgetpu-stable main" in command for command in commands)
    assert any(re.search("apt-get install -y edgetpu-compiler", command) for command in commands)


def test_what_is_compiled_already_is_not_compiled_again(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is compiled for the Edge TPU already"):
        compile_model(model.with_name(f"{model.stem}_edgetpu.tflite"), tmp_path)


def test_a_folder_that_cannot_be_made_is_told_of(
    compiler: Install, model: Path, tmp_path: Path
) -> None:
    compiler("exit 0\n")
    (tmp_path / "file").touch()
    with pytest.raises(CompilerError, match=r"file.* cannot be used to compile .*: "):
        compile_model(model, tmp_path / "file" / "out")
