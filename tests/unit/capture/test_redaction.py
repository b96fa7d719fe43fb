import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.redaction import redact

NASTY = (
    "s3cret",
    "p@ss",
    "p/ss",
    "p:ss",
    "p%40ss",
    "100%",
    "a@b/c:d%e?f#g",
    'quo"te',
    "é@ü",
    "@",
    "//",
)


@pytest.mark.parametrize("password", NASTY)
def test_no_part_of_a_nasty_password_is_left(password: str) -> None:
    text = redact(f"cannot open rtsp://admin:{password}@10.0.0.7:554/stream?x=1")
    assert text == "cannot open rtsp://***@10.0.0.7:554/stream?x=1"


@given(st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters='"'), min_size=1))
def test_whatever_the_password_only_the_host_is_left(password: str) -> None:
    assert redact(f"http://admin:{password}@10.0.0.7/x") == "http://***@10.0.0.7/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/x.cgi?user=a&password=p@ss&c=1", "http://h/x.cgi?user=a&password=***&c=1"),
        ("http://h/x?access_token=abc", "http://h/x?access_token=***"),
        ("http://h/x?api-key=abc&api_key=d", "http://h/x?api-key=***&api_key=***"),
        ("rtsp://h/user=admin_password=tlJwpbo6_channel=1.sdp", "rtsp://h/user=admin_password=***"),
        ("http://h/x?PWD=abc", "http://h/x?PWD=***"),
    ],
)
def test_secrets_in_path_and_query_are_hidden(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://10.0.0.7/stream?x=1",
        "mail admin@bank.example about /dev/video0",
        "http://10.0.0.7:8080/a/b?channel=1&monkey=2",
        "v4l2:/dev/video0",
    ],
)
def test_what_holds_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_each_of_several_urls_is_redacted() -> None:
    text = redact("rtsp://a:b@h/x failed, rtsp://c:d@i/y too")
    assert text == "rtsp://***@h/x failed, rtsp://***@i/y too"


def test_json_stays_json() -> None:
    line = json.dumps({"source": "rtsp://h/x", "mail": "a@b"}, separators=(",", ":"))
    assert redact(line) == line
    line = json.dumps({"source": "rtsp://u:p@h/x", "mail": "a@b"}, separators=(",", ":"))
    assert json.loads(redact(line)) == {"source": "rtsp://***@h/x", "mail": "a@b"}
