"""Lips around a closed seam, the bag behind them, teeth and tongue."""

from __future__ import annotations

import numpy as np

from .layout import MOUTH, HalfSkin
from .proportions import CHEILION, STOMION, Array
from .surface import cast

CORNER = 11  # the spoke of the mouth's corner; 0 is the upper midline, 22 the lower
BAG_RINGS = 4
SEAM_RING = 6  # front edge of the lips' contact; ring 5 is its back edge
BORDER_RING = 10  # vermilion border


def seam(t: Array) -> Array:
    """The line where the lips meet, t from the midline (0) to the corner (1), (N, 3) mm."""
    x = CHEILION[0] * t
    d = STOMION[1] + (CHEILION[1] - STOMION[1]) * t**2.1
    z = (
        STOMION[2]
        + (CHEILION[2] - STOMION[2]) * t**2
        - 0.45 * np.exp(-((t / 0.16) ** 2))
        + 0.55 * np.exp(-(((t - 0.42) / 0.25) ** 2))
    )
    return np.stack([x, d, z], axis=1)


def spoke_parameter() -> Array:
    """t of the spokes 0..CORNER."""
    s = np.linspace(0, 1, CORNER + 1)
    return 0.75 * s + 0.25 * np.sin(0.5 * np.pi * s)


def upper_height(t: Array) -> Array:
    """Height of the upper vermilion above the seam, with its bow."""
    bow = 7.3 * (1 - t**1.9) + 1.1 * np.exp(-(((t - 0.21) / 0.13) ** 2)) - 0.5 * np.exp(-((t / 0.1) ** 2))
    return bow + 0.5 * t


def lower_height(t: Array) -> Array:
    return 8.8 * (1 - t**2.3) + 0.6 * t


def _depth_of_clay(x: Array, z: Array) -> Array:
    origin = np.c_[x, np.full(len(x), 60.0), z]
    return cast(origin, np.tile([0.0, 1.0, 0.0], (len(x), 1)), 0.0, 55.0, 90)[:, 1]


def mouth_rings() -> list[Array]:
    """Loops (23, 3) in mm of the left half: bag, contact, red of the lips, vermilion border, first loop of skin."""
    t = spoke_parameter()
    line = seam(t)
    halves = []
    for side, height in ((1.0, upper_height(t)), (-1.0, lower_height(t))):
        full = 1 - t**3  # how far the lip has its full section; towards the corner it thins out
        border_x = line[:, 0] + 1.5 * t**6
        border_z = line[:, 2] + side * height
        border_d = _depth_of_clay(border_x, border_z) + 0.25
        pout = 1.6 if side > 0 else 2.1
        rows = []
        for share, roll in ((0.14, 0.50), (0.45, 0.93), (0.78, 1.02)):
            z = line[:, 2] + side * height * share
            x = line[:, 0] + 1.5 * t**6 * share
            d = (
                line[:, 1]
                + (border_d - line[:, 1]) * roll
                + pout * full * np.sin(np.pi * min(share * 1.15, 1.0)) ** 0.8
            )
            rows.append(np.c_[x, d, z])
        border = np.c_[border_x, border_d, border_z]
        outside_x = line[:, 0] + 3.3 * t**5
        outside_z = border_z + side * (1.3 - 0.5 * t)
        outside = np.c_[outside_x, _depth_of_clay(outside_x, outside_z) + 0.12, outside_z]
        contact = line + np.array([0.0, 0.0, 0.02 * side])
        back = contact + np.c_[-1.1 * t, -(2.8 - 1.2 * t), 0 * t]
        inner = line + np.c_[-1.5 * t, -(4.6 - 1.8 * t), side * 2.6 * (1 - 0.55 * t)]
        bag = []
        for x_scale, x_add, d_back, up in ((0.70, 2.0, 52.0, 9.0), (0.98, 4.0, 34.0, 17.0), (1.0, 4.0, 16.0, 18.0),
                                           (0.98, 1.5, 7.4, 10.5)):  # fmt: skip
            x = line[:, 0] * x_scale + x_add * np.sin(0.5 * np.pi * t)
            bag.append(np.c_[x, line[:, 1] - d_back + 2.0 * t, line[:, 2] + side * up * (1 - t**2.4) ** 0.6 + 0 * t])
        halves.append([*bag, inner, back, contact, *rows, border, outside])
    rings = []
    for upper, lower in zip(*halves, strict=False):
        corner = 0.5 * (upper[CORNER] + lower[CORNER])
        rings.append(np.vstack([upper[:CORNER], corner[None], lower[:CORNER][::-1]]))
    return rings


def mouth_fill(skin: HalfSkin, positions: Array) -> None:
    """The throat's wall bulges back a little instead of being flat."""
    for key, vertex in skin.index.items():
        if key[0] == "mouth fill":
            positions[vertex, 1] -= 4.0
    assert len(MOUTH.border()) == 2 * CORNER + 1


def arch(t: Array, width: float, depth: float, front: float) -> tuple[Array, Array, Array, Array]:
    """Dental arch, t from -1 to 1: x, d and the outward normal's x and d."""
    x = width * np.sin(0.5 * np.pi * t)
    d = front - depth * (1 - np.cos(0.5 * np.pi * t) ** 0.95)
    dx, dd = np.gradient(x, t), np.gradient(d, t)
    length = np.hypot(dx, dd)
    return x, d, -dd / length, dx / length


TOOTH_WIDTHS_UPPER = (8.5, 6.6, 7.6, 7.1, 6.8, 10.2)  # Wheeler's Dental Anatomy: central incisor to first molar
TOOTH_WIDTHS_LOWER = (5.2, 5.7, 6.9, 7.0, 7.1, 11.0)


def teeth(upper: bool) -> tuple[Array, list[tuple[int, ...]], Array]:
    """One dental arch with its gum: vertices in mm, faces, and 0 (gum) to 1 (tooth) per vertex; mirror symmetric."""
    widths = TOOTH_WIDTHS_UPPER if upper else TOOTH_WIDTHS_LOWER
    per_tooth = 5
    edges = np.concatenate([[0.0], np.cumsum(widths)]) / sum(widths)
    inside = np.array([0.0, 0.12, 0.5, 0.88])
    half = np.concatenate([edges[k] + (edges[k + 1] - edges[k]) * inside for k in range(6)] + [[1.0]])
    within = np.concatenate([np.tile([0.0, 0.75, 1.0, 0.75], 6), [0.0]])
    del per_tooth
    t = np.concatenate([-half[:0:-1], half])
    bump = np.concatenate([within[:0:-1], within])
    t = 0.92 * t
    width, depth, front = (26.5, 40.0, 93.8) if upper else (24.5, 38.5, 91.4)
    x, d, nx, nd = arch(t, width, depth, front)
    sign = 1.0 if upper else -1.0
    edge_z = STOMION[2] - 2.2 if upper else STOMION[2] - 1.3
    crown = 9.6 if upper else 8.4
    crown = crown - 2.2 * np.abs(t)
    thick = 5.5 + 3.5 * np.clip(np.abs(t) * 2 - 0.7, 0, 1)
    # (outward share of thickness, height above the edge in crowns, how much the tooth's bulge shows, tooth)
    sections = (
        (-0.1, 1.9, 0.0, 0.0), (0.06, 1.35, 0.2, 0.0), (0.05, 1.0, 0.5, 0.3), (0.04, 0.8, 1.0, 1.0),
        (0.0, 0.35, 1.0, 1.0),
        (-0.18, 0.03, 0.6, 1.0), (-0.42, 0.03, 0.6, 1.0), (-0.8, 0.5, 0.8, 1.0), (-1.0, 1.0, 0.4, 0.3),
        (-1.0, 1.7, 0.0, 0.0),
    )  # fmt: skip
    vertices, toothness = [], []
    for out, up, show, tooth in sections:
        offset = out * thick + show * 0.9 * (bump - 0.6)
        rise = up * crown + (1 - bump) * (0.09 if up < 0.1 else -0.06 * (up > 0.9)) * crown
        vertices.append(np.stack([x + nx * offset, d + nd * offset, edge_z + sign * rise], axis=1))
        toothness.append(np.full(len(t), tooth))
    count = len(t)
    faces: list[tuple[int, ...]] = []
    for r in range(len(sections) - 1):
        for k in range(count - 1):
            quad = (r * count + k, r * count + k + 1, (r + 1) * count + k + 1, (r + 1) * count + k)
            faces.append(quad if not upper else quad[::-1])
    return np.concatenate(vertices), faces, np.concatenate(toothness)


def tongue() -> tuple[Array, list[tuple[int, ...]]]:
    """A rounded tongue lying behind the lower teeth: vertices in mm, faces; mirror symmetric."""
    along, around = 13, 16
    s = np.linspace(0.0, 1.0, along)
    phi = np.linspace(0, 2 * np.pi, around, endpoint=False)
    centre_d = 40.0 + 48.0 * s
    centre_z = -74.5 - 3.0 * (1 - s) + 1.6 * np.sin(np.pi * s)
    taper = np.sqrt(np.clip(1 - ((s - 0.42) / 0.60) ** 2, 0.02, 1))
    half_width, half_height = 18.5 * taper, 6.0 * taper
    vertices = []
    for k in range(along):
        groove = 1.0 * np.exp(-((np.cos(phi) / 0.35) ** 2)) * (np.sin(phi) > 0) * taper[k]
        vertices.append(np.stack([half_width[k] * np.cos(phi), np.full(around, centre_d[k]),
                                  centre_z[k] + half_height[k] * np.sin(phi) - groove], axis=1))  # fmt: skip
    tip, root = np.array([[0.0, 89.2, centre_z[-1]]]), np.array([[0.0, 38.5, centre_z[0]]])
    points = np.vstack([*vertices, tip, root])
    faces: list[tuple[int, ...]] = []
    for k in range(along - 1):
        for j in range(around):
            n = (j + 1) % around
            faces.append((k * around + j, k * around + n, (k + 1) * around + n, (k + 1) * around + j))
    for j in range(0, around, 2):
        last = (along - 1) * around
        faces.append((last + j, last + (j + 1) % around, last + (j + 2) % around, along * around))
        faces.append((along * around + 1, (j + 2) % around, (j + 1) % around, j))
    return points, faces
