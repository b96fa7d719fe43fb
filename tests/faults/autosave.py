"""What it costs that a broker forgets nothing: `python -m tests.faults.autosave`.

For each `autosave_interval` (changes after which Mosquitto writes its database, all of it): how
many messages a second it takes for a subscriber that is away, first with nothing waiting and then
with 5,000; and how many of the acknowledged are gone after kill -9.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from tests.broker import MOSQUITTO_PUB, MOSQUITTO_SUB, Broker

_INTERVALS = (1, 100, 1000)
_WAITING, _MEASURED = 5000, 500
_LINE = json.dumps({"of the size of an alert": "x" * 800}) + "\n"
_QUEUES = ("max_queued_messages 100000", "max_queued_bytes 0", "max_inflight_messages 20")


def main() -> int:
    for interval in _INTERVALS:
        with Broker(extra=[*_QUEUES, f"autosave_interval {interval}"]) as broker:
            client = ("-h", broker.host, "-p", str(broker.port), "-V", "mqttv5", "-q", "1")
            away = (str(MOSQUITTO_SUB), *client, "-t", "a", "-i", "away", "-c", "-x", "3600")
            subprocess.run([*away, "-E"], check=True)
            empty = _rate(client, _MEASURED)
            _rate(client, _WAITING - _MEASURED)
            full = _rate(client, _MEASURED)
            broker.kill()
            broker.start()
            sent = _WAITING + _MEASURED
            came = subprocess.run(
                [*away, "-C", str(sent), "-W", "10"], capture_output=True, check=False
            )
            sys.stdout.write(
                f"autosave_interval {interval}: {empty:.0f} a second, {full:.0f} with {_WAITING} "
                f"waiting; of {sent} acknowledged {sent - len(came.stdout.splitlines())} are gone "
                "after kill -9\n"
            )
    return 0


def _rate(client: tuple[str, ...], count: int) -> float:
    began = time.monotonic()
    subprocess.run(
        [str(MOSQUITTO_PUB), *client, "-t", "a", "-l"],
        input=_LINE.encode() * count,
        check=True,
    )
    return count / (time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
