"""The head's clay: an implicit surface, negative inside, that the mesh is laid on."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline, RBFInterpolator

from .proportions import LEVELS, NECK, PROFILE, Array

CENTRE = np.array([0.0, 10.0, -5.0])


@lru_cache(maxsize=1)
def _skull() -> RBFInterpolator:
    points = [(x, d, z) for z, section in LEVELS for x, d in section] + [(0.0, d, z) for d, z in PROFILE]
    half = np.array(points, float)
    mirrored = half[half[:, 0] > 0] * (-1, 1, 1)
    rays = np.vstack([half, mirrored]) - CENTRE
    radius = np.linalg.norm(rays, axis=1)
    return RBFInterpolator(rays / radius[:, None], radius, kernel="thin_plate_spline", smoothing=2e-3)


def _smooth_union(a: Array, b: Array, radius: float) -> Array:
    """Quilez's polynomial smooth minimum."""
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0.0, 1.0)
    return b + (a - b) * h - radius * h * (1.0 - h)


def _smooth_difference(a: Array, b: Array, radius: float) -> Array:
    return -_smooth_union(-a, b, radius)


def _ellipsoid(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    q = (p - np.array(centre)) / np.array(radii)
    k0 = np.linalg.norm(q, axis=1)
    k1 = np.linalg.norm(q / np.array(radii), axis=1)
    return k0 * (k0 - 1.0) / np.maximum(k1, 1e-9)


def _round_cone(p: Array, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float) -> Array:
    a_, b_ = np.array(a), np.array(b)
    axis = b_ - a_
    t = np.clip((p - a_) @ axis / (axis @ axis), 0.0, 1.0)
    return np.linalg.norm(p - a_ - t[:, None] * axis, axis=1) - (ra + (rb - ra) * t)


def _neck(p: Array) -> Array:
    table = np.array(NECK)
    values = CubicSpline(table[:, 0], table[:, 1:])(np.clip(p[:, 2], -200, -40))
    half_width, middle, half_depth = values.T
    q = np.stack([p[:, 0] / half_width, (p[:, 1] - middle) / half_depth], axis=1)
    k0 = np.linalg.norm(q, axis=1)
    k1 = np.linalg.norm(q / np.stack([half_width, half_depth], axis=1), axis=1)
    ring = k0 * (k0 - 1.0) / np.maximum(k1, 1e-9)
    return np.maximum(ring, p[:, 2] + 45.0)


def _nose(p: Array) -> Array:
    q = p * (1.0, 1.0, 1.0)
    q[:, 0] = np.abs(q[:, 0])
    dorsum = _round_cone(q, (0, 90.2, 4), (0, 100.4, -22), 5.0, 6.2)
    lower = _round_cone(q, (0, 100.4, -22), (0, 110.4, -37), 6.2, 8.2)
    nose = _smooth_union(dorsum, lower, 4.0)
    nose = _smooth_union(nose, _ellipsoid(q, (4.2, 110.6, -38.0), (6.2, 8.0, 6.6)), 5.0)  # the tip's two domes
    wall = _ellipsoid(q, (4.0, 93.4, -27.0), (8.4, 9.8, 18.0))
    nose = _smooth_union(nose, wall, 8.0)
    ala = _ellipsoid(q, (12.4, 101.2, -40.4), (5.6, 9.0, 6.8))
    nose = _smooth_union(nose, ala, 3.0)
    columella = _round_cone(q, (0, 109.5, -42.0), (0, 101.0, -46.0), 3.6, 4.2)
    return _smooth_union(nose, columella, 3.0)


def clay(p: Array) -> Array:
    """Signed value of the clay at points (N, 3) in mm, about a distance near the surface."""
    ray = p - CENTRE
    radius = np.linalg.norm(ray, axis=1)
    head = radius - _skull()(ray / np.maximum(radius, 1e-9)[:, None])
    head = _smooth_union(head, _neck(p), 14.0)
    return _smooth_union(head, _nose(p), 2.8)


def gradient(p: Array) -> Array:
    """Central differences of `clay`, (N, 3)."""
    step = 0.05
    columns = []
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = step
        columns.append((clay(p + offset) - clay(p - offset)) / (2 * step))
    return np.stack(columns, axis=1)


def project(p: Array, steps: int = 4, longest: float = 6.0) -> Array:
    """Points moved onto the clay by Newton steps along its gradient."""
    p = p.copy()
    for _ in range(steps):
        g = gradient(p)
        move = -clay(p)[:, None] * g / np.maximum((g * g).sum(1), 0.05)[:, None]
        length = np.linalg.norm(move, axis=1)
        p += move * np.minimum(1.0, longest / np.maximum(length, 1e-9))[:, None]
    return p


def cast(origin: Array, direction: Array, near: float, far: float, samples: int = 60) -> Array:
    """Outermost crossing of the clay along each ray between two distances (the far end where there is none)."""
    t = np.linspace(far, near, samples)
    found = np.full(len(origin), near)
    done = np.zeros(len(origin), bool)
    previous = clay(origin + direction * t[0])
    for a, b in pairwise(t):
        value = clay(origin + direction * b)
        hit = ~done & (previous > 0) & (value <= 0)
        fraction = previous / np.where(previous - value == 0, 1, previous - value)
        found = np.where(hit, a + (b - a) * fraction, found)
        done |= hit
        previous = value
    return origin + direction * found[:, None]
