"""Texture coordinates read off the topology: every loop stays inside its block, so nothing overlaps."""

from __future__ import annotations

import numpy as np

from .assembly import PARTS, Head
from .layout import BLOCKS, COLUMNS, ROWS, Block
from .proportions import EYE_CENTRE, Array

_COLUMN_U = np.concatenate([np.linspace(0, 0.56, 14), np.linspace(0.56, 1.0, COLUMNS - 12)[1:]])


def _grid(row: float, column: float) -> tuple[float, float]:
    u = float(np.interp(column, np.arange(COLUMNS + 1), _COLUMN_U))
    return 0.5 + 0.495 * u, 0.30 + 0.69 * row / ROWS


def _in_block(block: Block, ring: int, spoke: int) -> tuple[float, float]:
    row, column = block.border()[spoke]
    middle_row, middle_column = (block.first_row + block.last_row) / 2, (block.first_column + block.last_column) / 2
    if not block.closed:
        middle_column = 0.0
    share = (ring + 2.0) / (block.rings + 1.0)
    return _grid(middle_row + (row - middle_row) * share, middle_column + (column - middle_column) * share)


def _skin(zone: str, a: int, b: int) -> tuple[float, float]:
    if zone == "grid":
        return _grid(a, b)
    name = zone.removesuffix(" fill")
    block = next(block for block in BLOCKS if block.name == name)
    if zone == name:
        return _in_block(block, a, b)
    share = 2.0 / (block.rings + 1.0)
    middle_row, middle_column = (block.first_row + block.last_row) / 2, (block.first_column + block.last_column) / 2
    if not block.closed:
        middle_column = 0.0
    return _grid(middle_row + (a - middle_row) * share, middle_column + (b - middle_column) * share)


def _cap(key: tuple[str, int, int]) -> tuple[float, float]:
    from .layout import CAP_BACK, CAP_FRONT

    zone, a, b = key
    if zone == "cap":
        along, across = a, b
    elif b <= CAP_FRONT:
        along, across = 0, b
    elif b >= CAP_BACK:
        along, across = CAP_BACK - CAP_FRONT, COLUMNS - b
    else:
        along, across = b - CAP_FRONT, CAP_FRONT
    return 0.15 + 0.135 * across / CAP_FRONT, 0.01 + 0.27 * along / (CAP_BACK - CAP_FRONT)


def corner_uvs(head: Head) -> Array:
    """(sum of face sizes, 2) texture coordinates, face after face."""
    result = []
    half_faces = len(head.half.faces)
    skin_faces = 2 * half_faces
    spot = np.zeros((len(head.vertices), 2))
    _parts(head, spot)
    backs = {
        int(np.flatnonzero(head.of("eyeball_left"))[-1]): np.array([0.342, 0.22]),
        int(np.flatnonzero(head.of("eyeball_right"))[-1]): np.array([0.450, 0.22]),
        int(np.flatnonzero(head.of("tongue"))[-1]): np.array([0.55, 0.22]),
    }
    hair_start = int(np.argmax(head.part == PARTS.index("hair")))
    for number, face in enumerate(head.faces):
        if number >= skin_faces:
            if face[0] >= hair_start:
                result.extend(_hair_uv((face[0] - hair_start) // 6, (face[0] - hair_start) % 6, face, hair_start))
            else:
                corners = spot[list(face)]
                if face[0] in backs:  # the pole at the back of a disc's outside: each face gets a point of its own
                    corners[0] = corners[1:].mean(0) + 0.10 * (corners[1:].mean(0) - backs[face[0]])
                result.extend(map(tuple, corners))
            continue
        keys = [head.zone[v] for v in face]
        on_cap = all(k[0] == "cap" or (k[0] == "grid" and k[1] == ROWS) for k in keys)
        uv = [_cap(k) if on_cap else _skin(*k) for k in keys]
        if number >= half_faces:
            middle = 0.15 if on_cap else 0.5
            uv = [(2 * middle - u, v) for u, v in uv]
        result.extend(uv)
    return np.array(result)


def _hair_uv(strand: int, first: int, face: tuple[int, ...], start: int) -> list[tuple[float, float]]:
    column, row = strand % 24, strand // 24
    corner = np.array([0.60 + 0.016 * column, 0.012 + 0.016 * row])
    del first
    out = []
    for v in face:
        local = (v - start) % 6
        out.append((corner[0] + 0.012 * (local % 3) / 2, corner[1] + 0.010 * (local // 3)))
    return out


def _parts(head: Head, spot: Array) -> None:
    p = head.vertices
    for part, sign, corner in (("eyeball_left", 1, (0.342, 0.22)), ("eyeball_right", -1, (0.450, 0.22))):
        mask = head.of(part)
        local = p[mask] - EYE_CENTRE * (sign, 1, 1)
        turn = np.arctan2(local[:, 2], local[:, 0])
        radius = 0.052 * head.detail[mask] / np.pi
        spot[mask] = np.c_[corner[0] + radius * np.cos(turn), corner[1] + radius * np.sin(turn)]
    for part, rows, corner in (("upper_teeth", 10, (0.30, 0.09)), ("lower_teeth", 10, (0.30, 0.02))):
        mask = head.of(part)
        count = int(mask.sum()) // rows
        k = np.arange(int(mask.sum()))
        spot[mask] = np.c_[corner[0] + 0.26 * (k % count) / (count - 1), corner[1] + 0.055 * (k // count) / (rows - 1)]
    mask = head.of("tongue")
    k = np.arange(int(mask.sum()) - 2)
    ring, turn = k // 16, (k % 16) / 16 * 2 * np.pi
    # Tip at the centre of a disc, root on its outside: the tongue's skin unrolled like a cone.
    radius = 0.006 + 0.034 * (12 - ring) / 12
    disc = np.c_[0.55 + radius * np.cos(turn), 0.22 + radius * np.sin(turn)]
    spot[mask] = np.vstack([disc, [[0.55, 0.22], [0.55, 0.22]]])
