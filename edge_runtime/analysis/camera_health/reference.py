"""How the camera's picture is when it is well: follows the day's light, not a turn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_runtime.analysis.camera_health.measures import Change, Measures, part, tiles
from edge_runtime.analysis.camera_health.placing import (
    Outline,
    Placing,
    may_be_shifted,
    shifted,
    turned,
)
from edge_runtime.analysis.planes import Mask, Plane

_ADAPT_SECONDS = 120.0
"""The time constant with which the reference follows."""
_YOUNG_SECONDS = 4.0
"""For so long the reference has to fit before it is believed."""
_TEXTURED = 100.0
"""The gradient's mean square from which a tile has structure to compare: a grey level a pixel."""
_FITS = 0.4
"""The correlation of gradients from which a tile shows what it did."""


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A glance beside the reference.

    Attributes:
        textured: the tiles with structure to compare, ROWS x COLUMNS.
        fit: the correlation of the gradients in each tile, -1..1; brightness does not count.
        matched: the share of textured tiles that show what they did.
        energy: the gradient's square, over all tiles, by that of the reference.
        detail: the same of the textured tiles' fine detail, without noise.
        gain: the contrast, by that of the reference.
        coarse: the correlation of the pictures without their details, -1..1.
    """

    textured: Mask
    fit: Plane
    matched: float
    energy: float
    detail: float
    gain: float
    coarse: float


class Reference:
    """Learns what the camera shows, and compares."""

    def __init__(self, first: Measures, now: float) -> None:
        self._across, self._down = first.across.copy(), first.down.copy()
        self._outline: Outline | None = None
        self._fine, self._coarse = first.fine.copy(), first.coarse.copy()
        self.white = first.white
        self.noise: float | None = None
        self.still: float | None = None
        self._began = self._last = now
        self._weight = 1

    @property
    def believed(self) -> bool:
        """Whether it has fitted for long enough."""
        return self._last - self._began >= _YOUNG_SECONDS

    @property
    def usual_noise(self) -> float:
        """The noise that the camera has anyway."""
        return self.noise or 0.0

    @property
    def usual_still(self) -> float:
        """The share of tiles that usually keep still, 0..1; little on a busy square."""
        return 1.0 if self.still is None else self.still

    def likeness(self, now: Measures, noise: float) -> Likeness:
        """How `now` is beside the reference."""
        own = tiles(self._across * self._across + self._down * self._down)
        fit = self._fit(now.across, now.down, now.energy, own)
        textured = own >= _TEXTURED
        here = textured if textured.any() else np.ones_like(textured)
        # Noise is in the detail of every picture; a difference has it twice.
        detail = np.maximum(now.fine[here] - noise / 2, 0).sum()
        usual = np.maximum(self._fine[here] - self.usual_noise / 2, 0).sum()
        a, b = _without_mean(self._coarse), _without_mean(now.coarse)
        spread, spread_now = (float(np.sqrt(np.vdot(each, each) / each.size)) for each in (a, b))
        product = max(spread * spread_now, 1e-3)
        return Likeness(
            textured=textured,
            fit=fit,
            matched=part(fit[here] >= _FITS),
            energy=float(now.energy.sum() / max(own.sum(), 1.0)),
            detail=float(detail / max(usual, 1.0)),
            gain=spread_now / max(spread, 1.0),
            coarse=float(np.vdot(a, b)) / a.size / product,
        )

    def lit(self, now: Measures) -> float:
        """The fine detail that the old picture would have in the light of now, by what it has."""
        # Where it is brighter, somebody dark may have gone.
        light = np.minimum(tiles(now.coarse) / np.maximum(tiles(self._coarse), 1.0), 1.0)
        return float((light * light * self._fine).sum() / max(float(self._fine.sum()), 1.0))

    def elsewhere(self, now: Measures, *, far: bool) -> tuple[float, float]:
        """By how many pixels the picture has moved, and the share of tiles that then fit.

        Where not `far`, it is sought but shifted, and only where a quick look says that it may be.
        """
        if not far and not may_be_shifted((self._across, self._down), (now.across, now.down)):
            return 0.0, 0.0
        if self._outline is None:
            self._outline = Outline(self._across, self._down)
        outline = Outline(now.across, now.down)
        ways = (shifted, turned) if far else (shifted,)
        found = [self._placed(now, find(self._outline, outline)) for find in ways]
        return max(found, key=lambda each: each[1])

    def _placed(self, now: Measures, placing: Placing) -> tuple[float, float]:
        turn = placing.turned.T  # gradients turn with the picture
        x, y = placing.warp(now.across), placing.warp(now.down)
        across, down = turn[0, 0] * x + turn[0, 1] * y, turn[1, 0] * x + turn[1, 1] * y
        energy = tiles(across * across + down * down)
        own = tiles(self._across * self._across + self._down * self._down)
        there = (own >= _TEXTURED) & (energy > 1)
        fit = self._fit(across, down, energy, own)[there]
        height, width = across.shape
        matched = part(fit >= _FITS) if fit.size >= 6 else 0.0
        return placing.pixels(width, height), matched

    def learn(
        self,
        now: Measures,
        change: Change | None,
        still: Mask | None,
        moment: float,
    ) -> None:
        """Follow `now`, which is well."""
        self._outline = None
        self._weight += 1
        share = max(1 / self._weight, min((moment - self._last) / _ADAPT_SECONDS, 1.0))
        self._last = moment
        for mine, its in (
            (self._across, now.across),
            (self._down, now.down),
            (self._fine, now.fine),
            (self._coarse, now.coarse),
        ):
            cv2.accumulateWeighted(its, mine, share)
        self.white += share * (now.white - self.white)
        if change is not None:
            before = change.noise if self.noise is None else self.noise
            self.noise = before + share * (change.noise - before)
        if still is not None:
            now_still = part(still)
            usual = now_still if self.still is None else self.still
            self.still = usual + share * (now_still - usual)

    def _fit(self, across: Plane, down: Plane, energy: Plane, own: Plane) -> Plane:
        product = tiles(self._across * across + self._down * down)
        return np.asarray(product / np.sqrt(np.maximum(own * energy, 1.0)), np.float32)


def _without_mean(plane: Plane) -> Plane:
    return np.asarray(plane - np.add.reduce(plane, axis=None) / plane.size, np.float32)
