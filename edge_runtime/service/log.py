"""`edge-runtime log verify`: is a device's chain of alerts whole?

On the device it is read from the outbox, elsewhere from what a subscriber stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edge_runtime.alerts import dropping
from edge_runtime.alerts.alert import Severity
from edge_runtime.alerts.chain import ChainName, Head
from edge_runtime.alerts.database import OutboxError, State, open_to_look, sentence, state
from edge_runtime.alerts.dropping import DroppedRange
from edge_runtime.alerts.signing import HeadSignatureError, certified_key, verify
from edge_runtime.alerts.verification import Fault, Ledger, Link, Problem, ToldHead
from edge_runtime.config import load
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.messaging.wire import DROPPED_TYPE, Dropped, WireError
from edge_runtime.ranges import Span
from edge_runtime.service import wiring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class LogError(EdgeRuntimeError):
    """There is nothing that could be verified."""


@dataclass(frozen=True, slots=True)
class ChainSummary:
    """What was looked at of one chain: how many alerts, and between which numbers.

    Attributes:
        chain: which.
        alerts: how many there are.
        first: the first one's number; None where there is none.
        last: the last one's.
        repeated: how many came more than once.
        dropped: the numbers of those that the device gave up, and says so.
    """

    chain: ChainName
    alerts: int
    first: int | None
    last: int | None
    repeated: int
    dropped: tuple[Span, ...]

    @classmethod
    def of(cls, ledger: Ledger) -> ChainSummary:
        """Sum `ledger` up."""
        numbers = ledger.numbers
        first, last = (numbers[0], numbers[-1]) if numbers else (None, None)
        dropped = tuple(ledger.dropped)
        return cls(ledger.chain, len(numbers), first, last, ledger.repeated, dropped)

    def __str__(self) -> str:
        span = f", {self.first} to {self.last}" if self.alerts else ""
        again = f"; {self.repeated} of them came more than once" if self.repeated else ""
        count = sum(last - first + 1 for first, last in self.dropped)
        spans = ", ".join(map(_numbers, self.dropped))
        dropped = f"; {count} others were dropped by the device: {spans}" if count else ""
        return f"{self.chain}: {self.alerts} alerts{span}{again}{dropped}"


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome.

    Attributes:
        chains: what was looked at.
        problems: all that is wrong.
        notes: what could not be looked at.
    """

    chains: tuple[ChainSummary, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """All of it, for a machine."""
        return {"good": self.good, **asdict(self)}

    def __str__(self) -> str:
        verdict = "whole" if self.good else f"not whole: {len(self.problems)} problems"
        lines = [*map(str, self.chains), *(f"note: {note}" for note in self.notes)]
        return "\n".join([*lines, verdict])


@dataclass(frozen=True, slots=True)
class Told:
    """The heads out of health messages that count, and what is wrong with the others."""

    heads: tuple[ToldHead, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, chain: ChainName) -> list[ToldHead]:
        """Those of one chain."""
        return [told for told in self.heads if _name(told.head) == chain]


def verify_device(config: Path, health: Path | None, certificate: Path | None) -> Report:
    """Verify the outbox of the device that runs `config`; its daemon may be running.

    Args:
        config: the configuration.
        health: a file of health messages, whose heads the outbox has to reach; None for none.
        certificate: the device's, PEM; None to believe the heads.

    Raises:
        EdgeRuntimeError: a file cannot be read.
    """
    path = wiring.state_directory(load(config, check_files=False)) / "outbox.sqlite"
    told = _told(health, certificate)
    try:
        with closing(open_to_look(path)) as connection:
            # One transaction sees one moment, however the daemon goes on.
            connection.execute("BEGIN")
            found = state(path, connection)
            rows = connection.execute("SELECT sequence, payload FROM alerts ORDER BY sequence")
            dropped = dropping.select(connection, -1)
            return _device_report(found, rows, dropped, told)
    except sqlite3.Error as error:
        raise OutboxError(sentence(path, error)) from error


def verify_file(alerts: Path, health: Path | None, certificate: Path | None) -> Report:
    """Verify what a subscriber stored: alerts as JSON lines, in the order of their arrival.

    Args:
        alerts: each line an alert or what the device says it dropped, as it is or as
            `mosquitto_sub -F %J` writes it.
        health: the same for health messages; one may also take more than a line.
        certificate: the device's, PEM; None to believe the heads.

    Raises:
        EdgeRuntimeError: a file cannot be read.
    """
    told = _told(health, certificate)
    ledgers: dict[ChainName, Ledger] = {}
    problems = []
    for number, line in _lines(alerts):
        try:
            _enter(ledgers, _document(line))
        except ValueError as error:
            text = f"line {number} of {alerts} {error}"
            problems.append(Problem(Fault.UNREADABLE, text))
    for head in told.heads:
        ledgers.setdefault(_name(head.head), Ledger(_name(head.head)))
    notes = list(told.notes)
    for ledger in ledgers.values():
        heads = told.of(ledger.chain)
        first = ledger.begins(heads)
        problems += [*ledger.links(first), *ledger.gaps(first), *ledger.against(heads)]
        if not heads:
            notes.append(f"{ledger.chain}: no head of it is known, so a cut tail would not show")
        if first > 1:
            notes.append(f"{ledger.chain}: the chain begins with alert {first}")
    return Report(
        tuple(map(ChainSummary.of, ledgers.values())), (*told.problems, *problems), tuple(notes)
    )


def _enter(ledgers: dict[ChainName, Ledger], document: dict[str, Any]) -> None:
    """Enter an alert, or a message of dropped ones; raises ValueError, the end of a sentence."""
    if document.get("type") != DROPPED_TYPE:
        link = Link.of(document)
        ledgers.setdefault(link.chain, Ledger(link.chain)).add(link)
        return
    try:
        told = Dropped.read(json.dumps(document))
        site, device = told.source.split("/")
    except (WireError, ValueError) as error:
        raise ValueError(f"is no message of dropped alerts: {error}") from error
    name = ChainName(site, device, told.data.epoch)
    for one in told.data.ranges:
        count = {Severity(severity): number for severity, number in one.count.items()}
        ledgers.setdefault(name, Ledger(name)).add_dropped(
            DroppedRange(name.epoch, one.first, one.last, count, one.previoushash, one.hash)
        )


def _device_report(
    found: State, rows: Iterable[tuple[int, str]], dropped: Iterable[DroppedRange], told: Told
) -> Report:
    name = ChainName(found.site, found.device, found.epoch)
    ledger = Ledger(name)
    problems = []
    for sequence, payload in rows:
        if sequence < found.first:
            continue
        try:
            link = Link.of(_document(payload))
            if (link.chain, link.sequence) != (name, sequence):
                raise ValueError("says that it is another one")
        except ValueError as error:
            problems.append(Problem(Fault.UNREADABLE, f"{name}: alert {sequence} {error}", name))
            continue
        ledger.add(link)
    for one in dropped:
        if one.epoch == found.epoch:
            ledger.add_dropped(one)
    problems += ledger.links(found.first)
    gone = found.sequence - found.delivered - found.dropped - found.depth
    if gone:
        text = f"{name}: {gone} alerts are gone from the outbox and were not delivered"
        problems.append(Problem(Fault.MISSING, text, name))
    problems += _outrun(found, told.of(name))
    notes = [*told.notes, f"{name}: {found.delivered} alerts are delivered, and no longer here"]
    if found.first > 1:
        notes.append(f"{name}: the chain begins with alert {found.first}")
    if found.saved:
        notes.append(f"{name}: {found.saved} alerts of epochs before it wait, too")
    return Report((ChainSummary.of(ledger),), (*told.problems, *problems), tuple(notes))


def _outrun(found: State, heads: list[ToldHead]) -> Iterator[Problem]:
    """Heads that were told, and that this outbox cannot have told."""
    name = ChainName(found.site, found.device, found.epoch)
    for told in heads:
        number = told.head.sequence
        if number > found.sequence:
            text = f"alerts up to {number} were told at {told.time}, and the outbox ends with"
            yield Problem(Fault.TAIL, f"{name}: {text} {found.sequence}", name, number, number)
        elif number == found.sequence and told.head.hash != found.hash:
            text = f"alert {number} is not the one that was told as the last at {told.time}"
            yield Problem(Fault.HEAD, f"{name}: {text}", name, number, number)


def _told(health: Path | None, certificate: Path | None) -> Told:
    """The heads in a file of health messages; only those that `certificate` vouches for count."""
    if health is None:
        if certificate is not None:
            raise LogError("--certificate proves what is in health messages: name them by --health")
        return Told()
    key = certified_key(certificate) if certificate else None
    heads, problems = [], []
    for where, text in _health_messages(health):
        try:
            chain = _document(text)["chain"]
            told = ToldHead(_head(chain), str(chain["time"]))
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(
                f"{where} is no health message with a chain's head in it: what came on the topic "
                "ending in /health is asked for"
            ) from error
        doubt = _doubt(told, chain, key) if key else None
        if doubt is None:
            heads.append(told)
        else:
            problems.append(doubt)
    notes = () if key else ("no certificate is given, so the heads are believed",)
    return Told(tuple(heads), tuple(problems), notes)


def _doubt(told: ToldHead, chain: Mapping[str, Any], key: PublicKeyTypes) -> Problem | None:
    """Why a head is not to be believed; None where `key` signed it."""
    if "signature" in chain:
        try:
            verify(told.head, told.time, str(chain["signature"]), key)
        except HeadSignatureError as error:
            doubt = str(error)
        else:
            return None
    else:
        doubt = f"is not signed ({chain.get('unsigned', 'no reason is given')})"
    name = _name(told.head)
    return Problem(Fault.HEAD, f"{name}: the head that was told at {told.time} {doubt}", name)


def _health_messages(path: Path) -> Iterator[tuple[str, str]]:
    """Where each stands and its text: one a line, or the whole file as one."""
    lines = list(_lines(path))
    try:
        _document("\n".join(line for _, line in lines))
    except ValueError:
        yield from ((f"line {number} of {path}", line) for number, line in lines)
    else:
        yield str(path), "\n".join(line for _, line in lines)


def _head(chain: Any) -> Head:
    numbers = chain["epoch"], chain["first"], chain["sequence"]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("numbers are asked for")
    texts = (str(chain["site"]), str(chain["device"]))
    return Head(*texts, *numbers, str(chain["hash"]))


def _numbers(span: Span) -> str:
    first, last = span
    return str(first) if first == last else f"{first} to {last}"


def _name(head: Head) -> ChainName:
    return ChainName(head.site, head.device, head.epoch)


def _document(text: str) -> dict[str, Any]:
    """The JSON object of a message, taken out of what mosquitto_sub writes around it.

    Raises:
        ValueError: it is none; the text is the end of a sentence about it.
    """
    try:
        document = _parsed(text)
        if isinstance(document, dict) and "payload" in document and "topic" in document:
            payload = document["payload"]
            wrapped = isinstance(payload, str)
            document = _parsed(payload) if wrapped else payload
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(document, dict):
        raise ValueError("is no JSON object")
    return document


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number, parse_float=_as_number)


def _as_number(text: str) -> float:
    """An integer where it is whole: mosquitto_sub writes epochs as 1.79e+15."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LogError(f"{path} is no text in UTF-8: JSON lines are asked for") from error
