"""What the gate says, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_export.recipes.outcome import Check, RecipeOutcome
from model_export.report import words


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One condition, as texts.

    Attributes:
        title: in words, "" where there are none for it.
        what: its key in the recipe.
        limit, found: with their units.
        met: whether it holds.
        blame: why not.
    """

    title: str
    what: str
    limit: str
    found: str
    met: bool
    blame: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of it.

    Attributes:
        kind: ``passed``, ``refused``, or ``open`` where there is no gate.
        sentence: what came of it.
        checks: each condition.
    """

    kind: str
    sentence: str
    checks: tuple[CheckLine, ...]


def verdict(outcome: RecipeOutcome, measure: str) -> Verdict:
    """What the gate says; `measure` is what it calls accuracy."""
    checks = tuple(_line(check, measure) for check in outcome.checks)
    if not checks:
        return Verdict("open", "The recipe has no gate: nothing was held against limits.", ())
    failed = sum(not check.met for check in checks)
    many = len(checks)
    if not failed:
        names = {1: "its only check is", 2: "both checks are"}
        all_of_them = names.get(many, f"all {many} checks are")
        return Verdict(
            "passed", f"The gate lets {outcome.result} through: {all_of_them} met.", checks
        )
    some = "its only check" if many == 1 else f"{failed} of {many} checks"
    are = "is" if failed == 1 else "are"
    return Verdict("refused", f"The gate refuses {outcome.result}: {some} {are} not met.", checks)


def _line(check: Check, measure: str) -> CheckLine:
    title, tell = _KNOWN.get(check.what, ("", words.amount))
    return CheckLine(
        title=title.format(measure=measure),
        what=check.what,
        limit=tell(check.limit),
        found=tell(check.found),
        met=check.met,
        blame=check.blame,
    )


def _points(drop: float) -> str:
    # A limit of a fraction of a point is not to be rounded away.
    return f"{words.amount(float(f'{100 * drop:.3g}'))} points"


def _share(value: float) -> str:
    return words.share(value, 2)


def _bytes(value: float) -> str:
    return f"{words.count(round(value))} bytes"


_KNOWN: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "max_accuracy_drop": ("{measure} lost, at most", _points),
    "min_accuracy": ("{measure}, at least", _share),
    "max_size": ("size, at most", _bytes),
    "max_latency_ratio": ("time over the baseline's, at most", words.times),
}
"""Conditions of which it is known what their numbers are of; of others the numbers are told."""
