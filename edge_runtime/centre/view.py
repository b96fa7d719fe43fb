"""How the devices are, out of the database: for `edge-centre devices`, and for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, select

from edge_runtime.alerts.chain import ChainName, Head
from edge_runtime.alerts.signing import CertificateError, HeadSignatureError, certified_key, verify
from edge_runtime.centre import held, tables
from edge_runtime.centre.database import reading
from edge_runtime.centre.health import SeenChain, SeenHealth, SeenStatus
from edge_runtime.centre.held import ChainView, Incident
from edge_runtime.centre.incoming import Device
from edge_runtime.messaging.wire import WireError

_Seen = TypeVar("_Seen", SeenStatus, SeenHealth)
_LIVE = "live"


class DeviceState(StrEnum):
    """How a device is; of several that are true the first one."""

    OFFLINE = "offline"
    """It said goodbye, or the broker lost it."""
    SILENT = "silent"
    """It said nothing of its health for too long."""
    BLIND = "blind"
    """A camera delivers nothing, or nothing that can be used."""
    DEGRADED = "degraded"
    """It says so itself."""
    BEHIND = "behind"
    """It has told of alerts that are not here."""
    ONLINE = "online"


class HeadState(StrEnum):
    """What is known of the end of the chain that a device tells in `health`."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    """It has no signature, and no certificate is known that asks for one."""
    UNCHECKED = "unchecked"
    """It has one, and the device's certificate is not known here."""
    FORGED = "forged"
    """It is not what the key of the device's certificate signed."""
    CONTRADICTED = "contradicted"
    """The alert of that number has another hash here."""
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class DeviceView:
    """How a device is.

    Attributes:
        site, device: who it is.
        state: how it is.
        reasons: why, a sentence each.
        heard: when its health was last heard, Unix seconds; None for never.
        waiting: how many alerts waited on it then.
        behind: how many alerts it had numbered then that are not acknowledged now.
        head: what is known of the end of its chain.
        chains: its epochs, the newest first.
    """

    site: str
    device: str
    state: DeviceState
    reasons: tuple[str, ...]
    heard: float | None
    waiting: int | None
    behind: int
    head: HeadState
    chains: tuple[ChainView, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """How many messages were none of their kind, and what was wrong with the latest."""

    kind: str
    count: int
    reason: str
    heard: float


def look(
    engine: Engine, now: float, silent_after: float = 90.0, certificates: Path | None = None
) -> list[DeviceView]:
    """All devices that were ever heard of, by site and name.

    Args:
        engine: the database.
        now: Unix seconds.
        silent_after: seconds without health after which a device counts as silent.
        certificates: a folder with the devices' certificates, SITE/DEVICE.pem.

    Raises:
        StoreError: the database cannot be read.
    """
    with reading(engine) as connection:
        chains = held.chains(connection)
        told = {
            Device(row.site, row.device): row for row in connection.execute(select(tables.devices))
        }
        names = sorted({*told, *chains}, key=lambda each: (each.site, each.device))
        looks = [_Look(device, told.get(device), chains[device]) for device in names]
        incidents = held.open_incidents(connection)
        hashes = held.hashes(connection, (each.head for each in looks if each.head))
    return [each.view(now, silent_after, certificates, incidents, hashes) for each in looks]


def refusals(engine: Engine) -> list[Refused]:
    """What was refused since the database was made. Raises StoreError."""
    with reading(engine) as connection:
        rows = connection.execute(select(tables.refused).order_by(tables.refused.c.kind))
        return [Refused(*row) for row in rows]


class _Look:
    """One device, as it stands in the database."""

    def __init__(self, device: Device, told: Any, chains: Mapping[int, ChainView]) -> None:
        self._device = device
        self._chains = dict(sorted(chains.items(), reverse=True))
        self._status = _read(SeenStatus, told and told.status)
        self._health = _read(SeenHealth, told and told.health)
        self._status_heard = told and told.status_heard
        self._heard = _heard(told, self._health)

    @property
    def head(self) -> tuple[ChainName, int] | None:
        """The alert that the device says is the end of its chain."""
        told = self._health.chain if self._health else None
        if told is None:
            return None
        return ChainName(told.site, told.device, told.epoch), told.sequence

    def view(
        self,
        now: float,
        silent_after: float,
        certificates: Path | None,
        incidents: Mapping[ChainName, Sequence[Incident]],
        hashes: Mapping[tuple[ChainName, int], str],
    ) -> DeviceView:
        health = self._health
        head, fault = self._head(certificates, self.head and hashes.get(self.head))
        state, reasons = self._state(now, silent_after, incidents)
        outbox = health.outbox if health else None
        return DeviceView(
            site=self._device.site,
            device=self._device.device,
            state=state,
            reasons=(*reasons, *fault, *self._of_chains()),
            heard=self._heard,
            waiting=outbox.depth if outbox else None,
            behind=self._behind(),
            head=head,
            chains=tuple(self._chains.values()),
        )

    def _state(
        self, now: float, silent_after: float, incidents: Mapping[ChainName, Sequence[Incident]]
    ) -> tuple[DeviceState, list[str]]:
        status, health = self._status, self._health
        # A device that is heard after its last will is there again.
        spoke = (self._heard or 0.0) > (self._status_heard or 0.0)
        if status is not None and status.state == "offline" and not spoke:
            return DeviceState.OFFLINE, [status.reason or "no reason is told"]
        if health is None or self._heard is None:
            return DeviceState.SILENT, ["it never told of its health"]
        if (age := now - self._heard) > silent_after:
            return DeviceState.SILENT, [f"it told of its health {age:.0f} s ago"]
        chain = ChainName(self._device.site, self._device.device, health.outbox.epoch)
        return self._heard_state(health, incidents.get(chain, ()))

    def _heard_state(
        self, health: SeenHealth, incidents: Iterable[Incident]
    ) -> tuple[DeviceState, list[str]]:
        blind = [f"camera {c.name} is {c.state}" for c in health.cameras if c.state != _LIVE]
        blind += [
            f"camera {each.camera}: {each.incident}"
            for each in incidents
            # What a restart left open is no news of now.
            if health.started is None or datetime.fromisoformat(each.time) >= health.started
        ]
        if blind:
            return DeviceState.BLIND, [*blind, *health.reasons]
        if health.state == "degraded":
            return DeviceState.DEGRADED, list(health.reasons)
        if behind := self._behind():
            return DeviceState.BEHIND, [f"{behind} alerts are not here yet"]
        return DeviceState.ONLINE, []

    def _behind(self) -> int:
        if self._health is None:
            return 0
        outbox = self._health.outbox
        chain = self._chains.get(outbox.epoch)
        return max(outbox.committed - (chain.acknowledged if chain else 0), 0)

    def _of_chains(self) -> Iterable[str]:
        for chain in self._chains.values():
            where = f"in epoch {chain.epoch}"
            if chain.broken is not None:
                yield f"alert {chain.broken} {where} does not follow the one before it"
            if chain.conflicts:
                yield f"{chain.conflicts} alerts {where} came with two contents"
            if chain.missing:
                yield f"{chain.missing} alerts {where} are lost"
            if chain.gaps:
                yield f"alerts {_shown(chain.gaps)} {where} are waited for"

    def _head(self, certificates: Path | None, stored: str | None) -> tuple[HeadState, list[str]]:
        told = self._health.chain if self._health else None
        if told is None:
            return HeadState.UNTOLD, []
        if (told.site, told.device) != (self._device.site, self._device.device):
            return HeadState.FORGED, ["the end of its chain is told for another device"]
        if stored is not None and stored != told.hash:
            text = f"alert {told.sequence} is not the one here that the device says it is"
            return HeadState.CONTRADICTED, [text]
        return _signature(told, _certificate(certificates, self._device))


def _signature(told: SeenChain, certificate: Path | None) -> tuple[HeadState, list[str]]:
    if certificate is None:
        return (HeadState.UNCHECKED if told.signature else HeadState.UNSIGNED), []
    if told.signature is None:
        return HeadState.FORGED, [
            f"the end of its chain is not signed, and its certificate {certificate} is known"
        ]
    head = Head(told.site, told.device, told.epoch, told.first, told.sequence, told.hash)
    try:
        verify(head, told.time, told.signature, certified_key(certificate))
    except CertificateError as error:
        return HeadState.UNCHECKED, [str(error)]
    except HeadSignatureError as error:
        return HeadState.FORGED, [f"the end of its chain {error}"]
    return HeadState.SIGNED, []


def _certificate(folder: Path | None, device: Device) -> Path | None:
    """The device's certificate, if there is one: names that lead elsewhere have none."""
    if folder is None or ".." in (device.site, device.device) or device.site == ".":
        return None
    path = folder / device.site / f"{device.device}.pem"
    return path if path.exists() else None


def _read(kind: type[_Seen], payload: bytes | None) -> _Seen | None:
    try:
        return None if payload is None else kind.read(payload)
    except WireError:  # what an older version of the centre took
        return None


def _heard(told: Any, health: SeenHealth | None) -> float | None:
    """When the health was said: by our clock if it was heard live, or else by the device's."""
    if told is None or health is None:
        return None
    heard: float | None = told.health_heard
    return health.time.timestamp() if heard is None else heard


def _shown(ranges: Sequence[tuple[int, int]]) -> str:
    return ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in ranges
    )
