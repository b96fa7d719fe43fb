r"""Keeps alerts in a file of one's own, and acknowledges what is on the disk.

    python examples/subscriber.py mqtt.bank.example alerts.jsonl --ca ca.pem \
        --certificate me.pem --key me.key

Any store will do that says when it has kept something. An alert may come more than once, so the
file's reader goes by `id`.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from edge_runtime.centre import Subscriber
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.settings import MqttSettings


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host")
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    arguments = parser.parse_args()
    tls = arguments.ca is not None
    settings = MqttSettings(
        arguments.host,
        client_id="my-store",  # Unique at the broker, and the same after a restart.
        port=arguments.port or (8883 if tls else 1883),
        tls=tls,
        ca=arguments.ca,
        certificate=arguments.certificate,
        key=arguments.key,
    )
    with arguments.file.open("ab") as file, Subscriber(settings) as alerts:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: alerts.stop())
        for alert in alerts:
            file.write(alert.payload + b"\n")
            file.flush()
            os.fsync(file.fileno())  # Only now is it kept.
            alert.ack()
            print(alert.event.time, alert.event.severity, alert.event.id, flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgeRuntimeError as error:
        sys.exit(f"subscriber: {error}")
