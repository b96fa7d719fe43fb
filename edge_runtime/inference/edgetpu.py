"""The Edge TPU: which ones are there, and models that run on them.

libedgetpu is asked through its C interface (libedgetpu's tflite/public/edgetpu_c.h) for the list
of devices, and loaded as a delegate by the runtime for inference.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.litert import LiteRtEngine, brief, runtime

LIBRARY = "libedgetpu.so.1"

_BUSES = ("pci", "usb")  # enum edgetpu_device_type


class TpuError(EdgeRuntimeError):
    """No Edge TPU can be used, and why."""


@dataclass(frozen=True, slots=True)
class Tpu:
    """An Edge TPU.

    Attributes:
        index: its number, from 0.
        bus: ``pci`` or ``usb``.
        path: where the system has it.
    """

    index: int
    bus: str
    path: str


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


def list_tpus(library: str = LIBRARY) -> tuple[Tpu, ...]:
    """The Edge TPUs that are there now; asking does not open them.

    Raises:
        TpuError: libedgetpu is not installed, or is something else.
    """
    edgetpu = _load(library)
    count = ctypes.c_size_t()
    devices = edgetpu.edgetpu_list_devices(ctypes.byref(count))
    try:
        return tuple(
            Tpu(index, _bus(devices[index].type), (devices[index].path or b"").decode())
            for index in range(count.value)
        )
    finally:
        if devices:
            edgetpu.edgetpu_free_devices(devices)


def open_tpu(path: Path, index: int, threads: int = 1, library: str = LIBRARY) -> LiteRtEngine:
    """Load `path`, a model compiled for the Edge TPU, on TPU number `index`, and run it once.

    Raises:
        TpuError: there is no such TPU, or it cannot be opened.
        ModelError: the interpreter rejects the file.
        InvokeError: the first run fails.
    """
    # Asked first: it is cheap, and a delegate that fails to load leaves a broken object behind.
    found = list_tpus(library)
    if index >= len(found):
        raise TpuError(f"there is no Edge TPU {index}: {_count(len(found))} found")
    _, module = runtime()
    try:
        delegate = module.load_delegate(library, {"device": f":{index}"})
    except (ValueError, OSError) as error:
        raise TpuError(f"Edge TPU {index} cannot be opened: {brief(error)}") from error
    return LiteRtEngine(path, threads, delegate=delegate, backend=f"edgetpu:{index}")


def _load(library: str) -> ctypes.CDLL:
    try:
        edgetpu = ctypes.CDLL(library)
    except OSError as error:
        raise TpuError(
            f"the Edge TPU's library {library} cannot be loaded ({brief(error)}): "
            "install libedgetpu1-std"
        ) from error
    try:
        edgetpu.edgetpu_list_devices.argtypes = [ctypes.POINTER(ctypes.c_size_t)]
        edgetpu.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
        edgetpu.edgetpu_free_devices.argtypes = [ctypes.POINTER(_Device)]
        edgetpu.edgetpu_free_devices.restype = None
    except AttributeError as error:
        raise TpuError(f"{library} is not the Edge TPU's library: {brief(error)}") from error
    return edgetpu


def _bus(kind: int) -> str:
    return _BUSES[kind] if 0 <= kind < len(_BUSES) else "unknown"


def _count(number: int) -> str:
    return "none was" if number == 0 else "one was" if number == 1 else f"{number} were"
