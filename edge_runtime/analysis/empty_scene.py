"""The memory of the empty scene: what is to be seen where nobody and nothing new is.

It follows the daylight; where the light changes over a part of the picture (a cloud, the camera's
exposure), what is remembered becomes as much brighter or darker there, also behind what hides it.
"""

from __future__ import annotations

from math import exp

import cv2
import numpy as np

from edge_runtime.analysis.illumination import Illumination
from edge_runtime.analysis.lighting import pattern
from edge_runtime.analysis.outlines import Picture
from edge_runtime.analysis.planes import Bytes, Mask, Plane
from edge_runtime.frame import Image

WIDTH = 320
"""How wide the picture is made: a bag of 15 pixels in 640 has 7 left."""
_BLUR = (3, 3)
_MOVED = 10
"""By how many levels of one colour a pixel differs that has not kept still."""
_RECENT_SECONDS = 2.5
"""From the mean of so long."""
_LEARN_SECONDS = 1.0
"""For so long a pixel keeps still before it is learned."""
_FOLLOW_SECONDS, _FORGET_SECONDS = 5.0, 30.0
"""Time constants with which the memory follows the daylight, and what has changed and is no
object."""
_BANDS = 4
"""In one of so many parts of the picture at a time the noise is measured."""
_LEAST_NOISE, _NOISE_SHARE = 0.3, 0.1


def shrunk(image: Image) -> Picture:
    """`image` small and a little blurred."""
    # Halving whole pixels is ten times faster than averaging down to any width.
    while image.shape[1] >= 2 * WIDTH:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        whole = image[: 2 * height, : 2 * width]
        image = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))
    height = max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    small = cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_LINEAR)
    calm = cv2.blur(small, _BLUR)
    return Picture(cv2.cvtColor(calm, cv2.COLOR_BGR2GRAY), calm)


class EmptyScene:
    """What is known of each pixel.

    Attributes:
        picture: the empty scene, float32.
        known: where it has been seen.
        still: seconds since each pixel moved, H x W.
        noise: how strong the pattern of the camera's noise is, in levels.
    """

    def __init__(self, picture: Picture) -> None:
        shape = picture.grey.shape
        self.picture = Picture(picture.grey.astype(np.float32), picture.colours.astype(np.float32))
        self.known: Mask = np.zeros(shape, np.bool_)
        self.still: Plane = np.zeros(shape, np.float32)
        self.noise = 1.0
        self._recent: Plane = picture.colours.astype(np.float32)
        self._light = Illumination(shape)
        self._band = 0
        self._lit = np.empty_like(self._recent)
        self._expected: Bytes = np.empty((*shape, 3), np.uint8)

    def watch(self, picture: Picture, people: Mask, elapsed: float) -> None:
        """Count for each pixel how long it has kept still.

        Behind people the count stands: what is as before when they have passed has kept still.
        """
        colours, free = picture.colours, ~people
        moved = (self._apart(colours, self._recent) > _MOVED) & free
        self.still += np.float32(elapsed) * (free & ~moved)
        self.still[moved] = 0
        share = 1 - exp(-elapsed / _RECENT_SECONDS)
        cv2.accumulateWeighted(colours, self._recent, share, mask=free.view(np.uint8))
        self._recent[moved] = colours[moved]

    def compare(self, picture: Picture, free: Mask, elapsed: float) -> Bytes:
        """By how many levels each pixel differs in its most different colour.

        What is remembered takes on the light of now, within seconds: at `free` pixels it can be
        compared.
        """
        self._light.follow(picture.grey, self.picture.grey, free)
        self._relight(1 - exp(-elapsed / _FOLLOW_SECONDS))
        gain = self._light.rest()
        if gain is None:
            return self._apart(picture.colours, self.picture.colours)
        np.multiply(self.picture.colours, gain[..., None], out=self._lit)
        return self._apart(picture.colours, self._lit)

    def learn(self, picture: Picture, away: Mask, quiet: Mask, elapsed: float) -> None:
        """Follow the daylight where it is `quiet`, and learn what is new there."""
        quiet = quiet & (self.still >= _LEARN_SECONDS)
        new = quiet & ~self.known
        follow, forget = (1 - exp(-elapsed / each) for each in (_FOLLOW_SECONDS, _FORGET_SECONDS))
        for share, where in ((follow, ~away), (forget, away), (1.0, new)):
            self._blend(picture, quiet & where, share)
        self.known |= new
        self._measure_noise(picture, quiet & ~away)

    def accept(self, picture: Picture, where: Mask) -> None:
        """What is to be seen at `where` belongs to the scene from now on."""
        self._blend(picture, where, 1.0)
        self.known |= where

    def renew(self, picture: Picture, seen: Mask) -> None:
        """In another light, learn anew what can be `seen`; the rest becomes as much brighter."""
        self._relight(1.0)
        self.accept(picture, seen)

    def _apart(self, colours: Bytes, others: Plane) -> Bytes:
        """How far each pixel is from another picture's in its most different colour."""
        cv2.convertScaleAbs(others, dst=self._expected)
        cv2.absdiff(colours, self._expected, dst=self._expected)
        blue, green, red = cv2.split(self._expected)
        return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)

    def _blend(self, picture: Picture, where: Mask, share: float) -> None:
        mask = where.view(np.uint8)
        cv2.accumulateWeighted(picture.grey, self.picture.grey, share, mask=mask)
        cv2.accumulateWeighted(picture.colours, self.picture.colours, share, mask=mask)

    def _relight(self, share: float) -> None:
        """Put `share` of the light of now on what is remembered."""
        gain = self._light.take(share)
        if gain is not None:
            self.picture.grey[:] *= gain
            self.picture.colours[:] *= gain[..., None]

    def _measure_noise(self, picture: Picture, where: Mask) -> None:
        """From what the pattern differs where nothing has changed."""
        height = where.shape[0]
        self._band = (self._band + 1) % _BANDS
        rows = slice(self._band * height // _BANDS, (self._band + 1) * height // _BANDS)
        part = where[rows]
        if np.count_nonzero(part) < 0.1 * part.size:
            return
        now = pattern(picture.grey[rows].astype(np.float32))
        level = float(np.abs(now - pattern(self.picture.grey[rows]))[part].mean())
        self.noise += _NOISE_SHARE * (max(level, _LEAST_NOISE) - self.noise)
