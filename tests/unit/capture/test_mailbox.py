import threading
import time

from edge_runtime.capture.mailbox import Delivery, Mailbox


def test_the_newest_item_wins_and_the_replaced_are_counted() -> None:
    mailbox: Mailbox[int] = Mailbox(Delivery.NEWEST)
    for item in range(5):
        assert mailbox.put(item)
    assert mailbox.take(0) == 4
    assert mailbox.take(0) is None
    assert mailbox.dropped == 4


def test_every_item_is_delivered_in_order_however_slow_the_reader() -> None:
    mailbox: Mailbox[int] = Mailbox(Delivery.EVERY)

    def write() -> None:
        for item in range(2000):
            mailbox.put(item)
        mailbox.close()

    writer = threading.Thread(target=write)
    writer.start()
    taken = []
    while (item := mailbox.take(5.0)) is not None:
        taken.append(item)
        if item % 500 == 0:
            threading.Event().wait(0.01)
    writer.join(5.0)
    assert taken == list(range(2000))
    assert mailbox.dropped == 0
    assert mailbox.finished


def test_with_newest_wins_what_is_taken_rises_and_nothing_is_lost_uncounted() -> None:
    mailbox: Mailbox[int] = Mailbox(Delivery.NEWEST)

    def write() -> None:
        for item in range(20000):
            mailbox.put(item)
        mailbox.close()

    writer = threading.Thread(target=write)
    writer.start()
    taken = []
    while (item := mailbox.take(5.0)) is not None:
        taken.append(item)
    writer.join(5.0)
    assert taken == sorted(set(taken))
    assert taken[-1] == 19999
    assert len(taken) + mailbox.dropped == 20000


def test_a_reader_waits_no_longer_than_its_timeout() -> None:
    mailbox: Mailbox[int] = Mailbox()
    before = time.monotonic()
    assert mailbox.take(0.05) is None
    assert 0.04 < time.monotonic() - before < 1.0


def test_closing_wakes_a_waiting_reader() -> None:
    mailbox: Mailbox[int] = Mailbox()
    results: list[int | None] = []
    reader = threading.Thread(target=lambda: results.append(mailbox.take()))
    reader.start()
    mailbox.close()
    reader.join(2.0)
    assert results == [None]


def test_closing_wakes_a_waiting_writer_and_refuses_its_item() -> None:
    mailbox: Mailbox[int] = Mailbox(Delivery.EVERY)
    mailbox.put(1)
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(mailbox.put(2)))
    writer.start()
    mailbox.close()
    writer.join(2.0)
    assert results == [False]
    assert mailbox.take(0) == 1
    assert mailbox.finished


def test_what_was_left_before_closing_can_still_be_taken() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(7)
    mailbox.close()
    assert not mailbox.finished
    assert mailbox.take() == 7
    assert mailbox.finished
