import pytest

from edge_runtime.capture.rate import RateLimit


@pytest.mark.parametrize(("limit", "expected"), [(3, 30), (5, 50), (10, 100), (25, 100)])
def test_a_source_of_ten_a_second_is_thinned_to_the_limit(limit: float, expected: int) -> None:
    rate = RateLimit(limit)
    assert sum(rate.due(i / 10) for i in range(100)) == expected


def test_without_a_limit_every_picture_is_due() -> None:
    rate = RateLimit(None)
    assert all(rate.due(i / 1000) for i in range(100))


def test_jitter_of_arrival_costs_no_pictures() -> None:
    rate = RateLimit(5)
    jitter = (0.0, 0.004, -0.006, 0.009, -0.003)
    assert sum(rate.due(10 + i / 10 + jitter[i % 5]) for i in range(100)) == 50


def test_after_a_gap_there_is_no_burst() -> None:
    rate = RateLimit(1)
    assert rate.due(0.0)
    assert rate.due(60.0)
    assert [rate.due(60 + i / 10) for i in range(1, 9)] == [False] * 8
    assert rate.due(61.0)
