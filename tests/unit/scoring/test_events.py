from __future__ import annotations

import pytest

from edge_runtime.scoring.events import Alarm, Event, Score, score, score_by_kind
from edge_runtime.scoring.poisson import rate_interval

HOUR = 3600.0


def events(*starts: float, kind: str = "presence") -> list[Event]:
    return [Event(kind, start, start + 5) for start in starts]


def alarms(*moments: float, kind: str = "presence") -> list[Alarm]:
    return [Alarm(kind, at) for at in moments]


def counts(found: Score) -> tuple[int, int, int]:
    return found.true, found.false, found.missed


def test_an_alarm_within_ten_seconds_of_the_start_is_true() -> None:
    assert counts(score(events(100), alarms(110), HOUR)) == (1, 0, 0)
    assert counts(score(events(100), alarms(110.1), HOUR)) == (0, 1, 1)


def test_an_alarm_may_come_as_much_early_as_a_person_errs() -> None:
    assert counts(score(events(100), alarms(99), HOUR)) == (1, 0, 0)
    assert counts(score(events(100), alarms(98.9), HOUR)) == (0, 1, 1)


def test_a_second_alarm_of_one_event_is_false() -> None:
    assert counts(score(events(100), alarms(101, 102), HOUR)) == (1, 1, 0)


def test_two_events_at_once_need_two_alarms() -> None:
    assert counts(score(events(100, 101), alarms(103), HOUR)) == (1, 0, 1)
    assert counts(score(events(100, 101), alarms(103, 104), HOUR)) == (2, 0, 0)


def test_alarms_are_given_to_events_so_that_most_are_told() -> None:
    # The first alarm fits both events, the second only the later one.
    assert counts(score(events(100, 108), alarms(109, 117), HOUR)) == (2, 0, 0)


def test_the_order_in_which_they_are_given_does_not_matter() -> None:
    assert counts(score(events(200, 100), alarms(201, 101), HOUR)) == (2, 0, 0)


def test_an_alarm_of_another_kind_is_no_alarm_of_the_event() -> None:
    found = score_by_kind(events(100), alarms(101, kind="crowd"), HOUR)
    assert {kind: counts(each) for kind, each in found.items()} == {
        "crowd": (0, 1, 0),
        "presence": (0, 0, 1),
    }


def test_what_is_due_later_is_counted_from_there() -> None:
    loitering = Event("loitering", 10, 60, due=25)
    assert counts(score([loitering], alarms(11, kind="loitering"), HOUR)) == (0, 1, 1)
    found = score([loitering], alarms(26, kind="loitering"), HOUR)
    assert found.delays == (1.0,)


def test_the_figures_are_those_of_their_formulas() -> None:
    found = score(events(100, 200, 300, 400), alarms(102, 204, 306, 500, 600), 2 * HOUR)
    assert counts(found) == (3, 2, 1)
    assert found.precision == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(3 / 4)
    assert found.f1() == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert found.f1(60) == pytest.approx(61 * 0.75 * 0.6 / (0.75 + 60 * 0.6))
    assert found.false_per_hour == pytest.approx(1)
    assert found.delay == 4


def test_scores_of_several_clips_add_up() -> None:
    total = score(events(10), alarms(11), 60) + score(events(), alarms(5), 30)
    assert (counts(total), total.seconds, total.delays) == ((1, 1, 0), 90, (1,))


def test_where_nothing_happened_and_nothing_was_told_there_is_no_figure() -> None:
    silent = score([], [], 60)
    assert (silent.precision, silent.recall, silent.f1(), silent.delay) == (None,) * 4
    assert silent.false_per_hour == 0
    assert Score().false_per_hour is None
    assert Score().false_per_hour_interval is None
    assert score(events(10), [], 60).f1() == 0


def test_the_interval_is_that_of_the_tables() -> None:
    """Garwood's table: 0 counted lie in 0..3.689, 10 in 4.795..18.391."""
    none, ten = rate_interval(0, 1), rate_interval(10, 1)
    assert (none.low, none.high) == (0, pytest.approx(3.6889, abs=1e-4))
    assert (ten.low, ten.high) == (
        pytest.approx(4.7954, abs=1e-4),
        pytest.approx(18.3904, abs=1e-4),
    )
    half = rate_interval(10, 2)
    assert (half.low, half.high) == (pytest.approx(ten.low / 2), pytest.approx(ten.high / 2))


@pytest.mark.parametrize("count", [1, 2, 5, 40, 1000])
def test_the_interval_is_that_of_chi_square(count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    found = rate_interval(count, 1, 0.9)
    assert found.low == pytest.approx(stats.chi2.ppf(0.05, 2 * count) / 2)
    assert found.high == pytest.approx(stats.chi2.ppf(0.95, 2 * count + 2) / 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("presence", 5, 5), "presence ends at 5 s, not after its start 5"),
        (("", 5, 6), "an event has a kind, as presence is one"),
        (("loitering", 5, 60, (), 4), "loitering is due at 4 s, before its start 5"),
    ],
)
def test_an_event_that_cannot_be_is_refused(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence + "$"):
        Event(*arguments)  # type: ignore[arg-type]
