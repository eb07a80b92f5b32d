"""Keys of brows and cheeks: smooth, bounded bumps of displacement over the skin."""

from __future__ import annotations

import numpy as np

from .assembly import Head
from .eye_keys import eye_skin_share
from .proportions import Array
from .surface import gradient

# Centre (x, z) and reach (x, inwards; x, outwards; z, down; z, up) in mm, displacement (x, d, z) in mm.
Bump = tuple[tuple[float, float], tuple[float, float, float, float], tuple[float, float, float]]


def bump_share(p: Array, centre: tuple[float, float], reach: tuple[float, float, float, float]) -> Array:
    """(V,) 1 at the centre, 0 from the reach on, twice differentiable."""
    x, z = p[:, 0] - centre[0], p[:, 2] - centre[1]
    rx = np.where(x < 0, reach[0], reach[1])
    rz = np.where(z < 0, reach[2], reach[3])
    r2 = (x / rx) ** 2 + (z / rz) ** 2
    return np.where((r2 < 1) & (p[:, 1] > 25), (1 - np.minimum(r2, 1)) ** 3, 0.0)


BROW_DOWN: tuple[Bump, ...] = (
    ((39.0, 22.0), (40.0, 46.0, 20.0, 46.0), (-4.0, 2.4, -5.4)), ((11.0, 18.0), (18.0, 24.0, 18.0, 28.0),
    (-1.6, 1.2, -2.6)),
)  # fmt: skip
BROW_INNER_UP: tuple[Bump, ...] = (
    ((16.0, 20.5), (26.0, 38.0, 18.5, 50.0), (0.6, -0.4, 8.8)), ((0.0, 23.0), (17.0, 17.0, 17.0, 44.0),
    (0.0, -0.2, 1.4)),
)  # fmt: skip
BROW_OUTER_UP: tuple[Bump, ...] = (((44.0, 21.0), (46.0, 44.0, 19.0, 50.0), (1.7, -2.7, 10.4)),)
NOSE_SNEER_BROW: tuple[Bump, ...] = (((13.0, 17.0), (20.0, 28.0, 17.0, 28.0), (-0.9, 0.6, -3.6)),)
# A sneer lifts the whole cheek beside the nose, the lower lid with it.
NOSE_SNEER_CHEEK: tuple[Bump, ...] = (((34.0, -32.0), (26.0, 42.0, 74.0, 29.0), (-0.7, 1.2, 6.6)),)

# Skin between cheek and lower lid, which the lips' own field does not reach.
SMILING_CHEEK: tuple[Bump, ...] = (((43.0, -21.0), (24.0, 26.0, 20.0, 16.0), (1.4, 1.2, 3.0)),)
CHEEK_SQUINT: tuple[Bump, ...] = (((48.0, -30.0), (38.0, 40.0, 80.0, 33.0), (-0.8, 1.8, 5.0)),)


def bumps(head: Head, table: tuple[Bump, ...], both_sides: bool = False) -> Array:
    """(V, 3) sum of a table's bumps on the left side, or on both."""
    p = head.vertices
    share = eye_skin_share(head)
    delta = np.zeros_like(p)
    for centre, reach, move in table:
        delta += (bump_share(p, centre, reach) * share)[:, None] * np.array(move)
    if both_sides:
        delta = delta + delta[head.mirror] * (-1, 1, 1)
    return delta


def brow_keys(head: Head) -> dict[str, Array]:
    """browDown and browOuterUp of the left side, browInnerUp of both, cheekPuff of both."""
    return {
        "browDown": bumps(head, BROW_DOWN),
        "browOuterUp": bumps(head, BROW_OUTER_UP),
        "browInnerUp": bumps(head, BROW_INNER_UP, both_sides=True),
    }


def cheek_puff(head: Head) -> Array:
    """(V, 3) both cheeks blown up along the skin's own normals, 17 mm at most."""
    p = head.vertices
    skin = np.array([zone == "grid" or (zone == "mouth" and a >= 10) or (zone == "nostril" and a >= 2)
                     for zone, a, _ in head.zone]) & head.of("skin")  # fmt: skip
    # The loops around the lips are left to the tissue between lips and cheeks.
    near_lips = np.array([zone != "mouth" or a > 13 for zone, a, _ in head.zone])
    in_front = np.clip((p[:, 1] - 30) / 25, 0, 1)
    left = bump_share(p, (35.0, -67.0), (46.0, 50.0, 52.0, 50.0)) * skin * in_front * near_lips
    normal = np.zeros_like(p)
    some = left > 0
    g = gradient(p[some])
    normal[some] = g / np.linalg.norm(g, axis=1)[:, None]
    return 17.0 * left[:, None] * (0.55 * normal + 0.45 * np.array([0.5, 0.8, 0.05]))
