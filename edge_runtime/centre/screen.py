"""The devices as a table, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_runtime.centre.view import DeviceState, DeviceView, HeadState, Refused

_COLOURS = {
    DeviceState.ONLINE: "green",
    DeviceState.BEHIND: "yellow",
    DeviceState.DEGRADED: "yellow",
    DeviceState.BLIND: "bold red",
    DeviceState.SILENT: "bold red",
    DeviceState.OFFLINE: "red",
}
_HEADS = {
    HeadState.SIGNED: "signed",
    HeadState.UNCHECKED: "not checked",
    HeadState.UNSIGNED: "not signed",
    HeadState.FORGED: "FORGED",
    HeadState.CONTRADICTED: "CONTRADICTED",
    HeadState.UNTOLD: "",
}


def show(views: Sequence[DeviceView], refused: Sequence[Refused], now: float) -> None:
    """Print the table, and below it what was refused.

    Args:
        views: one row each.
        refused: what was no message of its kind.
        now: Unix seconds.
    """
    console = Console()
    table = Table(box=None, pad_edge=False)
    for name in ("device", "state", "heard", "waiting", "alerts", "chain", "why"):
        right = name in ("heard", "waiting", "alerts")
        table.add_column(name, justify="right" if right else "left", no_wrap=name == "device")
    for view in views:
        table.add_row(*_row(view, now))
    console.print(table if views else "no device has been heard of yet")
    for each in refused:
        console.print(
            Text(f"refused as {each.kind}: {each.count}, the latest because {each.reason}")
        )


def _row(view: DeviceView, now: float) -> list[Text]:
    newest = view.chains[0] if view.chains else None
    return [
        Text(f"{view.site}/{view.device}"),
        Text(view.state, style=_COLOURS[view.state]),
        Text("never" if view.heard is None else f"{max(now - view.heard, 0):.0f} s ago"),
        Text("" if view.waiting is None else str(view.waiting)),
        Text(str(sum(chain.stored for chain in view.chains))),
        Text("" if newest is None else _chain(view)),
        Text("; ".join(view.reasons)),
    ]


def _chain(view: DeviceView) -> str:
    newest = view.chains[0]
    if newest.broken is not None:
        return f"BROKEN at {newest.broken}"
    whole = "verified" if newest.verified else "not whole"
    parts = [f"{whole} to {newest.acknowledged}"]
    parts += [
        f"{count} {word}"
        for word, count in (
            ("dropped", newest.dropped),
            ("lost", newest.missing),
            ("accepted", newest.accepted),
            ("conflicts", newest.conflicts),
        )
        if count
    ]
    parts += [_HEADS[view.head]] if _HEADS[view.head] else []
    return ", ".join(parts)
