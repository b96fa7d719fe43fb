"""A daemon whose sources are recordings ends with them, when all is delivered."""

from __future__ import annotations

from pathlib import Path

from tests.broker import Broker, Subscriber, wait_for
from tests.daemon import Daemon, camera, mqtt, presence
from tests.small_centre import SmallCentre


def tables(data_dir: Path, folder: Path, small_model: str) -> list[str]:
    """A person in the pictures 20 to 39 of 60."""
    folder.mkdir()
    for number in range(60):
        name = "squat.jpg" if 20 <= number < 40 else "cat.jpg"
        (folder / f"{number}.jpg").symlink_to(data_dir / "images" / name)
    return [small_model, camera("atm", folder, "fps = 10"), presence()]


def test_it_ends_by_itself_after_the_last_alert_is_delivered(
    data_dir: Path, small_model: str, tmp_path: Path
) -> None:
    config = tables(data_dir, tmp_path / "pictures", small_model)
    with Broker() as broker, SmallCentre(broker) as centre:
        with Daemon(tmp_path, [*config, mqtt(broker)], "--fast") as daemon:
            status, _ = daemon.wait(20.0)
        started, ended = centre.received
    assert status == 0
    assert (started["data"]["state"], ended["data"]["state"]) == ("started", "ended")
    assert "reason" not in ended["data"]
    assert "all sources have ended and all alerts are delivered" in daemon.log


def test_it_waits_for_a_broker_that_is_away_with_alerts_to_bring(
    data_dir: Path, small_model: str, tmp_path: Path
) -> None:
    config = tables(data_dir, tmp_path / "pictures", small_model)
    with Broker() as broker:
        broker.kill()
        with Daemon(tmp_path, [*config, mqtt(broker)], "--fast") as daemon:
            daemon.wait_for_log("presence ended")
            daemon.wait_for_log("camera atm is ended")
            assert daemon.ask()["outbox"]["depth"] == 2
            broker.start()
            with SmallCentre(broker) as centre:
                assert daemon.wait(60.0)[0] == 0
                assert centre.first_arrivals() == [1, 2]


def test_a_centre_that_says_nothing_is_not_waited_for_and_the_next_daemon_sends_again(
    data_dir: Path, small_model: str, tmp_path: Path
) -> None:
    config = tables(data_dir, tmp_path / "pictures", small_model)
    with Broker() as broker:
        with Subscriber(broker, "edge/v1/+/+/alert/#") as subscriber:
            with Daemon(tmp_path, [*config, mqtt(broker)], "--fast") as daemon:
                assert daemon.wait(40.0)[0] == 0
            wait_for(lambda: len(subscriber.payloads()) == 2, "both alerts came")
        assert "2 alerts stay in the outbox: the centre has not acknowledged them" in daemon.log
        with SmallCentre(broker) as centre:
            daemon.configure([small_model, camera("atm", "synthetic:"), mqtt(broker)])
            daemon.start()
            wait_for(lambda: centre.first_arrivals() == [1, 2], "they are sent again")
            daemon.stop()


def test_without_a_broker_it_ends_with_the_alerts_on_disk(
    data_dir: Path, small_model: str, tmp_path: Path
) -> None:
    config = tables(data_dir, tmp_path / "pictures", small_model)
    with Daemon(tmp_path, config, "--fast") as daemon:
        assert daemon.wait(20.0)[0] == 0
        assert "no [mqtt] in the configuration: alerts are kept, nobody is told" in daemon.log
        daemon.configure([small_model, camera("atm", "synthetic:")])
        daemon.start_ready()
        assert daemon.ask()["outbox"]["depth"] == 2
