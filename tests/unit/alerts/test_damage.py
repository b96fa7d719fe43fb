"""A damaged outbox: set aside, what can be read is saved, and what cannot is on record."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, AlertEvent, Origin, Severity
from edge_runtime.alerts.dropping import DroppedRange
from edge_runtime.alerts.limits import Limits
from edge_runtime.alerts.outbox import (
    AcknowledgementError,
    Outbox,
    OutboxDamagedError,
    OutboxError,
)

PAGE = 4096


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a sync costs nothing: no power goes here."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "o.db"


@pytest.fixture
def fill(path: Path, origin: Origin, alert: Alert) -> Callable[[int], list[AlertEvent]]:
    """Commit so many alerts of 700 bytes to the outbox, and close it."""

    def fill(count: int) -> list[AlertEvent]:
        severities = list(Severity)
        with Outbox(path, origin, Limits(min_free_disk=0)) as outbox:
            return [
                outbox.commit(
                    replace(alert, severity=severities[number % 5]),
                    model=None,
                    clock_synchronised=True,
                )
                for number in range(count)
            ]

    return fill


def damage(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def pages_of(path: Path, kind: int) -> list[int]:
    """The pages of the table of alerts: leaves (13) or what leads to them (5)."""
    content = path.read_bytes()
    starts = range(PAGE, len(content), PAGE)
    found = [start for start in starts if content[start] == kind]
    return [
        start for start in found if kind == 5 or b"specversion" in content[start : start + PAGE]
    ]


def accounted(outbox: Outbox, epoch: int) -> tuple[list[int], list[int]]:
    """The numbers of an epoch that wait, and those on record as dropped."""
    waiting = [
        int(entry.payload.split('"id":"')[1].split('"')[0].split("/")[2])
        for entry in outbox.pending(-(2**62), 10**6)
        if f"/{epoch}/" in entry.payload
    ]
    dropped = [
        number
        for one in outbox.dropped(10**6)
        if one.epoch == epoch
        for number in range(one.first, one.last + 1)
    ]
    return waiting, dropped


def test_a_file_that_is_not_sqlite_is_set_aside(path: Path, origin: Origin) -> None:
    path.write_bytes(b"these are no alerts" * 500)
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        assert (outbox.depth(), outbox.committed, outbox.salvage.epoch) == (0, 0, None)
        assert str(outbox.salvage) == (
            "the outbox was damaged (file is not a database): nothing of it can be read; the file "
            f"is now {outbox.salvage.aside.name}"
        )
        assert outbox.salvage.aside.read_bytes() == b"these are no alerts" * 500
    with Outbox(path, origin) as again:
        assert again.salvage is None


def test_what_can_be_read_of_a_damaged_file_goes_out_first_and_unchanged(
    path: Path, origin: Origin, alert: Alert, fill: Callable[[int], list[AlertEvent]]
) -> None:
    made = fill(200)
    damage(path, pages_of(path, 13)[7], os.urandom(PAGE))
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        old, new = outbox.salvage.epoch, outbox.epoch
        assert old is not None
        assert old < new
        first = outbox.commit(alert, model=None, clock_synchronised=True)
        waiting, dropped = accounted(outbox, old)

        assert sorted(waiting + dropped) == list(range(1, 201))
        assert 2 <= len(dropped) <= 12
        entries = outbox.pending(-(2**62), 10**6)
        assert [entry.payload for entry in entries] == [
            *(made[number - 1].to_json() for number in waiting),
            first.to_json(),
        ]
        assert [entry.number for entry in entries] == [*waiting, 1]
        assert [entry.sequence for entry in entries] == [*(n - 200 for n in waiting), 1]
        assert outbox.salvage.saved == len(waiting)
        assert outbox.salvage.lost == len(dropped)
        (record,) = outbox.dropped(10)
        assert record == DroppedRange(
            old, dropped[0], dropped[-1], {Severity.CRITICAL: len(dropped)}, None, None
        )


def test_what_was_saved_is_acknowledged_in_its_own_epoch(
    path: Path, origin: Origin, alert: Alert, fill: Callable[[int], list[AlertEvent]]
) -> None:
    made = fill(100)
    damage(path, pages_of(path, 13)[2], os.urandom(PAGE))
    with Outbox(path, origin) as outbox:
        outbox.commit(alert, model=None, clock_synchronised=True)
        old = outbox.salvage.epoch if outbox.salvage else None
        assert old is not None
        waiting, dropped = accounted(outbox, old)
        with pytest.raises(AcknowledgementError, match="alert 101 is acknowledged, and the last"):
            outbox.acknowledge(old, 101)
        with pytest.raises(AcknowledgementError, match="a hash that is not its own"):
            outbox.acknowledge(old, waiting[-1], "0" * 64)
        before = dropped[0] - 1
        assert outbox.acknowledge(old, before, made[before - 1].hash) == before
        assert len(outbox.dropped(10)) == 1
        assert outbox.acknowledge(old, 100) == len(waiting) - before
        assert (outbox.depth(), outbox.dropped(10)) == (1, ())
    with Outbox(path, origin) as again:
        assert (again.depth(), again.committed) == (1, 1)
        assert again.acknowledge(old, 100) == 0


@pytest.mark.parametrize("zeroed", [100, PAGE])
def test_alerts_are_saved_from_a_file_whose_head_is_zeroed(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]], zeroed: int
) -> None:
    made = fill(150)
    damage(path, 0, bytes(zeroed))
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        assert (outbox.salvage.saved, outbox.salvage.lost) == (150, 0)
        payloads = [entry.payload for entry in outbox.pending(-(2**62), 10**6)]
        assert payloads == [one.to_json() for one in made]


def test_alerts_are_saved_from_a_file_that_is_cut_off(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(400)
    os.truncate(path, path.stat().st_size * 2 // 3)
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        assert outbox.salvage.epoch is not None
        waiting, dropped = accounted(outbox, outbox.salvage.epoch)
        assert sorted(waiting + dropped) == list(range(1, 401))
        assert 150 < len(waiting) < 300


def test_a_file_whose_root_is_lost_leaves_no_silent_gap(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(200)
    (root,) = pages_of(path, 5)
    damage(path, root, os.urandom(PAGE))
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        assert outbox.salvage.epoch is not None
        assert accounted(outbox, outbox.salvage.epoch) == ([], list(range(1, 201)))


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_damaged_each_number_waits_or_is_on_record(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]], seed: int
) -> None:
    dice = random.Random(seed)
    made = {int(one.sequence): one.to_json() for one in fill(300)}
    size = path.stat().st_size
    for _ in range(dice.choice([1, 3, 30])):
        length = dice.choice([1, 8, 100, PAGE])
        offset = dice.randrange(PAGE, size - length)  # beyond what names epoch and last number
        damage(path, offset, dice.randbytes(length))
    with Outbox(path, origin) as outbox:
        if outbox.salvage is None:
            waiting, dropped = accounted(outbox, outbox.epoch)
        else:
            waiting, dropped = accounted(outbox, outbox.salvage.epoch or 0)
        for entry in outbox.pending(-(2**62), 10**6):
            assert entry.payload == made[entry.number]
        assert waiting == sorted(waiting)
        if outbox.salvage and outbox.salvage.epoch is None:
            assert "nothing of it can be read" in str(outbox.salvage)
        elif outbox.salvage is None or outbox.salvage.complete:
            assert sorted(waiting + dropped) == list(range(1, 301))


def test_an_alert_that_changed_on_the_disk_is_given_up_and_on_record(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(10)
    content = path.read_bytes()
    at = content.index(b'"sequence":"4"')
    damage(path, content.index(b"presence", at), b"absence!")
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is None
        assert [entry.sequence for entry in outbox.pending(0, 10)] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
        (record,) = outbox.dropped(10)
        assert (record.first, record.last, record.count) == (4, 4, {Severity.HIGH: 1})
        assert (outbox.depth(), outbox.committed) == (9, 10)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("DELETE FROM alerts WHERE sequence = 3", "alert 3, the last, is gone and was not deliv"),
        ("UPDATE alerts SET payload = '{}' WHERE sequence = 3", "alert 3, the last, has lost its"),
        ("DELETE FROM identity", "its epoch is gone"),
    ],
)
def test_what_was_done_to_it_by_hand_is_damage(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]], harm: str, reason: str
) -> None:
    fill(3)
    with sqlite3.connect(path) as connection:
        connection.execute(harm)
    connection.close()
    with Outbox(path, origin) as outbox:
        assert outbox.salvage is not None
        assert outbox.salvage.reason.startswith(reason)
        assert outbox.salvage.epoch is not None
        lost = [] if "identity" in harm else [3]
        assert accounted(outbox, outbox.salvage.epoch)[1] == lost


def test_a_second_damage_keeps_what_the_first_one_left(
    path: Path, origin: Origin, alert: Alert, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(100)
    damage(path, pages_of(path, 13)[2], os.urandom(PAGE))
    with Outbox(path, origin) as outbox:
        oldest = outbox.salvage.epoch if outbox.salvage else None
        assert oldest is not None
        before = accounted(outbox, oldest)
        for _ in range(100):
            outbox.commit(alert, model=None, clock_synchronised=True)
        middle = outbox.epoch
    damage(path, pages_of(path, 13)[-2], os.urandom(PAGE))
    with Outbox(path, origin) as outbox:
        assert len({oldest, middle, outbox.epoch}) == 3
        assert accounted(outbox, oldest) == before
        waiting, dropped = accounted(outbox, middle)
        assert sorted(waiting + dropped) == list(range(1, 101))
        assert waiting
        assert dropped
        assert len(list(path.parent.glob("o.db.damaged-*"))) in (1, 2)  # a file, and its log


def test_damage_that_is_found_while_it_is_open_is_told_and_mended(
    path: Path, origin: Origin, alert: Alert, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(300)
    with Outbox(path, origin) as outbox:
        for start in pages_of(path, 13)[5:]:
            damage(path, start, os.urandom(PAGE))
        outbox._ledger.connection.execute("PRAGMA shrink_memory")
        with pytest.raises(OutboxDamagedError, match="is damaged"):
            outbox.pending(0, 1000)
        assert outbox.damage is not None
        salvage = outbox.renew()
        assert outbox.damage is None
        assert salvage.epoch is not None
        waiting, dropped = accounted(outbox, salvage.epoch)
        assert sorted(waiting + dropped) == list(range(1, 301))
        assert outbox.commit(alert, model=None, clock_synchronised=True).sequence == "1"


def test_a_setting_aside_that_was_cut_off_is_brought_to_its_end(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]], folder: Path
) -> None:
    fill(20)
    damage(path, pages_of(path, 13)[1], os.urandom(PAGE))
    before = folder.with_name(folder.name + "-before")
    shutil.copytree(folder, before)
    with Outbox(path, origin) as outbox:
        expected = [entry.payload for entry in outbox.pending(-(2**62), 100)]
    aside = next(folder.glob("o.db.damaged-*"))
    try:
        # The power went after the damaged file had got its new name, before its log had.
        path.rename(folder / "o.db.new")
        (folder / "o.db-wal").write_bytes(b"a log of the damaged file" * 1000)
        with Outbox(path, origin) as outbox:
            assert [entry.payload for entry in outbox.pending(-(2**62), 100)] == expected
        assert (folder / f"{aside.name}-wal").exists()
        # It went before.
        shutil.copyfile(before / "o.db", path)
        (folder / "o.db.new").write_bytes(b"half of a new file")
        with Outbox(path, origin) as outbox:
            assert [entry.payload for entry in outbox.pending(-(2**62), 100)] == expected
        assert not (folder / "o.db.new").exists()
    finally:
        shutil.rmtree(before)


def test_a_full_disk_leaves_the_damaged_file_where_it_is(
    path: Path, origin: Origin, fill: Callable[[int], list[AlertEvent]]
) -> None:
    fill(20)
    damage(path, pages_of(path, 13)[1], os.urandom(PAGE))
    content = path.read_bytes()
    (path.parent / "o.db.new").mkdir()  # nothing can be written there
    with pytest.raises(OutboxError, match="cannot be set aside"):
        Outbox(path, origin)
    assert path.read_bytes() == content
    (path.parent / "o.db.new").rmdir()
    with Outbox(path, origin) as outbox:
        assert json.loads(outbox.pending(-(2**62), 1)[0].payload)["sequence"] == "1"
