"""The commands that a centre gives, read as a device reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edge_runtime.alerts.chain import ChainName
from edge_runtime.bundle.trust import key_id
from edge_runtime.centre.asking import Asker, CommandKeyError
from edge_runtime.messaging.commands import (
    Admission,
    CommandName,
    RefusedError,
    Request,
    ResendArguments,
)
from edge_runtime.messaging.connection import Received
from edge_runtime.messaging.topics import Topics

NOW = 1.79e9
CHAIN = ChainName("paris-12", "atm-1", 7)


def admitted(asker: Asker, keys: dict[str, bytes] | None, device: str = "atm-1") -> Request:
    message = asker.resend(CHAIN, "resend-1", 3, 5, NOW)
    topics = Topics("paris-12", device)
    received = Received(
        topics.command("resend"),
        message.payload.encode(),
        message.retain,
        message.response_topic if device == "atm-1" else None,
        message.correlation,
    )
    return Admission(topics, frozenset({CommandName.RESEND}), keys).admit(received, NOW)


def test_a_device_takes_it_as_it_is_meant() -> None:
    request = admitted(Asker(), None)
    assert request.id == "resend-1"
    assert request.arguments == ResendArguments(**{"epoch": 7, "from": 3, "to": 5})
    assert request.reply.topic == "edge/v1/paris-12/atm-1/response/resend"


def test_a_device_that_asks_for_signatures_takes_it_signed_and_for_itself_alone(
    tmp_path: Path,
) -> None:
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "centre.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    trusted = {key_id(public): public}
    assert admitted(Asker(path), trusted).id == "resend-1"
    with pytest.raises(RefusedError, match="only signed commands"):
        admitted(Asker(), trusted)
    with pytest.raises(RefusedError, match="is signed for resend on paris-12/atm-1"):
        admitted(Asker(path), trusted, device="atm-2")


def test_what_is_no_key_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "centre.key"
    with pytest.raises(CommandKeyError, match="cannot read the key"):
        Asker(path)
    path.write_text("nothing")
    with pytest.raises(CommandKeyError, match="openssl genpkey -algorithm ed25519"):
        Asker(path)
