"""kill -9 while alerts are committed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.chain import BEGINNING, digest
from edge_runtime.alerts.outbox import Outbox

COMMITTER = """
import pathlib, sys
from edge_runtime.alerts.alert import Alert, AlertState, Origin, Severity
from edge_runtime.alerts.outbox import Outbox
alert = Alert("presence", "n", "front", AlertState.STARTED, Severity.HIGH, 1.0, 1.79e9, 1.0, 0.0,
              "i", boxes=((0.1, 0.2, 0.3, 0.4),))
outbox = Outbox(pathlib.Path(sys.argv[1]), Origin("branch-7", "atm-1"))
while True:
    made = outbox.commit(alert, model=None, clock_synchronised=True)
    print(made.sequence, flush=True)
    if int(made.sequence) % 50 == 0:
        outbox.delivered(range(int(made.sequence) - 49, int(made.sequence) - 9))
"""


def test_no_committed_alert_is_lost_and_no_number_is_used_twice_over_fifty_kills(
    tmp_path: Path,
) -> None:
    rng = random.Random(20261123)
    path = tmp_path / "outbox.db"
    origin = Origin("branch-7", "atm-1")
    last = 0
    head = BEGINNING
    epochs = set()
    for _ in range(50):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = int(process.stdout.readline())
        # The moment is what is tested: anywhere in the commits that follow the first.
        time.sleep(rng.uniform(0.0, 0.08))
        process.kill()
        printed = [first, *(int(line) for line in process.stdout if line.endswith("\n"))]
        process.wait(10)

        assert printed == list(range(last + 1, last + 1 + len(printed)))
        with Outbox(path, origin) as outbox:
            epochs.add(outbox.epoch)
            entries = outbox.pending(0, 1_000_000)
            kept = [entry.sequence for entry in entries]
            head = chained_on(head, last, [json.loads(entry.payload) for entry in entries])
            assert outbox.head.hash == head
            # The kill may have come between a commit and its print: one number more, at most.
            last = max(printed[-1], kept[-1])
            assert last <= printed[-1] + 1
            removed = {n for n in printed if n <= last // 50 * 50 and (n - 1) % 50 < 40}
            assert set(printed) - removed <= set(kept)
            assert outbox.depth() == len(kept)
    assert len(epochs) == 1


def chained_on(head: str, last: int, alerts: list[dict[str, Any]]) -> str:
    """See that what is kept is chained, and to `head`, the hash of alert `last`: the new head."""
    before: dict[int, str] = {last: head}
    for alert in alerts:
        number = int(alert["sequence"])
        assert digest(alert) == alert["hash"]
        if number - 1 in before:
            assert alert["previoushash"] == before[number - 1]
        before[number] = alert["hash"]
    return before[max(before)]
