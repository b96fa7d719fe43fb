"""kill -9 of the daemon, over and over, while alerts pour out of it."""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alerts.verification import Ledger, Link
from tests.broker import Broker, wait_for
from tests.daemon import Daemon, camera, mqtt
from tests.small_centre import SmallCentre
from tests.visits import Visits

KILLS = 50
DURING_START = 5
"""Every so many rounds, the kill comes at a moment of the start."""
COMMITTED = re.compile(r" alert atm-1/\d+/(\d+): ")


def committed(log: str) -> list[int]:
    """The sequence numbers that the log tells as committed, in its order."""
    return [int(number) for number in COMMITTED.findall(log)]


def last_number(daemon: Daemon) -> int:
    """The highest number that the outbox ever gave, from its file."""
    with sqlite3.connect(daemon.state / "outbox.sqlite") as connection:
        (number,) = connection.execute("SELECT seq FROM sqlite_sequence").fetchone()
    return int(number)


@pytest.mark.timeout(300)
def test_fifty_kills_lose_no_committed_alert_and_leave_no_gap(
    tmp_path: Path, visits: Visits, small_model: str
) -> None:
    dice = random.Random(50)
    with Broker() as broker, SmallCentre(broker) as centre:
        daemon = Daemon(tmp_path, [*visits(), mqtt(broker)], "--fast")
        for number in range(KILLS):
            daemon.start()
            if number % DURING_START == 0:
                time.sleep(dice.uniform(0.0, 1.2))
            else:
                daemon.wait_for_log("alert atm-1/", count=len(committed(daemon.log)) + 1)
                time.sleep(dice.uniform(0.0, 0.3))
            daemon.kill()
        told = committed(daemon.log)
        last = last_number(daemon)

        # What waits is brought by a daemon that makes no alerts of its own.
        daemon.configure([small_model, camera("yard", "synthetic:"), mqtt(broker)])
        daemon.start_ready()
        wait_for(lambda: daemon.ask_quickly()["outbox"]["depth"] == 0, "the outbox is empty")
        assert daemon.stop()[0] == 0
        payloads = tuple(centre.received)

        # With nothing left in the outbox, the numbers go on all the same.
        daemon.configure(visits())
        daemon.start()
        daemon.wait_for_log("alert atm-1/", count=len(told) + 1)
        daemon.kill()
        assert committed(daemon.log)[len(told)] == last + 1

    # The log tells an alert right after its commit: a kill can leave one untold between the two.
    steps = {after - before for before, after in pairwise(told)}
    assert steps <= {1, 2}
    assert list(dict.fromkeys(int(each["sequence"]) for each in payloads)) == [*range(1, last + 1)]
    assert last - told[-1] <= 1
    assert len({each["id"].split("/")[1] for each in payloads}) == 1  # one epoch
    by_id = {each["id"]: each for each in payloads}
    assert len(by_id) == last
    assert all(each == by_id[each["id"]] for each in payloads)
    assert chain_problems(payloads) == []


def chain_problems(payloads: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with the chain of one epoch's alerts, as a subscriber received them."""
    links = [Link.of(payload) for payload in payloads]
    ledger = Ledger(links[0].chain)
    for link in links:
        ledger.add(link)
    return [problem.text for problem in (*ledger.links(1), *ledger.gaps(1))]
