"""Other faces for authored expressions: other proportions, and how far each face moves its parts.

What ties proportions to motion here (`COUPLING`) is authored, not measured on people: Seo and Luo's point is that a
network can learn such ties, so there have to be some, and they are written down where one can read them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...geometry.easing import smoothstep
from ...landmarks.layout import layout_of

_STRETCH, _SIZE, _BEND = 0.06, 0.04, 0.025
_MOUTH, _BROWS, _JAW = 0.12, 0.045, 0.09
"""Standard deviations: of the face's sides, its size and its curvature; of the mouth's width as a share of it, the
height of the brows over half the face, the length of the jaw as a share of it."""
_MOST = 2.0
_STEP_M = 1e-4
_CHARACTER, _CHANNEL = 0.1, 0.06
"""Standard deviations of the logarithm of how lively a face is as a whole, and of each of its channels."""

COUPLING: tuple[tuple[tuple[str, ...], dict[str, float]], ...] = (
    (("mouthSmile", "mouthStretch", "mouthFrown", "mouthDimple"), {"mouth": 0.24}),
    (("jaw",), {"jaw": 0.24}),
    (("brow",), {"brows": -0.26}),
    (("eyeWide", "eyeSquint", "cheekSquint", "noseSneer"), {"width": 0.16}),
    (("mouthUpper", "mouthLower", "mouthShrug", "mouthPress"), {"height": 0.14}),
)
"""Channels by the beginning of their name, and by how much the logarithm of what they do grows with one standard
deviation of a proportion: wide mouths smile wider, long jaws drop further, brows that are high already rise less."""


@dataclass(frozen=True)
class Proportions:
    """What sets one face apart from another.

    Attributes:
        stretch: (3,) factors along x, y, z.  bend: (3, 6) curvatures, of x², y², z², xy, yz, xz.
        mouth, brows, jaw: how wide, how high, how long, in standard deviations.
    """

    stretch: F64
    bend: F64
    mouth: float
    brows: float
    jaw: float

    def by_name(self) -> dict[str, float]:
        """What `COUPLING` speaks of, in standard deviations."""
        width, _, height = (self.stretch / self.stretch.mean() - 1.0) / _STRETCH
        return {"mouth": self.mouth, "brows": self.brows, "jaw": self.jaw, "width": width, "height": height}


def draw_proportions(random: np.random.Generator) -> Proportions:
    """Those of someone, left and right alike."""
    stretch = np.clip(random.normal(1.0, _STRETCH, 3), 0.85, 1.15) * np.clip(random.normal(1.0, _SIZE), 0.9, 1.1)
    bend = random.normal(0.0, _BEND, (3, 6))
    bend[0, [0, 1, 2, 4]] = 0.0  # what would make left and right differ
    bend[1:, [3, 5]] = 0.0
    mouth, brows, jaw = np.clip(random.normal(size=3), -_MOST, _MOST)
    return Proportions(stretch, bend, float(mouth), float(brows), float(jaw))


class Shaper:
    """Gives points on and around a face other proportions.

    Args:
        rest: (L, 3) float64 m, head space: the face that is known.  scheme: of its landmarks.
    """

    def __init__(self, rest: F64, scheme: str) -> None:
        layout = layout_of(scheme)
        self._middle = rest.mean(axis=0)
        self._spread = np.ptp(rest, axis=0) / 2
        lips = rest[[*layout.lips_outer_upper, *layout.lips_outer_lower]]
        self._mouth = lips.mean(axis=0)
        self._brow_z = float(rest[[*layout.brow_right, *layout.brow_left], 2].mean())
        self._chin_z = float(rest[list(layout.jaw), 2].min())

    def move(self, points: NDArray[np.floating], proportions: Proportions) -> F64:
        """(N, 3) float64 m: where points (N, 3) m, head space, of the known face lie on another one."""
        points = np.asarray(points, np.float64)
        x, y, z = unit = ((points - self._middle) / self._spread).T
        quadratic = np.stack([x * x, y * y, z * z, x * y, y * z, x * z], 1)
        out = self._middle + (points - self._middle) * proportions.stretch
        # Beyond the face, where the curvature was never meant to reach, it grows no further.
        fade = np.minimum(1.0, 2.0 / np.maximum((unit**2).sum(axis=0), 1e-9))
        out += self._spread * ((fade[:, None] * quadratic) @ proportions.bend.T)
        from_mouth = (points - self._mouth) / self._spread
        near = np.exp(-(from_mouth[:, 0] ** 2 + 2.0 * from_mouth[:, 2] ** 2) / (2 * 0.4**2))
        out[:, 0] += _MOUTH * proportions.mouth * near * (points[:, 0] - self._mouth[0])
        level = (points[:, 2] - self._brow_z) / self._spread[2]
        out[:, 2] += _BROWS * proportions.brows * self._spread[2] * np.exp(-(level**2) / (2 * 0.2**2))
        length = self._mouth[2] - self._chin_z
        out[:, 2] -= _JAW * proportions.jaw * length * smoothstep((self._mouth[2] - points[:, 2]) / length)
        return out

    def differentiate(self, points: NDArray[np.floating], proportions: Proportions) -> F64:
        """(N, 3, 3): how the moved points follow the known ones, by central differences."""
        points = np.asarray(points, np.float64)
        steps = _STEP_M * np.eye(3)
        columns = [self.move(points + s, proportions) - self.move(points - s, proportions) for s in steps]
        return np.stack(columns, axis=2) / (2 * _STEP_M)


def draw_gains(channels: tuple[str, ...], proportions: Proportions, random: np.random.Generator) -> F64:
    """(K,) how far a face moves each channel: by its proportions, its character and a little chance."""
    amount = random.normal(0.0, _CHARACTER) + np.clip(random.normal(0.0, _CHANNEL, len(channels)), -0.15, 0.15)
    return np.exp(amount) * measure_coupling(channels, proportions)


def measure_coupling(channels: tuple[str, ...], proportions: Proportions) -> F64:
    """(K,) the part of the gains that proportions alone explain."""
    known = proportions.by_name()
    out = np.zeros(len(channels))
    for names, weights in COUPLING:
        rows = [k for k, channel in enumerate(channels) if channel.startswith(names)]
        out[rows] = sum(weight * np.clip(known[name], -_MOST, _MOST) for name, weight in weights.items())
    return np.exp(out)
