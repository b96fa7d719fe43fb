"""How far a chain is held, and what it lacks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.alerts.chain import BEGINNING
from edge_runtime.centre.standing import Gone, Link, Reason, Standing, advanced, gaps


def named(number: int) -> str:
    """The hash of the alert of that number."""
    return BEGINNING if number == 0 else f"{number:064x}"


def links(*numbers: int) -> dict[int, Link]:
    return {number: Link(named(number - 1), named(number)) for number in numbers}


def dropped(first: int, last: int) -> Gone:
    return Gone(first, last, Reason.DROPPED, named(first - 1), named(last))


def at(number: int, *, known: bool = True, broken: bool = False) -> Standing:
    return Standing(number, named(number) if known else None, broken)


def test_it_goes_to_the_first_gap_and_no_further() -> None:
    assert advanced(Standing(), links(1, 2, 3, 5), []) == at(3)
    assert advanced(Standing(), links(2, 3), []) == Standing()


def test_what_was_dropped_is_passed_and_the_chain_goes_on_over_it() -> None:
    assert advanced(Standing(), links(1, 2, 6), [dropped(3, 5)]) == at(6)


def test_a_range_that_does_not_lead_on_breaks_the_chain() -> None:
    forged = Gone(3, 5, Reason.DROPPED, named(77), named(5))
    assert advanced(Standing(), links(1, 2, 6), [forged]) == at(2, broken=True)


def test_an_alert_that_does_not_follow_breaks_the_chain() -> None:
    forged = {**links(1, 2), 3: Link(named(99), named(3))}
    assert advanced(Standing(), forged, []) == at(2, broken=True)
    assert advanced(Standing(), {1: Link(named(9), named(1))}, []) == Standing(broken=True)


def test_an_alert_that_does_not_follow_what_was_dropped_breaks_the_chain() -> None:
    found = {**links(1, 2), 6: Link(named(99), named(6))}
    assert advanced(Standing(), found, [dropped(3, 5)]) == at(5, broken=True)


def test_what_is_missing_is_passed_but_proves_nothing() -> None:
    missing = Gone(3, 5, Reason.MISSING)
    assert advanced(Standing(), links(1, 2), [missing]) == at(5, known=False)
    assert advanced(Standing(), links(1, 2, 6), [missing]) == at(6)


def test_what_a_person_accepted_is_passed_also_where_the_chain_is_broken() -> None:
    forged = {**links(1, 2, 4), 3: Link(named(99), named(3))}
    accepted = Gone(3, 3, Reason.ACCEPTED)
    assert advanced(at(2, broken=True), forged, [accepted]) == at(4)


def test_an_alert_that_is_stored_counts_more_than_that_it_was_dropped() -> None:
    found = {**links(1, 2, 3), 4: Link(named(99), named(4))}
    assert advanced(Standing(), found, [dropped(2, 5)]) == at(3, broken=True)


def test_ranges_that_overlap_are_passed_as_one() -> None:
    ranges = [dropped(2, 3), dropped(2, 7), dropped(5, 6)]
    assert advanced(Standing(), links(1, 8), ranges) == at(8)


def test_gaps_are_what_is_neither_stored_nor_gone() -> None:
    assert gaps(at(2), [4, 5, 9], [dropped(6, 7)]) == [(3, 3), (8, 8)]
    assert gaps(at(2), [], [dropped(6, 7)]) == [(3, 5)]
    assert gaps(at(2), [3], []) == []


@given(
    stored=st.sets(st.integers(1, 40)),
    ranges=st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 8), st.sampled_from(Reason)), max_size=6
    ),
    window=st.integers(1, 10),
)
def test_step_by_step_it_goes_as_far_as_at_once_and_covers_all(
    stored: set[int], ranges: list[tuple[int, int, Reason]], window: int
) -> None:
    gone = [
        Gone(first, first + more, reason, named(first - 1), named(first + more))
        for first, more, reason in ranges
    ]
    covered = stored | {n for each in gone for n in range(each.first, each.last + 1)}
    least = next(n for n in range(1, 60) if n not in covered) - 1

    whole = advanced(Standing(), links(*stored), gone)
    assert (whole.sequence, whole.broken) == (least, False)

    step = Standing()
    while True:
        near = links(*(n for n in stored if step.sequence < n <= step.sequence + window))
        beyond = [each for each in gone if each.last > step.sequence]
        after = advanced(step, near, beyond)
        if after.sequence == step.sequence:
            break
        step = after
    assert (step.sequence, step.broken) == (least, False)
