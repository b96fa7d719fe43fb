"""Which commands are taken, and what those hear that are not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.alerts.alert import rfc3339
from edge_runtime.dsse import pae
from edge_runtime.messaging import command_ids
from edge_runtime.messaging.command_ids import CommandIds, CommandIdsError
from edge_runtime.messaging.commands import (
    SIGNED_TYPE,
    Admission,
    CommandName,
    RefusedError,
    ResendArguments,
    RuleArguments,
)
from edge_runtime.messaging.connection import Received
from edge_runtime.messaging.topics import Topics

NOW = 1_790_000_000.0
TOPICS = Topics("paris-12", "atm-1")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY_ID = "centre"
ALL = frozenset(CommandName)
OPEN = Admission(TOPICS, ALL)
SIGNED = Admission(TOPICS, ALL, {KEY_ID: KEY.public_key().public_bytes_raw()})


def _content(seconds: float = 60.0, **more: Any) -> dict[str, Any]:
    return {"id": "c-1", "expires": rfc3339(NOW + seconds), "arguments": {}, **more}


def _received(content: object, name: str = "status", **more: Any) -> Received:
    return Received(TOPICS.command("+")[:-1] + name, json.dumps(content).encode(), **more)


def _envelope(content: object, key: Ed25519PrivateKey = KEY, kind: str = SIGNED_TYPE) -> Any:
    body = json.dumps(content).encode()
    signature = base64.b64encode(key.sign(pae(kind, body))).decode()
    return {
        "payloadType": SIGNED_TYPE,
        "payload": base64.b64encode(body).decode(),
        "signatures": [{"keyid": KEY_ID, "sig": signature}],
    }


def _for_us(**more: Any) -> dict[str, Any]:
    return {**_content(), "site": "paris-12", "device": "atm-1", "command": "status", **more}


def test_a_command_is_taken_with_its_arguments_and_its_way_back() -> None:
    arguments = {"epoch": 7, "from": 3, "to": 9}
    request = OPEN.admit(
        _received(
            _content(arguments=arguments),
            "resend",
            response_topic="edge/v1/paris-12/atm-1/response/centre-2",
            correlation=b"\x00\xff",
        ),
        NOW,
    )

    assert request.arguments == ResendArguments.model_validate(arguments)
    assert (request.name, request.id, request.expires) == ("resend", "c-1", NOW + 60)
    assert request.reply.topic == "edge/v1/paris-12/atm-1/response/centre-2"
    assert request.reply.correlation == b"\x00\xff"


def test_without_a_response_topic_the_answer_goes_under_the_commands_name() -> None:
    assert OPEN.admit(_received(_content()), NOW).reply.topic == (
        "edge/v1/paris-12/atm-1/response/status"
    )


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (_received(_content(), "explode"), "there is no command 'explode'"),
        (_received(_content(), "status/more"), "there is no command 'status/more'"),
        (_received(_content(-1)), "the command expired at"),
        (_received(_content(25 * 3600)), "at most 24 hours ahead"),
        (_received(_content(), retained=True), "must not set the retain flag"),
        (_received(_content(pad="x" * 20_000)), "at most 16384 are read"),
        (_received([]), "cannot be read: Input should be an object"),
        (_received({**_content(), "id": "a b"}), "cannot be read: id"),
        (_received({**_content(), "expires": 5}), "cannot be read: expires"),
        (_received({**_content(), "expires": "2026-11-25T05:00:00"}), "cannot be read: expires"),
        (_received(_content(arguments={"x": 1})), "the arguments of status are wrong: x"),
        (
            _received(_content(arguments={"epoch": 1, "from": "3", "to": 9}), "resend"),
            "the arguments of resend are wrong: from",
        ),
        (
            _received(_content(arguments={"epoch": 1, "from": 9, "to": 3}), "resend"),
            "from 9 to 3 runs backwards",
        ),
        (
            _received(_content(arguments={"rule": "night", "enabled": False}), "rule"),
            "`until` is asked for",
        ),
        (
            _received(
                _content(
                    arguments={"rule": "night", "enabled": False, "until": rfc3339(NOW + 8 * 86400)}
                ),
                "rule",
            ),
            "at most 7 days",
        ),
        (
            _received(
                _content(arguments={"rule": "night", "enabled": False, "until": rfc3339(NOW - 1)}),
                "rule",
            ),
            "`until` is over",
        ),
        (
            _received(_content(), response_topic="edge/v1/paris-12/atm-2/status"),
            "is not below edge/v1/paris-12/atm-1/response/",
        ),
        (
            _received(_content(), response_topic="edge/v1/paris-12/atm-1/response/"),
            "is not below",
        ),
        (_received(_content(), correlation=bytes(2000)), "at most 1024 are carried back"),
    ],
)
def test_what_is_refused_hears_why(received: Received, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        OPEN.admit(received, NOW)

    assert reason in str(caught.value)


def test_a_refusal_carries_the_id_where_there_was_one() -> None:
    with pytest.raises(RefusedError) as caught:
        OPEN.admit(_received(_content(-1)), NOW)

    assert caught.value.command_id == "c-1"


def test_what_the_configuration_does_not_allow_is_not_done() -> None:
    admission = replace(OPEN, allowed=ALL - {CommandName.SNAPSHOT})

    with pytest.raises(RefusedError, match="does not do snapshot"):
        admission.admit(_received(_content(), "snapshot"), NOW)


def test_a_rule_is_switched_on_without_a_time() -> None:
    request = OPEN.admit(
        _received(_content(arguments={"rule": "night", "enabled": True}), "rule"), NOW
    )

    assert request.arguments == RuleArguments(rule="night", enabled=True)


def test_a_signed_command_is_taken() -> None:
    assert SIGNED.admit(_received(_envelope(_for_us())), NOW).id == "c-1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_content(), "only signed commands are done here"),
        (_envelope(_for_us(), Ed25519PrivateKey.generate()), "not signed by one of the trusted"),
        (_envelope(_for_us(), kind="application/other"), "not signed by one of the trusted"),
        (_envelope(_for_us(device="atm-2")), "is signed for status on paris-12/atm-2"),
        (_envelope(_for_us(command="reload")), "is signed for reload on paris-12/atm-1"),
        (_envelope(_content()), "cannot be read: site"),
        ({**_envelope(_for_us()), "payload": "%"}, "no base64"),
        ({**_envelope(_for_us()), "signatures": []}, "no DSSE envelope"),
    ],
)
def test_where_keys_are_trusted_only_their_commands_are_done(content: object, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        SIGNED.admit(_received(content), NOW)

    assert reason in str(caught.value)


@given(st.binary(max_size=300), st.sampled_from([*CommandName, "x", "", "status/a"]))
def test_bytes_of_any_kind_are_refused_and_do_no_harm(payload: bytes, name: str) -> None:
    received = Received(TOPICS.command("+")[:-1] + name, payload)
    for admission in (OPEN, SIGNED):
        with pytest.raises(RefusedError):
            admission.admit(received, NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["rule", "enabled", "until", "from", "x"]), _JSON, max_size=4)
)
def test_arguments_of_any_kind_are_taken_or_refused(arguments: dict[str, Any]) -> None:
    for name in CommandName:
        try:
            request = OPEN.admit(_received(_content(arguments=arguments), name), NOW)
        except RefusedError:
            continue
        assert (request.name in {"status", "identify", "reload", "snapshot"} and not arguments) or (
            isinstance(request.arguments, RuleArguments) and arguments["enabled"] is True
        )


def test_a_command_is_new_once_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "commands"

    assert CommandIds(path).add("a", NOW + 60, NOW)
    assert not CommandIds(path).add("a", NOW + 60, NOW + 1)
    assert CommandIds(path).add("b", NOW + 60, NOW)


def test_what_has_expired_is_forgotten(tmp_path: Path) -> None:
    ids = CommandIds(tmp_path / "commands")
    ids.add("a", NOW + 1, NOW)
    ids.add("b", NOW + 60, NOW + 2)

    assert json.loads((tmp_path / "commands").read_text()) == {"b": NOW + 60}


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"a": "b"}'])
def test_a_damaged_memory_of_commands_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "commands").write_bytes(content)

    assert CommandIds(tmp_path / "commands").add("a", NOW + 60, NOW)


def test_a_command_that_cannot_be_remembered_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder_is_gone(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command_ids, "_write", folder_is_gone)

    with pytest.raises(CommandIdsError, match=r"cannot be remembered in .*: No space left"):
        CommandIds(tmp_path / "commands").add("a", NOW + 60, NOW)


def test_there_is_an_end_to_what_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_ids, "MOST", 2)
    ids = CommandIds(tmp_path / "commands")
    assert all(ids.add(name, NOW + 60, NOW) for name in "ab")

    with pytest.raises(CommandIdsError, match="2 commands are remembered"):
        ids.add("c", NOW + 60, NOW)
