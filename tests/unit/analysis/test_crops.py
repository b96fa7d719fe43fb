"""Heads: where they are, which picture of one is the best, and whose turn it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.analysis.crops import HeadChooser, cut, head_of, sharpness, squares
from edge_runtime.frame import Frame, Image
from edge_runtime.tracks import Box, Track, TrackState

STANDS: Box = (0.4, 0.1, 0.6, 0.95)
WIDTH, HEIGHT = 1000, 800


def noise() -> Image:
    return np.random.default_rng(8).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def frame(at: float = 0.0, image: Image | None = None) -> Frame:
    return Frame(noise() if image is None else image, at, at)


def track(number: int = 1, box: Box = STANDS, score: float = 0.8) -> Track:
    return Track(number, "person", box, score, TrackState.CONFIRMED, 0.0, 0.0)


def test_the_head_is_at_the_middle_of_the_upper_edge_with_shoulders_around_it() -> None:
    bust, (x, y, side) = squares(STANDS, (WIDTH, HEIGHT))
    assert (x, y, side) == (450, 80, 100)
    assert bust == (400, 60, 200)


def test_what_is_chosen_is_the_picture_itself_and_does_not_hold_the_frame() -> None:
    picture = noise()
    chooser = HeadChooser(rate=1.0)
    chooser.offer(frame(3.0, picture), [track(7)])
    head = chooser.choose(3.0)
    assert head is not None
    assert (head.track, head.at) == (7, 3.0)
    assert (head.image == picture[80:180, 450:550]).all()
    assert (head.bust == picture[60:260, 400:600]).all()
    assert not np.shares_memory(head.bust, picture)


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ((0.4, 0.1, 0.47, 0.4), False),  # 35 pixels wide, too small
        ((0.9, 0.1, 1.0, 0.9), True),  # at the edge
        ((0.95, 0.1, 1.2, 0.9), False),  # the head is out of the picture
        ((-0.15, -0.1, 0.25, 0.9), True),
    ],
)
def test_a_head_is_looked_at_where_enough_of_it_is_in_the_picture(box: Box, seen: bool) -> None:
    head = head_of(frame(), track(box=box))
    assert (head is not None) == seen
    assert head is None or min(head.image.shape[:2]) >= 40


def test_a_square_out_of_the_picture_is_empty() -> None:
    assert cut(noise(), (-500, -500, 100)).size == 0
    assert cut(noise(), (WIDTH + 5, 5, 100)).size == 0


def test_a_sharp_large_and_sure_picture_is_the_better_one() -> None:
    picture = noise()
    blurry = np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8)
    assert sharpness(cut(picture, (0, 0, 100))) > 2 * sharpness(cut(blurry, (0, 0, 100)))

    def quality(image: Image, *, box: Box = STANDS, score: float = 0.8) -> float:
        head = head_of(frame(image=image), track(box=box, score=score))
        assert head is not None
        return head.quality

    plain = quality(blurry)
    assert quality(picture) > plain
    assert quality(blurry, score=0.5) < plain
    assert quality(blurry, box=(0.4, 0.1, 0.5, 0.95)) < plain


def test_the_best_picture_since_the_last_look_is_chosen() -> None:
    sharp = noise()
    blurry = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    chooser = HeadChooser(rate=2.0)
    chosen = []
    for number in range(11):
        at = number / 10
        chooser.offer(frame(at, sharp if number == 3 else blurry), [track()])
        if head := chooser.choose(at):
            chosen.append((at, head.at))
    assert chosen == [(0.0, 0.0), (0.5, 0.3), (1.0, pytest.approx(1.0, abs=0.4))]


def test_there_are_no_more_looks_than_the_rate_allows_and_all_have_their_turn() -> None:
    people = [
        track(number, (0.1 * number, 0.1, 0.1 * number + 0.12, 0.9)) for number in range(1, 5)
    ]
    chooser = HeadChooser(rate=4.0)
    turns = []
    for step in range(100):
        chooser.offer(frame(step / 20), people)
        if head := chooser.choose(step / 20):
            turns.append(head.track)
    assert len(turns) == 20  # in 5 s
    assert turns == [1, 2, 3, 4] * 5


def test_who_has_not_been_looked_at_comes_first_and_who_is_gone_never() -> None:
    chooser = HeadChooser(rate=2.0)
    chooser.offer(frame(0.0), [track(1), track(2)])
    first = chooser.choose(0.0)
    chooser.offer(frame(0.5), [track(1), track(2), track(3)])
    second = chooser.choose(0.5)
    chooser.offer(frame(1.0), [track(1), track(3)])
    third = chooser.choose(1.0)
    chooser.offer(frame(1.5), [])
    assert [head.track for head in (first, second, third) if head] == [1, 2, 3]
    assert chooser.choose(1.5) is None
