"""Keys of the lips: each is a table of where the lips go; tissue around them follows (see tissue)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .assembly import Head
from .layout import MOUTH
from .mouth import BAG_RINGS, CORNER
from .proportions import Array
from .tissue import Tissue

LAST = 2 * CORNER  # spoke of the lower midline
LIP_RINGS = range(BAG_RINGS, 12)
# Spokes where the tables give a displacement: upper middle, upper lip half way, corner, lower half way, lower middle.
STATIONS = (0, 5, CORNER, LAST - 5, LAST)
_BAG_SHARE = (0.0, 0.10, 0.35, 0.75)

Table = tuple[tuple[float, float, float], ...]

# Displacement in mm (to the key's own side, forward, up) at upper middle, upper half way, corner, lower half way,
# lower middle, then on the other side: upper half way, corner, lower half way (x to the key's own side, too).
# Amplitudes are of the size of full expressions on realistic ARKit-style rigs (corner 15 mm in a smile, and so on).
ONE_SIDED: dict[str, Table] = {
    "mouthSmile": ((0.6, -1.4, 1.6), (4.8, -4.6, 4.8), (7.6, -7.6, 9.8), (4.6, -4.6, 6.0), (0.5, -0.9, 1.8),
                   (-0.1, -0.3, 0.2), (0.0, 0.0, 0.0), (-0.1, -0.2, 0.3)),
    "mouthFrown": ((0.0, -0.2, -0.5), (0.8, -1.0, -1.9), (1.8, -2.0, -5.3), (1.0, -0.2, -2.2), (0.0, 0.2, 0.4),
                   (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "mouthDimple": ((0.2, -0.2, 0.0), (1.8, -1.6, 0.1), (3.6, -6.2, 1.8), (2.2, -2.4, 1.2), (0.2, -0.3, 0.3),
                    (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "mouthStretch": ((0.4, -0.9, -0.3), (3.6, -2.9, -1.0), (8.2, -6.5, -2.7), (3.8, -3.2, -1.2), (0.4, -0.7, 0.2),
                     (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "mouthUpperUp": ((0.2, -0.5, 3.9), (1.8, -0.5, 7.9), (0.4, 0.2, 3.2), (0.1, 0.1, 0.5), (0, 0, 0),
                     (0, -0.1, 0.6), (0, 0, 0), (0, 0, 0)),
    "mouthLowerDown": ((0, 0, 0), (0, 0, 0), (-0.2, -0.2, -1.2), (0.9, -1.0, -4.8), (0.2, -0.9, -3.0),
                       (0, 0, 0), (0, 0, 0), (0, -0.1, -0.6)),
    "mouthPress": ((-0.1, -0.4, -0.2), (-0.3, -0.7, -0.3), (-0.6, -1.4, 1.2), (-0.2, 0.2, 0.6), (0, 0, 0.4),
                   (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "noseSneer": ((0.0, 0.0, 3.2), (0.4, 0.1, 5.8), (-0.4, 0.2, 3.4), (0, 0, 0.4), (0, 0, 0),
                  (0, 0, 0.3), (0, 0, 0), (0, 0, 0)),
    "cheekSquint": ((0, 0, 0), (0.3, -0.3, 0.5), (0.5, -0.6, 0.9), (0.2, -0.2, 0.4), (0, 0, 0),
                    (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "mouthLeft": ((13.6, -2.4, 0.6), (10.6, -4.4, 2.0), (6.8, -4.8, 4.4), (10.4, -4.0, 2.2), (13.2, -2.4, 0.6),
                  (14.2, 2.0, 0.2), (13.4, 7.0, 0.0), (13.4, 2.0, 0.0)),
}  # fmt: skip
# The same for both sides at once (x away from the midline).
TWO_SIDED: dict[str, Table] = {
    "mouthFunnel": ((0, 7.6, 5.4), (-3.0, 8.4, 4.8), (-8.8, 8.0, -0.6), (-3.0, 7.6, -6.8), (0, 6.4, -8.2)),
    "mouthPucker": ((0, 9.2, 1.0), (-3.6, 9.2, 0.6), (-9.2, 8.2, 0.6), (-3.7, 9.2, -1.2), (0, 9.0, -1.8)),
    "mouthRollUpper": ((0, 0, 0.6), (0, 0, 0.6), (0.5, -0.6, 0.2), (0, 0, 0), (0, 0, 0)),
    "mouthRollLower": ((0, 0, 0), (0, 0, 0), (0.3, -0.6, -0.3), (0, 0, -0.3), (0, 0, -0.3)),
    "mouthShrugUpper": ((0, 1.0, 5.0), (0.2, 0.6, 3.6), (0, 0, 0.3), (0, 0, 0), (0, 0, 0)),
    "mouthShrugLower": ((0, 1.6, 0.8), (0, 1.2, 0.6), (0.4, 1.6, 0.6), (0.2, 3.6, 2.8), (0, 4.8, 3.6)),
}
SEALED = (
    "mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch", "mouthPress", "mouthLeft", "mouthPucker", "cheekPuff",
    "cheekSquint", "mouthShrugLower",
)  # fmt: skip
# How the loops of each lip turn in addition: ring -> (forward, up) at full lip height.
ROLLS: dict[str, dict[str, dict[int, tuple[float, float]]]] = {
    "mouthRollUpper": {"upper": {4: (-2.6, 3.2), 5: (-5.4, 3.8), 6: (-9.2, 2.2), 7: (-10.0, -0.6), 8: (-9.6, -3.5),
                                 9: (-7.6, -6.1), 10: (-5.8, -7.1), 11: (-4.4, -6.4)}},
    "mouthRollLower": {"lower": {4: (-2.6, -3.8), 5: (-6.0, -4.0), 6: (-10.0, -1.8), 7: (-11.6, 1.2), 8: (-11.0, 5.0),
                                 9: (-8.6, 7.6), 10: (-5.8, 8.8), 11: (-4.2, 8.2)}},
    "mouthFunnel": {"upper": {4: (1.5, -1.0), 5: (1.4, 0.0), 6: (1.0, 0.6), 9: (-0.6, -0.6), 10: (-1.4, -0.8),
    11: (-1.8, -1.0)},
                    "lower": {4: (1.5, 1.0), 5: (1.4, 0.0), 6: (1.0, -0.6), 9: (-0.6, 0.6), 10: (-1.4, 0.8),
                    11: (-1.8, 1.0)}},
    "mouthPucker": {"upper": {8: (0.4, -0.1), 9: (-0.2, -0.2), 10: (-1.0, 0.2), 11: (-1.6, 0.0)},
                    "lower": {8: (0.4, 0.1), 9: (-0.2, 0.2), 10: (-1.0, 0.2), 11: (-1.6, 0.4)}},
    "mouthPress": {"upper": {7: (-1.2, 0.0), 8: (-2.2, -0.1), 9: (-2.2, -0.8), 10: (-1.2, -1.4), 11: (-0.5, -1.5)},
                   "lower": {7: (-1.2, 0.0), 8: (-2.2, 0.4), 9: (-1.8, 1.6), 10: (-0.4, 2.2), 11: (0.4, 2.6)}},
    "mouthShrugLower": {"lower": {7: (1.2, 0.6), 8: (2.0, 2.2), 9: (1.6, 3.6), 10: (0.6, 4.6), 11: (0.0, 5.0)}},
    "mouthShrugUpper": {"upper": {8: (0.6, 0.3), 9: (0.8, 0.4)}},
}  # fmt: skip


def lip_vertices(
    head: Head, rings: range = LIP_RINGS
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Vertices, ring and spoke (0..44 around the whole mouth: 0..22 left, 23..43 right) of loops of the lips."""
    vertices, ring_of, spoke_of = [], [], []
    for ring in rings:
        left = head.half.ring(MOUTH, ring)
        right = head.mirror[left[1:-1]]
        vertices += [left, right]
        ring_of += [np.full(len(left) + len(right), ring)]
        spoke_of += [np.arange(LAST + 1), LAST + np.arange(LAST - 1, 0, -1)]
    return np.concatenate(vertices), np.concatenate(ring_of), np.concatenate(spoke_of)


def around_lips(table: Table, sides: int) -> Array:
    """Displacement (44, 3) at the spokes around the mouth from a table's stations (periodic cubic spline)."""
    t = np.array(table, float)
    if sides == 2:
        other = t[[1, 2, 3]] * (-1, 1, 1)
        t = np.vstack([t[:5], other])
    right = [2 * LAST - s for s in STATIONS[3:0:-1]]
    knots = np.r_[STATIONS, right, 2 * LAST].astype(float)
    values = np.vstack([t[:5], t[5:][::-1], t[:1]])
    from scipy.interpolate import PchipInterpolator

    wrap_knots = np.r_[knots[-3:-1] - 2 * LAST, knots, knots[1:3] + 2 * LAST]
    wrapped = np.vstack([values[-3:-1], values, values[1:3]])
    smooth = CubicSpline(wrap_knots, wrapped)(np.arange(2 * LAST))
    monotone = PchipInterpolator(wrap_knots, wrapped)(np.arange(2 * LAST))
    return 0.5 * smooth + 0.5 * monotone


def lip_targets(head: Head, name: str, table: Table, sides: int) -> tuple[NDArray[np.int64], Array]:
    """Lip vertices of a key and where they go."""
    path = around_lips(table, sides)
    vertices, ring, spoke = lip_vertices(head)
    values = path[spoke].copy()
    if name in SEALED:
        # Lips that stay shut move together where they touch.
        other = np.where(spoke <= LAST, LAST - spoke, 3 * LAST - spoke) % (2 * LAST)
        share = np.select([ring <= 6, ring == 7, ring == 8], [1.0, 0.6, 0.25], 0.0)
        values += share[:, None] * 0.5 * (path[other] - path[spoke])
    for lip, turns in ROLLS.get(name, {}).items():
        upper = lip == "upper"
        folded = np.minimum(spoke, 2 * LAST - spoke)
        on_lip = folded < CORNER if upper else folded > CORNER
        t = np.where(upper, folded / CORNER, (LAST - folded) / CORNER)
        strength = np.clip(1 - np.abs(t) ** 2.6, 0, 1)
        if sides == 1:
            x = head.vertices[vertices, 0]
            strength = strength * np.clip(0.5 + x / 14.0, 0, 1)
            strength = np.where(folded == CORNER, 0, strength)
        for number, (forward, up) in turns.items():
            here = on_lip & (ring == number)
            values[here, 1] += forward * strength[here]
            values[here, 2] += up * strength[here]
    return vertices, values


def bag_targets(head: Head, values_by_vertex: dict[int, Array]) -> dict[int, Array]:
    """The bag's loops follow the inner edge of the lips, less and less."""
    result = dict(values_by_vertex)
    vertices, ring, spoke = lip_vertices(head, range(BAG_RINGS))
    edge_vertices, edge_ring, edge_spoke = lip_vertices(head, range(BAG_RINGS, BAG_RINGS + 1))
    del edge_ring
    edge = {
        int(s): values_by_vertex[int(v)]
        for v, s in zip(edge_vertices, edge_spoke, strict=False)
        if int(v) in values_by_vertex
    }
    for v, r, s in zip(vertices, ring, spoke, strict=False):
        if int(s) in edge:
            result[int(v)] = edge[int(s)] * _BAG_SHARE[int(r)]
    return result


def lower_face(head: Head, top: float = -6.0, one_side: bool = False, reach: float = -26.0) -> NDArray[np.bool_]:
    """Skin that the lips may drag: in front of the ears, below `top`, above the throat."""
    p = head.vertices
    zone_ok = np.array([not z.startswith(("ear", "eye")) for z, _, _ in head.zone]) & head.of("skin")
    region = zone_ok & (p[:, 1] > 18) & (p[:, 2] < top) & (p[:, 2] > -116)
    if one_side:
        region &= p[:, 0] > reach
    return region


def mouth_keys(head: Head, tissue: Tissue) -> dict[str, Array]:
    """Keys of lips and the skin around them; one-sided ones are the left side's."""
    skin_count = tissue.count
    keys: dict[str, Array] = {}
    p = head.vertices
    extra = _extra_handles(head)
    for name, table in {**ONE_SIDED, **TWO_SIDED}.items():
        one = name in ONE_SIDED
        vertices, values = lip_targets(head, name, table, 1 if one else 2)
        given = bag_targets(head, dict(zip(vertices.tolist(), values, strict=False)))
        given.update(extra.get(name, {}))
        region = lower_face(head, one_side=one and name != "mouthLeft")[:skin_count]
        if name == "noseSneer":
            region &= p[:skin_count, 2] > -80
        field = tissue.field(given, region)
        if not one:
            field = 0.5 * (field + field[head.mirror[:skin_count]] * (-1, 1, 1))
        delta = np.zeros_like(p)
        delta[:skin_count] = field
        keys[name] = delta
    return keys


def nearest_skin(head: Head, x: float, z: float) -> int:
    """The front skin vertex seen at (x, z)."""
    p = head.vertices
    outer = np.array([zone in ("grid", "cap") or (zone == "mouth" and a >= 11) or (zone == "eye" and a >= 6)
                      or (zone == "nostril" and a >= 2) for zone, a, _ in head.zone])  # fmt: skip
    ok = outer & (p[:, 1] > 20)
    distance = np.where(ok, (p[:, 0] - x) ** 2 + (p[:, 2] - z) ** 2, 1e9)
    return int(distance.argmin())


def _extra_handles(head: Head) -> dict[str, dict[int, Array]]:
    """Displacements of skin away from the lips: cheeks that bunch, wings of the nose, the chin."""
    table: dict[str, list[tuple[float, float, tuple[float, float, float]]]] = {
        "mouthSmile": [(44, -34, (3.0, 2.8, 4.8)), (36, -48, (4.0, 0.4, 6.0)), (15, -42, (2.0, -0.8, 1.8)),
                       (0, -100, (0, 0.2, 0.5))],
        "mouthFrown": [(26, -86, (0.8, 0.6, -2.4)), (0, -100, (0, 0.5, 0.6))],
        "mouthDimple": [(36, -66, (2.0, -1.0, 0.8)), (44, -34, (0.8, 1.2, 1.0))],
        "mouthStretch": [(40, -72, (4.0, -2.0, -1.6)), (30, -92, (2.2, -1.0, -1.2))],
        "mouthUpperUp": [(15, -42, (1.2, -0.6, 2.8)), (30, -42, (0.8, 1.0, 4.4)), (38, -28, (0.2, 1.2, 2.2))],
        "mouthLowerDown": [(12, -88, (0.4, -0.6, -2.8)), (0, -102, (0, -0.4, -0.6))],
        "mouthPress": [(12, -90, (0, 1.6, 3.2)), (14, -101, (0, 1.6, 4.0)), (34, -64, (0.4, 1.4, 0.8)),
                       (15, -42, (0.2, 0.2, 0))],
        "noseSneer": [(15, -41, (0.9, -0.2, 5.8)), (13, -33, (0.6, 0.8, 4.6)), (24, -32, (0.2, 1.0, 3.6)),
        (0, -38, (0.2, 0.0, 1.4)),
                      (28, -48, (-0.2, 0.4, 4.4)), (40, -40, (0.0, 0.6, 2.0))],
        "cheekSquint": [(46, -29, (-0.2, 0.8, 1.2)), (36, -28, (-0.2, 0.6, 0.8)), (15, -42, (0.1, 0, 0.2))],
        "mouthLeft": [(0, -98, (4.6, 0.2, 0.3)), (0, -47, (4.2, -0.4, 0.4)), (0, -38, (1.0, 0, 0)),
        (44, -58, (4.0, 1.6, 1.8)),
                      (-44, -58, (7.0, 1.0, 0.2))],
        "mouthFunnel": [(0, -99, (0, -1.0, -3.8)), (38, -62, (-2.4, 0.4, 0.4)), (0, -47, (0, 0.6, 0.6)),
                        (15, -42, (-0.4, 0.6, 0.8))],
        "mouthPucker": [(0, -99, (0, 0.8, 0.8)), (38, -62, (-3.6, -0.4, 0.6)), (0, -47, (0, 0.6, -0.2)),
                        (15, -42, (-0.8, 1.0, 0.2))],
        "mouthRollLower": [(0, -98, (0, 1.2, 1.4)), (0, -87, (0, 1.2, 4.8))],
        "mouthRollUpper": [(0, -50, (0, 0.0, -2.4)), (15, -42, (0.3, 0.2, -1.6))],
        "mouthShrugUpper": [(0, -49, (0, 0.3, 2.6)), (15, -42, (0.3, 0, 1.8))],
        "mouthShrugLower": [(0, -98, (0, 3.4, 12.0)), (0, -86, (0, 3.4, 9.4)), (13, -98, (0, 3.0, 10.8)),
        (24, -92, (0, 2.0, 5.6)), (0, -108, (0, 2.4, 8.0)), (0, -47, (0, 0.3, 0.8)), (15, -42, (0, 0.2, 0.4))],
    }  # fmt: skip
    symmetric = set(TWO_SIDED)
    result: dict[str, dict[int, Array]] = {}
    for name, rows in table.items():
        result[name] = {}
        for x, z, move in rows:
            vertex = nearest_skin(head, x, z)
            result[name][vertex] = np.array(move, float)
            if name in symmetric and x > 0:
                result[name][int(head.mirror[vertex])] = np.array(move, float) * (-1, 1, 1)
    return result
