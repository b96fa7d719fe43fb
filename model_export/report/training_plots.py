"""How a training went, as a plot."""

from __future__ import annotations

from collections.abc import Sequence

from model_export.report.svg import Ink, drawing, figure, in_percent, inline
from model_export.training.loop import Epoch


def training(epochs: Sequence[Epoch], name: str, title: str) -> str:
    """Loss and what the validation pictures say of it, by epoch."""
    numbers = [epoch.number for epoch in epochs]
    with drawing():
        from matplotlib.ticker import MaxNLocator

        drawn = figure(340, 250)
        losses, shares = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        trained = [epoch.loss for epoch in epochs]
        validated = [epoch.validation.loss for epoch in epochs]
        right = [epoch.validation.accuracy for epoch in epochs]
        # Of one or two epochs there is no line to see.
        marker = "o" if len(epochs) < 3 else ""
        dashed, solid = str(Ink.OTHER), str(Ink.RESULT)
        losses.plot(numbers, trained, color=dashed, dashes=(4, 2), marker=marker, label="training")
        losses.plot(numbers, validated, color=solid, marker=marker, label="validation")
        losses.set_ylabel("loss")
        losses.legend(ncols=2, loc="upper right")
        shares.plot(numbers, right, color=solid, marker=marker)
        shares.set(xlabel="epoch", ylabel="right")
        shares.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        in_percent(shares.yaxis)
        return inline(drawn, name, title)
