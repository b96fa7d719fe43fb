"""What a power cut leaves of the files of one folder, worked out from a record of all writes.

`recorder.c` stands between a process and the C library and writes down each open, write, sync,
truncation, unlink and rename below a folder. So the process is the real one: Python's own sqlite3,
the system's SQLite with its own file layer, and whatever the code does with files beside it. Where
a test that puts a file layer of its own under SQLite sees only SQLite's calls, and only with
another SQLite, this one sees also the folder's own sync, or its lack. And one record can be cut
at many places.

The model, which is harsher than most file systems, and harsher than SQLite promises to survive but
for one thing (below):

* What was written to a file since its last sync may be on the disk or not, every 512 bytes by
  themselves, and in any order. A piece of it may be torn at any byte.
* A file may have the length that it had, and hold zeros or garbage where nothing arrived.
* A name (made, removed or renamed) is on the disk for sure after a sync of the folder, never by a
  sync of the file. Before, it may be or not, each by itself.
* Bytes beside those that were written stay as they were: SQLite takes this for granted
  (SQLITE_IOCAP_POWERSAFE_OVERWRITE). A card that loses a whole erase block breaks it.
* The shared memory of the write-ahead log is never synced: it comes back as garbage, or not.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_TORN = 0.1
_HEAD = struct.Struct("<ciqI")
_SOURCE = Path(__file__).with_name("recorder.c")


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call.

    Attributes:
        kind: o(pen), w(rite), s(ync), t(runcate), c(lose), u(nlink), r(ename).
        file: the descriptor; -1 where there is none.
        number: flags of an open, offset of a write, length of a truncation.
        data: what was written, or the path; both paths of a rename, with a zero byte between.
    """

    kind: str
    file: int
    number: int
    data: bytes


def build_recorder(folder: Path) -> Path:
    """Compile the recorder into `folder`; it needs gcc."""
    library = folder / "recorder.so"
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]
    subprocess.run([*command, library, _SOURCE], check=True)
    return library


def recording(library: Path, folder: Path, log: Path) -> dict[str, str]:
    """The environment in which a process is recorded."""
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "EDGE_RECORD_FOLDER": str(folder),
        "EDGE_RECORD_LOG": str(log),
    }


def read_record(log: Path) -> list[Call]:
    """What was recorded."""
    data = log.read_bytes()
    calls = []
    at = 0
    while at < len(data):
        kind, file, number, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        calls.append(Call(kind.decode(), file, number, data[at : at + length]))
        at += length
    return calls


@dataclass(slots=True)
class _File:
    """`pending`: writes (offset, bytes) and truncations (length, None) since the last sync."""

    durable: bytearray
    size: int
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()


class Disk:
    """The files of `folder`, while the calls of a record are made one after another.

    Args:
        folder: the recorded one, whose path the calls carry.
        files: what it held before the first call, all of it safe on the disk.
    """

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self._folder = str(folder)
        self._names = {name: _File(bytearray(data), len(data)) for name, data in files.items()}
        self._durable_names = dict(self._names)
        self._changed_names: list[tuple[str, _File | None]] = []
        self._open: dict[int, _File | None] = {}
        """None stands for the folder itself."""

    def name_of(self, call: Call) -> str | None:
        """The name of the file to which `call`, which is not made yet, goes."""
        file = self._open.get(call.file)
        return next((name for name, each in self._names.items() if each is file), None)

    def make(self, call: Call) -> None:
        """Make one call."""
        match call.kind:
            case "o":
                self._open[call.file] = self._opened(call)
            case "c":
                del self._open[call.file]
            case "u":
                self._rename(self._name(call.data), None)
            case "r":
                source, target = (self._name(path) for path in call.data.split(b"\0"))
                file = self._names[source]
                self._rename(source, None)
                self._rename(target, file)
            case "s":
                self._sync(self._open[call.file])
            case "w" | "t":
                file_or_folder = self._open[call.file]
                assert file_or_folder is not None
                self._write(file_or_folder, call)
            case other:
                raise AssertionError(f"the record holds a call of kind {other!r}")

    def after_cut(self, dice: random.Random) -> dict[str, bytes]:
        """What is on the disk if the power goes now: one of the many possibilities."""
        arrives = dice.choice([0.0, 0.5, 0.95, 1.0, dice.random()])
        in_order = dice.random() < 0.3
        names = dict(self._durable_names)
        for name, file in self._changed_names:
            if dice.random() < arrives:
                _put(names, name, file)
        left = {}
        for name, file in names.items():
            if name.endswith("-shm"):
                if dice.random() < 0.5:
                    left[name] = dice.randbytes(dice.choice([0, 100, 32768]))
            else:
                left[name] = _left(file, dice, arrives, in_order)
        return left

    def _opened(self, call: Call) -> _File | None:
        if call.data == self._folder.encode():
            return None
        name = self._name(call.data)
        file = self._names.get(name)
        if file is None:
            file = _File(bytearray(), 0)
            self._rename(name, file)
        elif call.number & os.O_TRUNC:
            self._write(file, Call("t", call.file, 0, b""))
        return file

    def _sync(self, file: _File | None) -> None:
        if file is not None:
            file.sync()
            return
        self._durable_names = dict(self._names)
        self._changed_names.clear()

    def _rename(self, name: str, file: _File | None) -> None:
        _put(self._names, name, file)
        self._changed_names.append((name, file))

    def _write(self, file: _File, call: Call) -> None:
        if call.kind == "t":
            file.pending.append((call.number, None))
            file.size = call.number
        else:
            file.pending.append((call.number, call.data))
            file.size = max(file.size, call.number + len(call.data))

    def _name(self, path: bytes) -> str:
        name = path.decode().removeprefix(self._folder + "/")
        assert "/" not in name, f"the record has a path outside of the folder: {name}"
        return name


def _put(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _left(file: _File, dice: random.Random, arrives: float, in_order: bool) -> bytes:
    """What is on the disk of one file."""
    content = bytearray(file.durable)
    pieces = [piece for offset, data in file.pending for piece in _pieces(offset, data)]
    if in_order:
        arrived = pieces[: dice.randint(0, len(pieces))]
    else:
        arrived = [piece for piece in pieces if dice.random() < arrives]
    for offset, data in arrived:
        torn = data is not None and arrives < 1.0 and dice.random() < _TORN
        _apply(content, offset, data[: dice.randrange(len(data))] if torn and data else data)
    if file.size > len(content) and dice.random() < 0.2:
        lacking = file.size - len(content)
        content += dice.choice([bytes(lacking), dice.randbytes(lacking)])
    return bytes(content)


def _pieces(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """A write, cut at the borders of sectors; a truncation is one piece."""
    if data is None:
        yield offset, None
        return
    at = 0
    while at < len(data):
        end = min(at + SECTOR - (offset + at) % SECTOR, len(data))
        yield offset + at, data[at:end]
        at = end


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(offset - len(content), 0)))
    content[offset : offset + len(data)] = data
