"""Numbers as a person reads them."""

from __future__ import annotations

NONE = "\N{EN DASH}"
"""What stands where there is no number."""

MINUS = "\N{MINUS SIGN}"


def count(number: int) -> str:
    """All digits, in groups of three."""
    return f"{number:,}"


def amount(number: float) -> str:
    """Four digits that count, and no more than a person can read."""
    if number == 0:
        return "0"
    if abs(number) >= 1000:
        return f"{number:,.0f}".replace("-", MINUS)
    return f"{number:.4g}".replace("-", MINUS)


def size(number: int) -> str:
    """Bytes with a unit, kB = 1000 bytes."""
    value = float(number)
    for unit in ("bytes", "kB", "MB"):
        if value < 999.5:
            return f"{value:.3g} {unit}" if unit != "bytes" else f"{number} bytes"
        value /= 1000
    return f"{value:,.3g} GB" if value < 999.5 else f"{value:,.0f} GB"


def share(part: float | None, digits: int = 1) -> str:
    """0..1 as a percentage."""
    return NONE if part is None else f"{100 * part:.{digits}f}%"


def interval(low: float | None, high: float | None) -> str:
    """Between two shares, 0..1; "" where there are none."""
    return "" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"


def points(difference: float) -> str:
    """A difference of two shares, signed, in percentage points."""
    rounded = f"{100 * abs(difference):.1f}"
    if float(rounded) == 0:
        return "±0.0 points"
    return f"{'+' if difference > 0 else MINUS}{rounded} points"


def times(ratio: float) -> str:
    """A ratio."""
    return f"{amount(float(f'{ratio:.3g}'))}\N{MULTIPLICATION SIGN}"


def milliseconds(value: float) -> str:
    """Three digits that count."""
    return f"{value:#.3g}" if 0 < value < 99.95 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """As a person says it."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def shortened(text: str, most: int) -> str:
    """On one line, without what no font can show, and cut where it is longer."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
