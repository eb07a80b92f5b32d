"""Brow hairs and lashes as flat strands bound to the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .eyes import SPOKES, fissure
from .layout import EYE, HalfSkin
from .proportions import Array
from .surface import cast, gradient


@dataclass(frozen=True)
class Strand:
    """One hair: points in mm, faces, 0 (root) to 1 (tip) per point, and the skin vertices its root follows."""

    kind: str
    points: Array
    faces: tuple[tuple[int, ...], ...]
    along: Array
    anchors: NDArray[np.int64]
    weights: Array


def _ribbon(
    root: Array, direction: Array, bend: Array, side: Array, length: float, width: float
) -> tuple[Array, Array]:
    s = np.array([0.0, 0.5, 1.0])
    spine = root + length * (s[:, None] * direction + (s**2)[:, None] * bend)
    half = 0.5 * width * np.array([1.0, 0.85, 0.3])[:, None] * side
    return np.vstack([spine - half, spine + half]), np.r_[s, s]


FACES = ((0, 3, 4, 1), (1, 4, 5, 2))


def brow_line(t: Array) -> tuple[Array, Array, Array]:
    """x, z of the brow's middle and its half height, t from the inner (0) to the outer end (1); mm."""
    x = 12.0 + 40.5 * t
    z = 18.6 + 4.8 * np.sin(np.pi * np.clip(t * 0.80, 0, 1)) - 4.2 * np.clip(t - 0.55, 0, 1) ** 1.3 / 0.354
    half = 2.1 * np.clip(1 - t, 0, 1) ** 0.6 * np.interp(t, [0, 0.16], [0.7, 1.0]) + 0.4
    return x, z, half


BROW_HAIRS = 150


def _brows(skin: Array, vertices: NDArray[np.int64]) -> list[Strand]:
    """Hairs from the inner end outwards: steep at first, then lying along the brow, the upper ones pointing down."""
    number = np.arange(BROW_HAIRS)
    t = ((number + 0.5) / BROW_HAIRS) ** 0.93
    across = 2 * ((number * 0.6180339887) % 1.0) - 1  # golden ratio: evenly scattered, without chance
    x, z, half = brow_line(t)
    root = _onto_skin(x, z + across * half)
    normal = gradient(root)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    upward = np.interp(t, [0.0, 0.18, 0.5, 1.0], [1.35, 0.75, 0.25, -0.45]) - 0.45 * across
    direction = np.c_[np.cos(upward), 0 * upward, np.sin(upward)]
    direction -= normal * (direction * normal).sum(1)[:, None]
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    side = np.cross(normal, direction)
    ribbons = [
        _ribbon(root[k] - 3.2 * direction[k], direction[k], 0 * normal[k], side[k], 6.6 - 1.8 * abs(across[k]), 0.62)
        for k in number
    ]
    flat = np.concatenate([points for points, _ in ribbons])
    lifted = _onto_skin(flat[:, 0], flat[:, 2]).reshape(BROW_HAIRS, -1, 3) + 0.4 * normal[:, None]
    distance, nearest = cKDTree(skin[vertices]).query(root, 4)
    weights = 1 / (distance + 0.3) ** 2
    weights /= weights.sum(1)[:, None]
    return [Strand("brow", lifted[k], FACES, ribbons[k][1], vertices[nearest[k]], weights[k]) for k in number]


def _onto_skin(x: Array, z: Array) -> Array:
    origin = np.c_[x, np.full(len(x), 60.0), z]
    return cast(origin, np.tile([0.0, 1.0, 0.0], (len(x), 1)), 0.0, 55.0, 80)


def _lashes(half: HalfSkin, skin: Array) -> list[Strand]:
    made = []
    ring = half.ring(EYE, 2)
    for kind, spots, length in (("upper lash", np.linspace(1.2, SPOKES - 0.3, 34), 5.4),
                                ("lower lash", np.linspace(3.0, SPOKES - 0.8, 18), 3.2)):  # fmt: skip
        sign = 1.0 if kind.startswith("upper") else -1.0
        for spot in spots:
            a = int(np.floor(spot))
            f = float(spot - a)
            spokes = (a, a + 1) if sign > 0 else ((2 * SPOKES - a) % (2 * SPOKES), 2 * SPOKES - a - 1)
            anchors = ring[list(spokes)]
            root = skin[anchors[0]] * (1 - f) + skin[anchors[1]] * f
            t = spot / SPOKES
            fan = np.interp(t, [0.0, 0.5, 1.0], [-0.55, 0.0, 0.85])
            direction = np.array([fan, 0.9, -0.05 if sign > 0 else -0.35])
            direction /= np.linalg.norm(direction)
            reach = length * np.interp(t, [0.05, 0.35, 0.8, 1.0], [0.5, 0.9, 1.05, 0.9])
            points, along = _ribbon(root - 0.2 * direction, direction, np.array([fan * 0.2, -0.25, 0.55 * sign]),
                                    np.array([1.0, 0.0, 0.0]), reach, 0.34)  # fmt: skip
            made.append(Strand(kind, points, FACES, along, anchors, np.array([1 - f, f])))
    assert fissure(np.array([0.5]))[0].size == 1
    return made


def strands(half: HalfSkin, skin: Array) -> list[Strand]:
    """Brow hairs and lashes of the left side."""
    brow_skin = np.array([v for v, (zone, ring, _) in enumerate(half.keys)
                          if zone == "grid" or (zone == "eye" and ring >= 6)])  # fmt: skip
    return _brows(skin, brow_skin) + _lashes(half, skin)
