"""What the board says of itself: what it is, its clock, temperature, memory."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_TIME_ERROR = 5
_TIMEX_BYTES = 256
_DEVICE_TREE = Path("/proc/device-tree")
_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")


def hardware() -> str | None:
    """The board's make, as its device tree has it; None where there is none."""
    return _device_tree("model")


def serial_number() -> str | None:
    """The board's serial number, as its device tree has it; None where there is none."""
    return _device_tree("serial-number")


def clock_synchronised() -> bool:
    """Whether the kernel holds the system clock for synchronised; see adjtimex(2).

    False also where the kernel does not say: an unknown clock is not a synchronised one.
    """
    # A struct timex of zeros (208 bytes on 64-bit Linux) only reads the state.
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= int(state) < _TIME_ERROR


def temperature() -> float | None:
    """The processor's temperature in degrees Celsius; None where the board does not say."""
    try:
        return int(_THERMAL.read_text()) / 1000
    except (OSError, ValueError):
        return None


def resident_megabytes() -> float:
    """The memory of this process that is in RAM, in MB; see proc_pid_statm(5)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _device_tree(name: str) -> str | None:
    try:
        return (_DEVICE_TREE / name).read_text("utf-8", "replace").rstrip("\0") or None
    except OSError:
        return None
