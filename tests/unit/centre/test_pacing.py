"""When a device is told how far its alerts are held."""

from __future__ import annotations

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre.pacing import AcknowledgementPacer
from edge_runtime.messaging.wire import Acknowledgement

ONE, OTHER = ChainName("s", "one", 1), ChainName("s", "other", 1)


def told(sequence: int) -> Acknowledgement:
    return Acknowledgement(epoch=1, sequence=sequence)


def test_the_first_goes_at_once_and_of_those_that_follow_the_latest_later() -> None:
    pacer = AcknowledgementPacer(every=0.25)
    assert (pacer.due(0.0, 9), pacer.wait(0.0)) == ([], None)
    pacer.add({ONE: told(1)})
    assert (pacer.wait(0.0), pacer.due(0.0, 9)) == (0.0, [(ONE, told(1))])
    pacer.add({ONE: told(2)})
    pacer.add({ONE: told(3), OTHER: told(1)})
    assert pacer.due(0.1, 9) == [(OTHER, told(1))]
    assert pacer.wait(0.1) == 0.15
    assert pacer.due(0.25, 9) == [(ONE, told(3))]
    assert pacer.wait(0.25) is None


def test_no_more_go_than_there_is_room_for() -> None:
    pacer = AcknowledgementPacer()
    pacer.add({ONE: told(1), OTHER: told(2)})
    assert pacer.due(0.0, 0) == []
    assert [key for _ in range(2) for key, _ in pacer.due(0.0, 1)] == [ONE, OTHER]
