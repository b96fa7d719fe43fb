"""Which alert goes next, without a broker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.backoff import Backoff
from edge_runtime.messaging.delivery import Delivery, Verdict

SUCCESS, NOBODY, TOO_LARGE, NOT_AUTHORIZED, UNKNOWN = 0x00, 0x10, 0x95, 0x87, 0x9E


def connected(receive_maximum: int = 65535) -> Delivery:
    delivery = Delivery(Backoff(4.0, 30.0))
    delivery.connected(receive_maximum, now=0.0)
    return delivery


def send(delivery: Delivery, *sequences: int) -> None:
    """Each alert is its own message number."""
    for sequence in sequences:
        assert delivery.wanted(sequence)
        delivery.sent(sequence, sequence)


def due(delivery: Delivery, *waiting: int) -> list[int]:
    """Which of the alerts that wait are to be sent now, if there is room for all."""
    found: list[int] = []
    while span := delivery.next_span():
        found += [each for each in waiting if span[0] <= each <= span[1] and delivery.wanted(each)]
    return found


def test_one_goes_first_and_twenty_after_the_first_success() -> None:
    delivery = connected()
    assert delivery.room(0) == 1
    send(delivery, 1)
    assert delivery.room(0) == 0
    assert delivery.answered(1, SUCCESS, 0.0) == (1, Verdict.TAKEN)
    assert delivery.room(0) == 20


def test_the_brokers_receive_maximum_counts_all_messages() -> None:
    delivery = connected(receive_maximum=5)
    send(delivery, 1)
    delivery.answered(1, SUCCESS, 0.0)
    assert delivery.room(others=0) == 5
    assert delivery.room(others=2) == 3
    assert delivery.room(others=9) == 0


def test_without_a_subscriber_the_alert_waits_and_is_sent_again_after_a_pause() -> None:
    delivery = connected()
    send(delivery, 1)
    assert delivery.answered(1, NOBODY, now=100.0) == (1, Verdict.HELD)
    assert delivery.held_until is not None
    assert 102.0 <= delivery.held_until <= 104.0
    delivery.resume(now=101.9)
    assert delivery.room(0) == 0
    delivery.resume(now=104.0)
    assert delivery.room(0) == 1
    assert due(delivery, 1, 2) == [1, 2]


def test_pauses_grow_to_thirty_seconds_and_start_small_again_after_a_success() -> None:
    delivery = connected()
    now, pauses = 0.0, []
    for _ in range(8):
        send(delivery, 1)
        delivery.answered(1, NOBODY, now)
        assert delivery.held_until is not None
        pauses.append(delivery.held_until - now)
        now = delivery.held_until
        delivery.resume(now)
    assert pauses[0] <= 4.0
    assert all(15.0 <= pause <= 30.0 for pause in pauses[-3:])
    send(delivery, 1)
    delivery.answered(1, SUCCESS, now)
    send(delivery, 2)
    delivery.answered(2, NOBODY, now)
    assert delivery.held_until is not None
    assert delivery.held_until - now <= 4.0


def test_a_pause_waits_for_all_answers_and_does_not_send_again_what_was_taken() -> None:
    delivery = connected()
    send(delivery, 1)
    delivery.answered(1, SUCCESS, 0.0)
    send(delivery, 2, 3, 4)
    delivery.answered(2, NOBODY, 0.0)
    delivery.answered(3, SUCCESS, 0.0)
    delivery.resume(now=60.0)
    assert delivery.room(0) == 0, "4 is still on its way"
    delivery.answered(4, NOBODY, 0.0)
    delivery.resume(now=60.0)
    assert due(delivery, 1, 2, 3, 4, 5) == [2, 4, 5]


def test_a_new_connection_ends_the_pause_and_sends_what_was_not_answered_again() -> None:
    delivery = connected()
    send(delivery, 1)
    delivery.answered(1, NOBODY, 0.0)
    delivery.connected(65535, now=0.0)
    assert (delivery.in_flight, delivery.room(0)) == (0, 1)
    assert due(delivery, 1, 2) == [1, 2]


def test_an_alert_that_is_itself_at_fault_does_not_stop_those_behind_it() -> None:
    delivery = connected()
    send(delivery, 1)
    assert delivery.answered(1, TOO_LARGE, 0.0) == (1, Verdict.SET_ASIDE)
    assert delivery.held_until is None
    assert delivery.room(0) == 1
    assert not delivery.wanted(1)
    delivery.connected(65535, now=0.0)
    assert delivery.wanted(1), "another connection, another chance"


def test_what_stops_one_alert_stops_those_behind_it_too() -> None:
    for code in (NOT_AUTHORIZED, UNKNOWN):
        delivery = connected()
        send(delivery, 1)
        assert delivery.answered(1, code, 0.0) == (1, Verdict.HELD)
        assert delivery.room(0) == 0


def test_an_alert_that_breaks_the_connection_three_times_waits_until_the_rest_is_through() -> None:
    delivery = connected()
    for strike in (None, None, 1):
        delivery.connected(65535, now=0.0)
        send(delivery, 1)
        assert delivery.broke() == strike
    delivery.connected(65535, now=0.0)
    assert not delivery.wanted(1)
    send(delivery, 2)
    delivery.answered(2, SUCCESS, 1.0)
    delivery.resume(now=39.0)
    assert not delivery.wanted(1)
    delivery.resume(now=40.0)
    assert due(delivery, 1, 2) == [1]
    send(delivery, 1)
    assert delivery.broke() == 1
    delivery.connected(65535, now=100.0)
    delivery.resume(now=179.0)
    assert delivery.set_aside == {1}
    delivery.resume(now=180.0)
    send(delivery, 1)
    delivery.answered(1, SUCCESS, 180.0)
    delivery.connected(65535, now=200.0)
    assert not delivery.set_aside


def test_no_alert_is_blamed_when_several_were_in_flight() -> None:
    delivery = connected()
    for _ in range(10):
        send(delivery, 1)
        delivery.answered(1, SUCCESS, 0.0)
        send(delivery, 2, 3)
        assert delivery.broke() is None
        delivery.connected(65535, now=0.0)


def test_what_was_set_aside_is_tried_again_after_ten_minutes_of_a_connection() -> None:
    delivery = connected()
    assert due(delivery, 1, 2) == [1, 2]
    send(delivery, 1)
    delivery.answered(1, TOO_LARGE, 0.0)
    delivery.resume(now=599.0)
    assert due(delivery, 1, 2) == []
    delivery.resume(now=600.0)
    assert due(delivery, 1, 2) == [1]


def test_what_is_asked_for_again_goes_before_what_is_new_and_each_number_once() -> None:
    delivery = connected()
    assert due(delivery, *range(1, 51)) == [*range(1, 51)]
    delivery.more = True
    delivery.send_again([(10, 12), (40, 60)])
    delivery.send_again([(11, 14), (70, 80)])
    assert due(delivery, *range(1, 54)) == [10, 11, 12, 13, 14, *range(40, 54)]
    assert delivery.idle


def test_what_found_no_room_is_sent_later() -> None:
    delivery = connected()
    assert due(delivery, *range(1, 51)) == [*range(1, 51)]
    delivery.send_again([(10, 12)])
    span = delivery.next_span()
    assert span == (10, 12)
    delivery.give_back((11, 12))
    assert not delivery.idle
    assert due(delivery, *range(1, 51)) == [11, 12]


def test_starting_over_sends_all_that_still_waits_with_one_in_flight() -> None:
    delivery = connected()
    send(delivery, 1)
    delivery.answered(1, SUCCESS, 0.0)
    due(delivery, 2, 3, 4)
    delivery.start_over()
    assert delivery.room(0) == 1
    assert due(delivery, 3, 4) == [3, 4]


def test_an_alert_that_waits_no_longer_is_suspected_no_longer() -> None:
    delivery = connected()
    for _ in range(3):
        delivery.connected(65535, now=0.0)
        send(delivery, 1)
        delivery.broke()
    delivery.connected(65535, now=0.0)
    assert delivery.set_aside == {1}
    delivery.forget(1)
    delivery.connected(65535, now=0.0)
    assert delivery.set_aside == set()


codes = st.sampled_from([SUCCESS, SUCCESS, SUCCESS, NOBODY, NOT_AUTHORIZED, TOO_LARGE])


@given(st.lists(st.tuples(codes, st.booleans()), max_size=200), st.integers(1, 30))
def test_whatever_the_broker_answers_every_alert_is_taken_in_the_end(
    answers: list[tuple[int, bool]], receive_maximum: int
) -> None:
    outbox = list(range(1, 31))
    delivery = connected(receive_maximum)
    flying: list[tuple[int, int]] = []
    taken: set[int] = set()
    message, now = 0, 0.0

    def turn() -> None:
        nonlocal message
        delivery.resume(now)
        while (room := delivery.room(0)) and (span := delivery.next_span()):
            fetched = [number for number in outbox if number >= span[0]][:room]
            if len(fetched) == room:
                delivery.give_back((fetched[-1] + 1, span[1]))
            for sequence in fetched:
                if sequence <= span[1] and delivery.wanted(sequence):
                    message += 1
                    delivery.sent(message, sequence)
                    flying.append((message, sequence))
        assert delivery.in_flight <= min(20, receive_maximum)

    def answer(code: int) -> None:
        number, sequence = flying.pop(0)
        if delivery.answered(number, code, now) == (sequence, Verdict.TAKEN):
            taken.add(sequence)

    for code, reconnect in answers:
        now += 31.0
        turn()
        if reconnect:
            delivery.connected(receive_maximum, now)
            flying.clear()
        elif flying:
            answer(code)
    now += 1000.0  # also for what was set aside
    for _ in range(200):
        turn()
        if flying:
            answer(SUCCESS)
    assert taken == set(outbox)
    assert delivery.idle
