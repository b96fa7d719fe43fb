"""The outbox on a real disk, with real failures."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, ModelIdentity, Origin, Severity
from edge_runtime.alerts.chain import BEGINNING, Head, Links
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import (
    SCHEMA_VERSION,
    AcknowledgementError,
    Entry,
    Outbox,
    OutboxError,
)

MODEL = ModelIdentity("ssd", "1", "0" * 64)
Commit = Callable[[], int]


@pytest.fixture
def commit(outbox: Outbox, alert: Alert) -> Commit:
    return lambda: int(outbox.commit(alert, model=MODEL, clock_synchronised=True).sequence)


def test_what_was_committed_is_what_waits(outbox: Outbox, alert: Alert) -> None:
    made = outbox.commit(alert, model=MODEL, clock_synchronised=False)
    assert outbox.pending(0, 10) == [
        Entry(
            *(1, "front", "presence", Severity.HIGH, made.to_json(), outbox.epoch, 1),
            Links(made.previoushash, made.hash),
        )
    ]
    told = json.loads(outbox.pending(0, 10)[0].payload)
    assert told["id"] == f"atm-1/{outbox.epoch}/1"
    assert told["source"] == "branch-7/atm-1/front"
    assert told["data"]["model"]["name"] == "ssd"
    assert told["data"]["clock_synchronised"] is False


def test_sequences_rise_by_one_from_one(commit: Commit) -> None:
    assert [commit() for _ in range(5)] == [1, 2, 3, 4, 5]


def test_pending_goes_on_after_a_sequence_and_stops_at_the_limit(
    outbox: Outbox, commit: Commit
) -> None:
    for _ in range(5):
        commit()
    assert [entry.sequence for entry in outbox.pending(2, 2)] == [3, 4]
    assert outbox.pending(5, 2) == []


def test_what_was_delivered_waits_no_longer(outbox: Outbox, commit: Commit) -> None:
    for _ in range(5):
        commit()
    outbox.delivered([1, 2, 4])
    assert [entry.sequence for entry in outbox.pending(0, 10)] == [3, 5]
    assert outbox.depth() == 2


def test_delivering_twice_or_nothing_changes_nothing(outbox: Outbox, commit: Commit) -> None:
    commit()
    outbox.delivered([1])
    outbox.delivered([1, 99])
    outbox.delivered([])
    assert outbox.depth() == 0


def test_what_the_centre_holds_is_forgotten_and_the_chain_goes_on(
    tmp_path: Path, origin: Origin, alert: Alert
) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, origin) as outbox:
        made = [outbox.commit(alert, model=None, clock_synchronised=True) for _ in range(250)]
        assert outbox.acknowledge(outbox.epoch, 3, made[2].hash) == 3
        assert [entry.sequence for entry in outbox.pending(0, 1)] == [4]
        assert outbox.acknowledge(outbox.epoch, 2) == 0  # it holds more than that already
        assert outbox.acknowledge(outbox.epoch, 250, made[-1].hash) == 247
    with Outbox(path, origin) as again:
        assert (again.depth(), again.head.hash) == (0, made[-1].hash)
        assert again.commit(alert, model=None, clock_synchronised=True).sequence == "251"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ((1, 2, None), "this outbox is of epoch"),
        ((0, 4, None), "the last one is 3"),
        ((0, 0, None), "the last one is 3"),
        ((0, 2, "f" * 64), "a hash that is not its own"),
        ((0, 3, "f" * 64), "a hash that is not its own"),
    ],
)
def test_an_acknowledgement_of_what_was_never_here_removes_nothing(
    outbox: Outbox, commit: Commit, told: tuple[int, int, str | None], text: str
) -> None:
    for _ in range(3):
        commit()
    later, sequence, digest = told
    with pytest.raises(AcknowledgementError, match=text):
        outbox.acknowledge(outbox.epoch + later, sequence, digest)
    assert outbox.depth() == 3


def test_a_sequence_is_never_used_again_even_when_all_rows_are_gone(
    tmp_path: Path, origin: Origin, alert: Alert
) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, origin) as outbox:
        for _ in range(3):
            outbox.commit(alert, model=None, clock_synchronised=True)
        outbox.delivered([1, 2, 3])
        epoch = outbox.epoch
    with Outbox(path, origin) as again:
        assert again.depth() == 0
        made = again.commit(alert, model=None, clock_synchronised=True)
        assert made.id == f"atm-1/{epoch}/4"


def test_what_waits_waits_after_opening_again(tmp_path: Path, origin: Origin, alert: Alert) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, origin) as outbox:
        outbox.commit(alert, model=None, clock_synchronised=True)
        before = outbox.pending(0, 10)
    with Outbox(path, origin) as again:
        assert again.depth() == 1
        assert again.pending(0, 10) == before


def test_a_new_file_has_a_new_and_larger_epoch(tmp_path: Path, origin: Origin) -> None:
    with Outbox(tmp_path / "a.db", origin) as first, Outbox(tmp_path / "b.db", origin) as second:
        assert second.epoch > first.epoch


def test_commits_of_many_threads_have_no_gaps_and_no_repeats(
    outbox: Outbox, commit: Commit
) -> None:
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(commit() for _ in range(50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    removed = 0
    while any(thread.is_alive() for thread in threads):
        entries = outbox.pending(0, 20)
        outbox.delivered(entry.sequence for entry in entries)
        removed += len(entries)
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 401))
    assert outbox.depth() == 400 - removed


def test_the_publisher_is_woken_after_the_alert_is_readable(outbox: Outbox, commit: Commit) -> None:
    depths: list[int] = []
    outbox.on_commit = lambda: depths.append(len(outbox.pending(0, 10)))
    commit()
    commit()
    assert depths == [1, 2]


def test_a_commit_is_synced_to_the_disk(outbox: Outbox) -> None:
    # The connection that commits is asked: these pragmas belong to a connection, not to a file.
    ask = outbox._ledger.connection.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_another_process_is_kept_out_and_told_who_has_it(outbox: Outbox, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from edge_runtime.alerts.outbox import Outbox, OutboxError\n"
        "from edge_runtime.alerts.alert import Origin\n"
        "try: Outbox(pathlib.Path(sys.argv[1]), Origin('s', 'd'))\n"
        "except OutboxError as error: print(error)\n"
    )
    path = tmp_path / "outbox.db"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        f"the outbox {path} is in use by process {os.getpid()}: stop that one, or give this one "
        "a state directory of its own"
    )


def test_this_process_cannot_open_it_twice_either(outbox: Outbox, tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="is in use by process"):
        Outbox(tmp_path / "outbox.db", Origin("s", "d"))


def test_a_folder_that_is_missing_is_named(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "nowhere" / "o.db"
    with pytest.raises(OutboxError) as error:
        Outbox(path, origin)
    assert str(error.value) == (
        f"cannot write the outbox {path}: No such file or directory; its folder has to exist and "
        "to be writable for this user"
    )


def test_a_file_that_is_a_folder_cannot_be_the_outbox(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "o.db").mkdir()
    with pytest.raises(OutboxError, match="cannot write the outbox"):
        Outbox(tmp_path / "o.db", origin)


def test_a_failed_opening_leaves_the_file_to_the_next(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "o.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (iban TEXT)")
    connection.close()
    with pytest.raises(OutboxError):
        Outbox(path, origin)
    path.unlink()
    Outbox(path, origin).close()


def test_a_newer_schema_is_not_touched(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "o.db"
    Outbox(path, origin).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(OutboxError) as error:
        Outbox(path, origin)
    assert str(error.value) == (
        f"the outbox {path} was written by a newer edge-runtime (schema 4, this one knows 3): "
        "install the newer one again"
    )


def make_outbox_of_version_1(path: Path, payloads: list[str], last: int) -> None:
    """A file as the version before the chain left it; `last` is the highest number it gave."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE identity (epoch INTEGER NOT NULL);"
        "CREATE TABLE alerts (sequence INTEGER PRIMARY KEY AUTOINCREMENT, camera TEXT NOT NULL,"
        " rule TEXT NOT NULL, severity TEXT NOT NULL, payload TEXT NOT NULL);"
        "INSERT INTO identity VALUES (1790000000000000);"
        "PRAGMA application_id = 1162102597; PRAGMA user_version = 1;"
    )
    numbers = range(last - len(payloads) + 1, last + 1)
    for number, payload in zip(numbers, payloads, strict=True):
        row = (number, "front", "presence", "high", payload)
        connection.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", row)
    if not payloads:
        connection.execute("INSERT INTO sqlite_sequence VALUES ('alerts', ?)", (last,))
    connection.close()


@pytest.mark.parametrize("payloads", [["{}", '{"old": 1}'], []])
def test_an_outbox_of_the_version_before_keeps_its_alerts_and_goes_on_with_a_chain(
    tmp_path: Path, origin: Origin, alert: Alert, payloads: list[str]
) -> None:
    path = tmp_path / "o.db"
    make_outbox_of_version_1(path, payloads, 7)
    with Outbox(path, origin) as outbox:
        assert [entry.payload for entry in outbox.pending(0, 10)] == payloads
        assert outbox.epoch == 1790000000000000
        assert outbox.head == Head(
            "branch-7", "atm-1", outbox.epoch, first=8, sequence=7, hash=BEGINNING
        )
    with Outbox(path, origin) as again:
        assert again.depth() == len(payloads)
        made = again.commit(alert, model=None, clock_synchronised=True)
        assert (made.sequence, made.previoushash) == ("8", BEGINNING)
        again.delivered([6, 7, 8])
    with Outbox(path, origin) as empty:
        assert (empty.depth(), empty.head.sequence, empty.head.hash) == (0, 8, made.hash)


def test_the_database_of_another_program_is_not_touched(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "o.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (iban TEXT)")
    connection.close()
    with pytest.raises(OutboxError) as error:
        Outbox(path, origin)
    assert str(error.value) == (
        f"{path} is an SQLite file of another program: give the outbox a file of its own"
    )


def test_a_program_that_holds_the_file_locked_is_an_error_not_a_hang(
    outbox: Outbox, commit: Commit, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match=r"another program keeps the outbox .* locked"):
        commit()
    other.close()
    assert commit() == 1


def test_a_closed_outbox_says_so(outbox: Outbox, commit: Commit) -> None:
    outbox.close()
    outbox.close()
    with pytest.raises(OutboxError, match="closed"):
        commit()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_is_named_and_nothing_is_skipped_when_there_is_space_again(
    small_disk: Path, origin: Origin, alert: Alert
) -> None:
    def commit() -> int:
        return int(outbox.commit(alert, model=MODEL, clock_synchronised=True).sequence)

    ballast = small_disk / "ballast"
    nothing_spare = Limits(min_free_disk=0)
    with Outbox(small_disk / "o.db", origin, nothing_spare) as outbox:
        commit()
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"\0" * 4096)
        last = 1
        with pytest.raises(OutboxError) as error:
            for _ in range(1000):
                last = commit()
        assert str(error.value) == (
            f"the disk that holds the outbox {small_disk / 'o.db'} is full: free some space on it"
        )
        assert outbox.depth() == last
        ballast.unlink()
        assert commit() == last + 1
        assert [entry.sequence for entry in outbox.pending(0, 10_000)] == list(range(1, last + 2))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a read-only file system")
def test_a_disk_that_became_read_only_is_named(small_disk: Path, origin: Origin) -> None:
    Outbox(small_disk / "o.db", origin).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OutboxError, match="Read-only file system"):
        Outbox(small_disk / "o.db", origin)
