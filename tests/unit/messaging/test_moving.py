from __future__ import annotations

import time
from pathlib import Path

from edge_runtime.alerts.alert import Origin
from edge_runtime.alerts.outbox import Outbox
from edge_runtime.messaging.publisher import Publisher
from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.messaging.topics import Topics
from tests.broker import free_port


def test_a_publisher_moves_while_its_thread_turns_and_at_no_other_time(tmp_path: Path) -> None:
    settings = MqttSettings(host="127.0.0.1", port=free_port(), client_id="moving")
    with Outbox(tmp_path / "outbox.sqlite", Origin("site", "device")) as outbox:
        publisher = Publisher(settings, outbox, Topics("site", "device"))
        assert not publisher.moving(time.monotonic())
        publisher.start()
        assert publisher.moving(time.monotonic())
        assert not publisher.moving(time.monotonic() + 120)
        publisher.stop(2.0)
        assert not publisher.moving(time.monotonic())
