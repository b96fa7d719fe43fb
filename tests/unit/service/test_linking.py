"""How the way to the centre is told."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.messaging.link import LinkState
from edge_runtime.messaging.publisher import PublisherStats
from edge_runtime.messaging.receipts import Acknowledged
from edge_runtime.service.linking import all_brought, link_report, silent_centre, warnings

STATS = PublisherStats(
    link=LinkState.ONLINE,
    since=1_790_000_000.0,
    in_flight=0,
    depth=7,
    delivered=12,
    resent=0,
    set_aside=0,
    held=None,
    acknowledged=Acknowledged(upto=5, waiting=7, seconds=200.0, refused=0),
    last_error=None,
    reconnects=0,
    changes={},
)
QUICK = Acknowledged(upto=5, waiting=7, seconds=1.0, refused=0)


def test_a_centre_that_is_silent_for_minutes_is_a_warning_that_says_what_may_be_wrong() -> None:
    sentence = silent_centre(STATS)
    assert sentence
    assert sentence.startswith("7 alerts wait for the centre's acknowledgement, of which none has ")
    assert 'acknowledgement = "broker"' in sentence


def test_no_centre_is_missed_while_it_is_quick_or_unreachable_or_not_asked() -> None:
    assert silent_centre(replace(STATS, acknowledged=QUICK)) is None
    assert silent_centre(replace(STATS, link=LinkState.WAITING)) is None
    assert silent_centre(replace(STATS, acknowledged=None)) is None
    idle = Acknowledged(upto=12, waiting=0, seconds=None, refused=0)
    assert silent_centre(replace(STATS, acknowledged=idle)) is None


def test_alerts_that_the_broker_does_not_take_are_a_warning() -> None:
    assert warnings(replace(STATS, acknowledged=QUICK)) == []
    (sentence,) = warnings(replace(STATS, acknowledged=QUICK, set_aside=2))
    assert sentence == "the broker does not take 2 of the alerts that wait: the log says why"
    assert len(warnings(replace(STATS, set_aside=2))) == 2, "the centre is silent, too"


def test_all_is_brought_when_the_outbox_is_empty_or_the_centre_had_its_time() -> None:
    assert all_brought(STATS)
    assert not all_brought(replace(STATS, acknowledged=QUICK))
    assert not all_brought(replace(STATS, depth=8)), "one was not sent yet"
    assert all_brought(replace(STATS, depth=8, set_aside=1))
    assert not all_brought(replace(STATS, acknowledged=None))
    assert all_brought(replace(STATS, acknowledged=None, depth=0))


def test_the_report_says_since_when_the_centre_is_waited_for() -> None:
    told = link_report(STATS)["acknowledged"]
    assert told
    assert (told["upto"], told["waiting"], told["refused"]) == (5, 7, 0)
    assert told["waiting_since"]
    assert link_report(replace(STATS, acknowledged=None))["acknowledged"] is None
