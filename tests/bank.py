"""A bank's broker as it is shipped, with identities as `edge-runtime provision` makes them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from edge_runtime.messaging.settings import MqttSettings
from edge_runtime.provisioning import authority
from edge_runtime.provisioning.files import PUBLIC, replace
from edge_runtime.provisioning.names import Kind
from edge_runtime.provisioning.requests import make_request, read_request
from tests.broker import Broker
from tests.certificates import Identity

SHIPPED = Path(__file__).parents[1] / "deploy/mosquitto"
PASSPHRASE = "correct horse"


class Bank:
    """Identities in a new `folder`.

    Attributes:
        ca: the authority's certificate, a PEM file.
        revocations: its list of what was revoked, a PEM file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._authority = folder / "authority"
        authority.create(self._authority, "a bank", PASSPHRASE, timedelta(days=3650))
        self.ca = self._authority / authority.CERTIFICATE
        self.revocations = self._authority / authority.REVOCATIONS
        self._server = self.identity("mqtt", Kind.SERVER, hosts=["127.0.0.1"])

    def identity(
        self,
        name: str,
        kind: Kind = Kind.DEVICE,
        *,
        hosts: list[str] | None = None,
        valid: timedelta = timedelta(days=365),
    ) -> Identity:
        """A key and its certificate; of the same name always the same key."""
        made = make_request(name, self._folder, hosts or ())
        with authority.opened(self._authority, PASSPHRASE) as opened:
            issued = opened.sign(read_request(made.request), kind, valid)
        certificate = self._folder / f"{name}.pem"
        replace(certificate, issued.pem, PUBLIC)
        return Identity(certificate, made.key)

    def centre(self) -> Identity:
        """The identity that may hear all."""
        return self.identity("centre", Kind.CENTRE)

    def revoke(self, name: str) -> None:
        """Take its certificates back; a broker that runs does not know of it yet."""
        with authority.opened(self._authority, PASSPHRASE) as opened:
            opened.revoke(name)

    def broker(self) -> Broker:
        """Mosquitto with the configuration and the rules that are shipped."""
        files = {
            "certs/ca.pem": self.ca,
            "certs/server.pem": self._server.certificate,
            "certs/server.key": self._server.key,
            "certs/crl.pem": self.revocations,
            "edge.acl": SHIPPED / "edge.acl",
        }
        return Broker(configuration=SHIPPED / "mosquitto.conf", files=files)

    def settings(self, broker: Broker, identity: Identity, **changes: Any) -> MqttSettings:
        """How the client of that identity reaches `broker`."""
        usual: dict[str, Any] = {
            "host": broker.host,
            "port": broker.port,
            "client_id": identity.certificate.stem,
            "tls": True,
            **self.tls(identity),
        }
        return MqttSettings(**usual | changes)

    def tls(self, identity: Identity) -> dict[str, Path]:
        """The settings that name files."""
        return {"ca": self.ca, "certificate": identity.certificate, "key": identity.key}

    def options(self, identity: Identity) -> list[str]:
        """The same for a client of Mosquitto."""
        files = ("--cafile", self.ca, "--cert", identity.certificate, "--key", identity.key)
        return [*map(str, files), "-i", identity.certificate.stem]
