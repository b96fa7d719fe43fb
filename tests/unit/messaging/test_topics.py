"""Names that can be levels of topics, and names that cannot."""

from __future__ import annotations

import pytest

from edge_runtime.messaging.topics import TopicError, Topics

TOPICS = Topics("branch-7", "atm-1")


def test_topics_are_those_of_the_contract() -> None:
    assert TOPICS.status == "edge/v1/branch-7/atm-1/status"
    assert TOPICS.health == "edge/v1/branch-7/atm-1/health"
    assert TOPICS.alert("front", "presence") == "edge/v1/branch-7/atm-1/alert/front/presence"


def test_names_may_be_in_any_language_and_hold_spaces() -> None:
    assert Topics("Zürich HB", "外").status == "edge/v1/Zürich HB/外/status"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "the name of the site is empty: it becomes a level of an MQTT topic"),
        (
            "a/b#",
            "the name of the site 'a/b#' holds # /: / + and # have a meaning of their own in MQTT "
            "topics",
        ),
        (
            "+",
            "the name of the site '+' holds +: / + and # have a meaning of their own in MQTT "
            "topics",
        ),
        (
            "a\0b",
            "the name of the site 'a\\x00b' holds a character that cannot be printed: it becomes "
            "a level of an MQTT topic",
        ),
        (
            "a\udc80",
            "the name of the site 'a\\udc80' holds a character that cannot be printed: it becomes "
            "a level of an MQTT topic",
        ),
        (
            "ü" * 51,
            f"the name of the site '{'ü' * 20}…' takes 102 bytes: at most 100 fit into a level of "
            "a topic",
        ),
    ],
)
def test_a_name_that_cannot_be_a_level_is_refused_in_words(name: str, sentence: str) -> None:
    with pytest.raises(TopicError) as error:
        Topics(name, "atm-1")
    assert str(error.value) == sentence


def test_every_level_is_checked() -> None:
    with pytest.raises(TopicError, match="the name of the device"):
        Topics("site", "a+")
    with pytest.raises(TopicError, match="the name of the camera"):
        TOPICS.alert("a/b", "presence")
    with pytest.raises(TopicError, match="the name of the rule"):
        TOPICS.alert("front", "#")
