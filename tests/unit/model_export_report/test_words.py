from __future__ import annotations

import pytest

from model_export.report import words
from model_export.report.scale import Bar, Scale


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.0123456, "0.01235"), (-2.5, "−2.5"), (999.96, "1000"), (325352, "325,352")],  # noqa: RUF001
)
def test_an_amount_has_four_digits_that_count(number: float, text: str) -> None:
    assert words.amount(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (333_288, "333 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (4_600_000, "4.6 MB"),
        (2_300_000_000, "2.3 GB"),
        (2_300_000_000_000, "2,300 GB"),
    ],
)
def test_a_size_has_the_unit_that_leaves_three_digits(number: int, text: str) -> None:
    assert words.size(number) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.0, "±0.0 points"),
        (-0.0004, "±0.0 points"),
        (0.012, "+1.2 points"),
        (-0.0111, "−1.1 points"),  # noqa: RUF001
    ],
)
def test_a_difference_of_shares_is_told_in_points_with_its_sign(
    difference: float, text: str
) -> None:
    assert words.points(difference) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.069, "0.0690"), (9.3, "9.30"), (21.04, "21.0"), (1234.5, "1,234")]
)
def test_milliseconds_of_one_row_have_the_same_digits(value: float, text: str) -> None:
    assert words.milliseconds(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250 ms"),
        (1.3, "1.3 s"),
        (59.99, "60.0 s"),
        (212.4, "3 min 32 s"),
        (7300, "2 h 1 min"),
    ],
)
def test_a_duration_is_told_as_a_person_says_it(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_what_there_is_no_number_for_is_a_dash() -> None:
    assert words.share(None) == words.NONE
    assert words.interval(None, None) == ""
    assert words.share(0.12345) == "12.3%"
    assert words.interval(0.1, 0.2) == "10.0 to 20.0"


def test_a_label_is_one_line_without_what_no_font_has() -> None:
    assert words.shortened(" a\n\tb\0\u202e\udc80c ", 20) == "a b c"
    assert words.shortened("abcdefgh", 5) == "abcd…"


def test_a_scale_has_room_for_all_in_whole_tenths() -> None:
    scale = Scale.over([0.864, None, 0.955])
    assert str(scale) == "80% to 100%"
    assert scale.bar(0.85, 0.9, 0.95) == Bar(25, 50, 75)
    assert scale.bar(None, 0.9, None) is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_scale_of_one_value_has_a_length(share: float) -> None:
    bar = Scale.over([share]).bar(share, share, share)
    assert bar is not None and 0 <= bar.value <= 100


def test_a_scale_of_nothing_is_the_whole_one() -> None:
    assert Scale.over([None]) == Scale(0, 1)
