"""An outbox keeps within its bounds: what goes first, what never goes, and what is told of it."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_runtime.alerts.alert import Alert, Origin, Severity
from edge_runtime.alerts.dropping import DroppedRange
from edge_runtime.alerts.limits import Limits, LimitsError
from edge_runtime.alerts.outbox import Outbox, OutboxFullError

INFO, LOW, MEDIUM, HIGH, CRITICAL = Severity

Open = Callable[..., Outbox]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a sync costs nothing: no power goes here."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def opened(folder: Path, origin: Origin) -> Iterator[Open]:
    outboxes = []

    def make(**limits: int) -> Outbox:
        outbox = Outbox(folder / "o.db", origin, Limits(**{"min_free_disk": 0, **limits}))
        outboxes.append(outbox)
        return outbox

    yield make
    for outbox in outboxes:
        outbox.close()


@pytest.fixture
def add(alert: Alert) -> Callable[..., list[int]]:
    """Commit one alert of each severity: the numbers of those that found no room."""

    def commit(outbox: Outbox, *severities: Severity, boxes: int = 1) -> list[int]:
        refused = []
        for severity in severities:
            one = replace(alert, severity=severity, boxes=((0.1, 0.2, 0.3, 0.4),) * boxes)
            try:
                outbox.commit(one, model=None, clock_synchronised=True)
            except OutboxFullError as error:
                refused.append(error.sequence)
        return refused

    return commit


def waiting(outbox: Outbox) -> list[int]:
    return [entry.sequence for entry in outbox.pending(0, 10**6)]


def ranges(outbox: Outbox) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in outbox.dropped(10**6)]


def test_the_least_severe_go_first_and_of_those_the_oldest(
    opened: Open, add: Callable[..., list[int]]
) -> None:
    outbox = opened(max_alerts=6)
    add(outbox, MEDIUM, LOW, INFO, HIGH, LOW, CRITICAL)

    gone = []
    for _ in range(4):
        before = set(waiting(outbox))
        add(outbox, HIGH)
        gone.append(before - set(waiting(outbox)))

    assert gone == [{3}, {2}, {5}, {1}]
    assert outbox.depth() == 6


def test_an_alert_makes_no_more_severe_one_go(opened: Open, add: Callable[..., list[int]]) -> None:
    outbox = opened(max_alerts=3)
    add(outbox, LOW, MEDIUM, HIGH)

    assert add(outbox, INFO) == [4]
    assert add(outbox, LOW) == []
    assert waiting(outbox) == [2, 3, 5]
    assert add(outbox, LOW, MEDIUM, MEDIUM, MEDIUM) == []
    assert waiting(outbox) == [3, 8, 9]
    assert ranges(outbox) == [(1, 2), (4, 7)]


@pytest.mark.parametrize("severity", [HIGH, CRITICAL])
def test_high_and_critical_ones_never_go_and_new_ones_are_refused_and_on_record(
    opened: Open, add: Callable[..., list[int]], alert: Alert, severity: Severity
) -> None:
    outbox = opened(max_alerts=2)
    add(outbox, HIGH, CRITICAL)
    with pytest.raises(OutboxFullError) as error:
        outbox.commit(replace(alert, severity=severity), model=None, clock_synchronised=True)

    assert f"/3 ({severity}) is not kept, and is told as dropped" in str(error.value)
    assert waiting(outbox) == [1, 2]
    (record,) = outbox.dropped(10)
    assert (record.first, record.last, record.count) == (3, 3, {severity: 1})
    assert outbox.given_up().refused == {severity: 1}
    assert outbox.committed == 3


def test_what_is_dropped_is_on_record_with_the_hashes_on_both_sides(
    opened: Open, add: Callable[..., list[int]], alert: Alert
) -> None:
    outbox = opened(max_alerts=4)
    made = [
        outbox.commit(replace(alert, severity=severity), model=None, clock_synchronised=True)
        for severity in (HIGH, LOW, INFO, MEDIUM)
    ]
    add(outbox, HIGH, HIGH, HIGH)

    (record,) = outbox.dropped(10)
    assert record == DroppedRange(
        outbox.epoch, 2, 4, {INFO: 1, LOW: 1, MEDIUM: 1}, made[0].hash, made[3].hash
    )
    assert record.severity is MEDIUM


def test_what_is_dropped_stays_on_record_over_a_restart_and_the_chain_goes_on(
    opened: Open, add: Callable[..., list[int]], alert: Alert
) -> None:
    outbox = opened(max_alerts=3)
    add(outbox, LOW, HIGH, HIGH, HIGH)
    assert add(outbox, LOW) == [5]
    before, head = outbox.dropped(10), outbox.head
    outbox.close()

    again = opened(max_alerts=3)
    assert (again.dropped(10), again.head) == (before, head)
    again.acknowledge(again.epoch, 4)
    made = again.commit(alert, model=None, clock_synchronised=True)
    assert (made.sequence, made.previoushash) == ("6", head.hash)


def test_what_is_given_up_is_on_record_once_whatever_its_severity(
    opened: Open, add: Callable[..., list[int]], folder: Path, origin: Origin
) -> None:
    outbox = opened()
    add(outbox, LOW, CRITICAL, LOW)
    entry = outbox.pending(1, 1)[0]
    alert = json.loads(entry.payload)
    outbox.give_up(entry)
    outbox.give_up(entry)
    expected = DroppedRange(outbox.epoch, 2, 2, {CRITICAL: 1}, alert["previoushash"], alert["hash"])
    assert outbox.dropped(10) == (expected,)
    assert [each.sequence for each in outbox.pending(0, 10)] == [1, 3]
    assert (outbox.depth(), outbox.drops, outbox.given_up().evicted) == (2, 1, {CRITICAL: 1})
    outbox.close()
    with Outbox(folder / "o.db", origin, Limits(min_free_disk=0)) as again:
        assert (again.salvage, again.depth(), again.dropped(10)) == (None, 2, (expected,))


def test_an_acknowledgement_at_or_beyond_its_last_forgets_a_range(
    opened: Open, add: Callable[..., list[int]]
) -> None:
    outbox = opened(max_alerts=3)
    add(outbox, LOW, LOW, HIGH, HIGH, HIGH)
    assert add(outbox, LOW, LOW) == [6, 7]
    assert ranges(outbox) == [(1, 2), (6, 7)]
    outbox.acknowledge(outbox.epoch, 1)
    assert ranges(outbox) == [(1, 2), (6, 7)]
    outbox.acknowledge(outbox.epoch, 6)
    assert ranges(outbox) == [(6, 7)]
    outbox.acknowledge(outbox.epoch, 7)
    assert ranges(outbox) == []
    assert outbox.given_up().untold == 0


def test_a_range_that_grew_since_it_was_told_is_not_forgotten(
    opened: Open, add: Callable[..., list[int]]
) -> None:
    outbox = opened(max_alerts=1)
    add(outbox, HIGH)
    add(outbox, LOW)
    told = outbox.dropped(10)
    add(outbox, LOW)
    outbox.forget_dropped(told)
    assert ranges(outbox) == [(2, 3)]
    outbox.forget_dropped(outbox.dropped(10))
    assert ranges(outbox) == []


@pytest.mark.parametrize("max_bytes", [1_000_000, 2_500_000])
def test_the_files_stay_within_their_bytes_and_all_that_is_gone_is_on_record(
    opened: Open, add: Callable[..., list[int]], max_bytes: int
) -> None:
    dice = random.Random(5)
    outbox = opened(max_bytes=max_bytes)
    largest = 0
    for _ in range(6000):
        severity = dice.choices(list(Severity), [40, 30, 25, 4, 1])[0]
        add(outbox, severity, boxes=dice.choice([1, 1, 1, 5, 80]))
        largest = max(largest, outbox.size())

    assert 0.6 * max_bytes < largest < max_bytes
    there = waiting(outbox)
    gone = [number for first, last in ranges(outbox) for number in range(first, last + 1)]
    assert sorted(there + gone) == list(range(1, 6001))
    counted = outbox.given_up()
    assert not {HIGH, CRITICAL} & counted.evicted.keys()
    assert counted.evicted[INFO] > 1000


def test_many_alerts_go_in_one_transaction(opened: Open, add: Callable[..., list[int]]) -> None:
    outbox = opened(max_alerts=3200)
    add(outbox, *[LOW] * 3200)
    depths = []
    for _ in range(150):
        add(outbox, LOW)
        depths.append(outbox.depth())
    falls = sum(after < before for before, after in pairwise(depths))
    assert falls == 1
    assert min(depths) == 3101


def test_each_range_touches_no_other(opened: Open, add: Callable[..., list[int]]) -> None:
    dice = random.Random(3)
    outbox = opened(max_alerts=50)
    for _ in range(1500):
        add(outbox, dice.choice([INFO, LOW, MEDIUM, MEDIUM, HIGH]))
        if dice.random() < 0.05:
            outbox.delivered(dice.sample(waiting(outbox), 5))
    kept = ranges(outbox)
    assert len(kept) > 5
    assert all(after[0] > before[1] + 1 for before, after in pairwise(kept))


def test_an_outbox_that_is_given_less_room_shrinks_when_it_is_opened(
    opened: Open, add: Callable[..., list[int]]
) -> None:
    outbox = opened(max_bytes=10_000_000)
    add(outbox, *[LOW, HIGH] * 1000, boxes=50)
    assert outbox.size() > 3_000_000
    outbox.close()

    smaller = opened(max_bytes=3_000_000)
    assert smaller.size() < 3_000_000
    there = waiting(smaller)
    assert set(range(2, 2001, 2)) <= set(there)
    gone = sum(one.number for one in smaller.dropped(10**6))
    assert gone == 2000 - len(there) > 0


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"max_bytes": 999_999}, "an outbox of 999999 bytes has no room for alerts"),
        ({"max_alerts": 0}, "an outbox of 0 alerts keeps none"),
        ({"min_free_disk": -1}, "-1 bytes cannot be free"),
    ],
)
def test_bounds_that_no_outbox_can_keep_are_refused(limits: dict[str, int], text: str) -> None:
    with pytest.raises(LimitsError, match=text):
        Limits(**limits)


def pages(path: Path) -> int:
    connection = sqlite3.connect(path)
    (number,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    return int(number)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_on_a_disk_that_others_fill_only_high_and_critical_alerts_make_the_file_grow(
    disk: Path, origin: Origin, add: Callable[..., list[int]]
) -> None:
    with Outbox(disk / "o.db", origin, Limits(min_free_disk=4_000_000)) as outbox:
        add(outbox, *[LOW] * 500)
        (disk / "ballast").write_bytes(b"\0" * 9_000_000)
        size = pages(disk / "o.db")
        assert add(outbox, *[LOW] * 500) == []
        assert outbox.depth() < 510
        assert pages(disk / "o.db") == size
        assert add(outbox, *[HIGH] * 600) == []
        assert pages(disk / "o.db") > size

        free = os.statvfs(disk)
        (disk / "more").write_bytes(b"\0" * (free.f_bavail * free.f_bsize - 500_000))
        assert len(add(outbox, *[HIGH] * 600)) > 0
        gone = sum(one.number for one in outbox.dropped(10**6))
        assert gone + outbox.depth() == outbox.committed == 2200


def test_an_outbox_of_schema_2_goes_on(
    opened: Open, add: Callable[..., list[int]], folder: Path
) -> None:
    outbox = opened()
    add(outbox, HIGH, LOW)
    epoch = outbox.epoch
    outbox.close()
    with sqlite3.connect(folder / "o.db") as connection:
        connection.executescript(
            "DROP TABLE dropped; DROP TABLE earlier; ALTER TABLE chain DROP COLUMN dropped;"
            "PRAGMA user_version = 2;"
        )
    connection.close()

    again = opened(max_alerts=2)
    assert (again.epoch, waiting(again)) == (epoch, [1, 2])
    add(again, HIGH)
    assert (waiting(again), ranges(again)) == ([1, 3], [(2, 2)])
