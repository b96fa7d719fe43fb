from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.config import ConfigError, load

Complain = Callable[..., list[str]]
"""Loads a text (or bytes) as ``atm.toml`` and gives what is printed, a line a problem."""


@pytest.fixture
def complain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complain:
    monkeypatch.chdir(tmp_path)

    def complain(text: str | bytes, *, check_files: bool = False) -> list[str]:
        path = Path("atm.toml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as caught:
            load(path, check_files=check_files)
        lines = str(caught.value).splitlines()
        assert len(lines) == len(caught.value.problems), "a sentence is one line"
        return lines

    return complain
