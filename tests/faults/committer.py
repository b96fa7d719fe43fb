"""A device as far as its alerts go, as a process: `python -m tests.faults.committer`.

The real outbox and the real publisher. An alert is committed every so often, and then told in a
file, with its hash; nothing else of the daemon is here, so that it starts within half a second.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from edge_runtime.alerts.outbox import Outbox
from edge_runtime.backoff import Backoff
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.receipts import AcknowledgedBy
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from tests.faults.committing import ORIGIN, WITNESS, Witness, an_alert

_MOST_WAITING = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--every", type=float, default=0.02, help="seconds; 0: no more alerts")
    parser.add_argument("--acknowledged-by", type=AcknowledgedBy, default=AcknowledgedBy.CENTRE)
    arguments = parser.parse_args()
    dice = random.Random()
    witness = Witness(arguments.folder / WITNESS)
    with Outbox(arguments.folder / "outbox.sqlite", ORIGIN) as outbox:
        publisher = Publisher(
            MqttSettings("127.0.0.1", "atm-1", port=arguments.port),
            outbox,
            Topics(ORIGIN.site, ORIGIN.device),
            acknowledged_by=arguments.acknowledged_by,
            resend_after=2.0,
            reconnect=Backoff(0.1, 1.0),
            retry=Backoff(0.2, 1.0),
        )
        publisher.start()
        while True:
            time.sleep(arguments.every or 60.0)
            # Alerts are to flow, not to pile up: what is tried is not a backlog.
            if arguments.every and outbox.depth() < _MOST_WAITING:
                made = outbox.commit(an_alert(dice), model=None, clock_synchronised=True)
                witness.tell(committed=int(made.sequence), hash=made.hash)


if __name__ == "__main__":
    main()
