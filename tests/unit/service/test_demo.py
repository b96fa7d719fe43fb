"""What a demo concludes from what came, which pictures it chooses, and what it configures."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.config import load
from edge_runtime.service.demo.brokers import BrokerKind, made_broker
from edge_runtime.service.demo.errors import DemoError
from edge_runtime.service.demo.recorder import Moment, choose
from edge_runtime.service.demo.screen import Screen
from edge_runtime.service.demo.setting import Wish, configuration, source_of
from edge_runtime.service.demo.subscriber import Received
from edge_runtime.service.demo.summary import Covered, Delivery

NOW = 1_795_000_000.0


def alert(number: int, seconds: float = 0.02, state: str = "started") -> Received:
    """Alert `number`, which took `seconds` from the frame that decided it."""
    data: dict[str, Any] = {
        "name": "presence",
        "rule": "presence",
        "state": state,
        "label": "person",
        "score": 0.8,
        "zone": "door",
        "duration": 7.0,
        "decided_after": 1.0,
    }
    payload = {
        "id": f"atm-1/5/{number}",
        "time": rfc3339(NOW - 1.0 - seconds),
        "severity": "high",
        "data": data,
    }
    return Received(100.0 + number, NOW, "edge/v1/s/d/alert/atm/presence", False, payload)


def ids(*numbers: int) -> list[str]:
    return [f"atm-1/5/{number}" for number in numbers]


def test_all_that_was_committed_and_came_is_well() -> None:
    alerts = [alert(1), alert(2, 0.04), alert(3, 6.0)]
    delivery = Delivery.of(ids(1, 2, 3), alerts, late=alerts[2:])
    assert (delivery.committed, delivery.received, delivery.lost) == (3, 3, ())
    assert delivery.in_order
    assert delivery.latency_ms is not None
    assert delivery.latency_ms.p50 == pytest.approx(30, abs=2)
    assert delivery.latency_ms.p95 < 45


def test_what_did_not_come_is_lost_and_named() -> None:
    delivery = Delivery.of(ids(1, 2, 3), [alert(1), alert(3)], late=[])
    assert delivery.lost == ("atm-1/5/2",)
    assert delivery.in_order


def test_what_came_twice_or_in_another_order_is_told() -> None:
    delivery = Delivery.of(ids(1, 2), [alert(2), alert(1), alert(2)], late=[])
    assert (delivery.received, delivery.twice) == (2, ("atm-1/5/2",))
    assert not delivery.in_order


def test_no_alert_has_no_latency() -> None:
    assert Delivery.of([], [], late=[]).latency_ms is None


def test_whether_a_covered_camera_was_told_is_said() -> None:
    assert str(Covered(32.0, 2, told=False)) == (
        "the lens was covered at 32 s: 2 presences ended with it, although nobody had left; that "
        "the camera sees nothing was not told"
    )
    assert str(Covered(32.0, 2, told=True)).endswith("that the camera sees nothing was told")


def test_an_alert_about_the_camera_itself_is_shown_without_a_class() -> None:
    stream = io.StringIO()
    about = alert(1)
    about.payload["data"] |= {"name": "covered", "label": None, "score": None, "zone": None}
    Screen(stream).received(6.0, about)
    assert stream.getvalue() == "   6.0 s  alert   covered started  [high]  20 ms\n"


def moment(seconds: float, *, told: bool = False) -> Moment:
    return Moment(seconds, told, np.zeros((9, 16, 3), np.uint8))


def test_the_sheet_has_what_was_told_and_what_lies_furthest_between() -> None:
    moments = [moment(second, told=second in (5.0, 30.0)) for second in map(float, range(41))]
    chosen = [each.seconds for each in choose(moments, 5)]
    assert chosen == sorted(chosen)
    assert {5.0, 30.0} <= set(chosen)
    assert len(chosen) == 5
    assert max(later - sooner for sooner, later in pairwise(chosen)) <= 13


def test_a_sheet_of_few_or_equal_moments_has_them_once() -> None:
    assert [each.seconds for each in choose([moment(0.0), moment(1.0)], 12)] == [0.0, 1.0]
    assert len(choose([moment(3.0, told=True), moment(3.0)], 12)) == 1
    assert len(choose([moment(n / 10, told=True) for n in range(50)], 12)) == 12


@pytest.mark.parametrize("source", ["scene:atm", 'rtsp://me:it"secret"@10.0.0.7/1'])
def test_the_configuration_of_a_demo_is_a_good_one(source: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    wish = Wish(source, 40.0, tmp_path, BrokerKind.AUTO)
    path.write_text(configuration(wish, tmp_path / "state", 1883))
    config = load(path, check_files=False)
    assert config.cameras[0].source.get_secret_value() == source
    assert config.model.name == "person"
    assert bool(config.cameras[0].zones) is wish.drawn


def test_a_visitor_names_a_number_a_path_or_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b.mp4").touch()
    assert source_of("0") == "v4l2:0"
    assert source_of("clip.mp4") == str(tmp_path / "clip.mp4")
    assert source_of("a:b.mp4") == str(tmp_path / "a:b.mp4")
    assert source_of("rtsp://10.0.0.7/1") == "rtsp://10.0.0.7/1"


def test_a_machine_without_a_broker_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(DemoError, match=r"apt-get install mosquitto.*edge-runtime\[demo\]"):
        made_broker(BrokerKind.MOSQUITTO, tmp_path)
    assert made_broker(BrokerKind.AUTO, tmp_path).name == "moat-lib-mqtt"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DemoError, match="there is no MQTT broker for the demo"):
        made_broker(BrokerKind.AUTO, tmp_path)


def test_what_a_subscriber_receives_is_a_line_each() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.received(6.0, alert(1))
    screen.received(17.0, alert(2, 5.5, "ended"))
    reasons = {"state": "degraded", "reasons": ["camera atm is stale"]}
    screen.received(18.0, Received(0, 0, "edge/v1/s/d/status", True, reasons))
    screen.state("only on a terminal")
    assert stream.getvalue().splitlines() == [
        "   6.0 s  alert   presence started: person 80% in door  [high]  20 ms",
        "  17.0 s  alert   presence ended: person 80% in door, after 7.0 s  [high]  waited 5.5 s "
        "on disk",
        "  18.0 s  status  degraded (camera atm is stale)",
    ]
