from __future__ import annotations

import ctypes
from pathlib import Path

import psutil
import pytest

from edge_runtime.service import board


@pytest.mark.parametrize(
    ("answer", "synchronised"),
    [(0, True), (1, True), (4, True), (5, False), (-1, False)],
)
def test_the_kernels_word_decides_whether_the_clock_is_synchronised(
    monkeypatch: pytest.MonkeyPatch, answer: int, synchronised: bool
) -> None:
    """adjtimex(2): 0 is TIME_OK, 1 to 4 are leap seconds, 5 is TIME_ERROR, -1 a refusal."""

    class Libc:
        @staticmethod
        def adjtimex(_: object) -> int:
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Libc)
    assert board.clock_synchronised() is synchronised


def test_the_real_kernel_answers() -> None:
    assert board.clock_synchronised() in (True, False)


def test_the_temperature_is_in_degrees_or_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = tmp_path / "temp"
    monkeypatch.setattr(board, "_THERMAL", sensor)
    assert board.temperature() is None
    sensor.write_text("48312\n")
    assert board.temperature() == 48.312
    sensor.write_text("broken\n")
    assert board.temperature() is None


def test_the_resident_memory_is_that_of_this_process() -> None:
    expected = psutil.Process().memory_info().rss / 1e6
    assert board.resident_megabytes() == pytest.approx(expected, rel=0.1)
