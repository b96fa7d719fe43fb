"""The centre's words to a device: an acknowledgement, or the wish for a range of alerts."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from edge_runtime.alerts.chain import ChainName
from edge_runtime.bundle.trust import key_id
from edge_runtime.dsse import pae
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.commands import SIGNED_TYPE, CommandName
from edge_runtime.messaging.connection import Message
from edge_runtime.messaging.topics import Topics
from edge_runtime.messaging.wire import JSON_TYPE, Acknowledgement, Command, SignedCommand

COMMAND_SECONDS = 60
"""A device that does not hear a command within this time is asked anew."""


class CommandKeyError(EdgeRuntimeError):
    """The key that is to sign commands cannot be used."""


def acknowledgement(chain: ChainName, told: Acknowledgement) -> Message:
    """`told`, to the device of `chain`; the broker keeps it for those that come later."""
    topic = Topics(chain.site, chain.device).ack
    return Message(topic, told.to_json(), JSON_TYPE, retain=True)


class Asker:
    """Makes commands, signed where there is a key."""

    def __init__(self, key: Path | None = None) -> None:
        """Raises CommandKeyError where `key`, a PEM file, is none of Ed25519."""
        self._key = None if key is None else _read(key)

    def resend(self, chain: ChainName, number: str, first: int, last: int, now: float) -> Message:
        """The command to send the alerts from `first` to `last` again.

        Args:
            chain: whose alerts.
            number: the command's id, which comes back with the response.
            first: the first one's number.
            last: the last one's.
            now: Unix seconds.
        """
        topics = Topics(chain.site, chain.device)
        name = CommandName.RESEND
        command = SignedCommand(
            id=number,
            expires=datetime.fromtimestamp(now + COMMAND_SECONDS, UTC),
            arguments={"epoch": chain.epoch, "from": first, "to": last},
            site=chain.site,
            device=chain.device,
            command=name,
        )
        return Message(
            topics.command(name),
            self._payload(command),
            JSON_TYPE,
            response_topic=f"{topics.responses}{name}",
            correlation=number.encode(),
            expires=COMMAND_SECONDS,
        )

    def _payload(self, command: SignedCommand) -> str:
        if self._key is None:
            return Command(
                id=command.id, expires=command.expires, arguments=command.arguments
            ).to_json()
        body = command.to_json().encode()
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = self._key.sign(pae(SIGNED_TYPE, body))
        return json.dumps(
            {
                "payload": base64.b64encode(body).decode(),
                "payloadType": SIGNED_TYPE,
                "signatures": [
                    {
                        "keyid": key_id(public),
                        "sig": base64.b64encode(signature).decode(),
                    }
                ],
            }
        )


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise CommandKeyError(f"cannot read the key {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandKeyError(
            f"{path} holds no Ed25519 private key in PEM form without passphrase: "
            "openssl genpkey -algorithm ed25519 makes one"
        )
    return key
