"""kill -9 of all three; `python -m tests.faults.kills --kills 2000` is the whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.faults.kills import Committer, faults, run
from tests.faults.whole_daemon import WholeDaemon, busy_street


@pytest.mark.timeout(300)
def test_a_hundred_kills_of_device_broker_and_centre_lose_and_double_nothing() -> None:
    outcome = run(100, 7, Committer)
    assert outcome.faults == ()
    assert min(outcome.kills.values()) > 20
    assert outcome.stored > 200


@pytest.mark.timeout(300)
def test_kills_of_the_whole_daemon_lose_and_double_nothing(data_dir: Path, tmp_path: Path) -> None:
    with busy_street(data_dir, tmp_path) as street:
        outcome = run(8, 3, partial(WholeDaemon, street=street))
    assert outcome.faults == ()
    assert outcome.told > 10


def test_what_is_lost_doubled_changed_or_out_of_order_would_be_found() -> None:
    whole = [(1, "a"), (2, "b"), (3, "c")]
    assert faults({1: "a", 3: None}, 3, whole) == []
    for held in (whole[:2], [*whole, (3, "c")], [whole[1], whole[0], whole[2]]):
        assert "each once and in order" in faults({}, 3, held)[0]
    assert faults({2: "x", 3: "c"}, 3, whole) == [
        "1 alerts are not as they were committed, 2 is one"
    ]
