"""Lays the skin's left half on the clay and on the explicit loops of eyes, lips, nostrils and ears."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from .ears import ear_rings
from .eyes import eye_rings
from .layout import CAP_BACK, CAP_FRONT, COLUMNS, EAR, EYE, MOUTH, NOSTRIL, ROWS, Block, HalfSkin, cap_place
from .mouth import mouth_fill, mouth_rings
from .nose import nostril_rings
from .proportions import Array
from .surface import cast, project

# Where each row of the grid passes: (d, z) at the front midline, (x, d, z) at the side, (d, z) at the back midline.
ROW_GUIDES = np.array([
    (28, -190, 64, -29, -190, -86, -190), (29, -176, 57, -24, -172, -75, -165), (31, -162, 54, -19, -154, -68, -142),
    (34, -149, 53, -14, -137, -64, -120), (42, -137, 54, -8, -121, -62, -99), (46, -126, 54, -3, -106, -66, -79),
    (53, -117, 53, 0, -94, -71, -62), (66, -113.5, 52, 6, -84, -76, -47), (80, -113, 54, 8, -75, -81, -34),
    (92, -110.5, 57, 8, -66, -85, -22), (98, -104, 59, 8, -58, -88, -11), (99.5, -96, 61, 8, -50, -90, -1),
    (97.5, -88, 63, 8, -43, -92, 8), (99, -81, 63, 8, -38, -92, 13), (102, -75, 64, 8, -33, -92, 18),
    (103, -69, 64, 8, -28, -92, 23), (103, -63, 65, 8, -23, -92, 28), (103, -56, 65, 8, -18, -92, 33),
    (102, -50, 66, 8, -13, -92, 38), (105, -47.5, 67, 8, -8, -91, 42), (111, -46.3, 67, 8, -3, -90, 46),
    (116.5, -43.6, 68, 8, 2, -89, 50), (119.5, -38.2, 68, 8, 7, -88, 54), (116.5, -31.5, 69, 8, 12, -87, 57),
    (110, -23, 69, 8, 17, -86, 60), (103, -14, 70, 8, 22, -85, 63), (100, -8, 70, 8, 27, -84, 66),
    (98, -2, 71, 8, 32, -83, 69), (96, 4, 71, 8, 37, -81, 72), (98, 10, 71, 8, 42, -79, 75),
    (99.5, 16, 71, 8, 46, -77, 77), (99, 20.5, 70, 8, 50, -75, 79.5), (98.5, 25, 70, 8, 54, -73, 82),
    (98, 30, 69, 6, 58, -71, 84), (97, 37, 68, 4, 62.5, -68, 87), (95, 45, 66, 2, 67, -65, 90),
    (92, 54, 64, 0, 72, -62, 93), (88, 64, 61, -2, 77, -58, 96), (82, 74, 57, -4, 83, -53, 98.5),
], float)  # fmt: skip
FRONT_FRACTIONS = (0, 0.048, 0.097, 0.147, 0.21, 0.28, 0.35, 0.42, 0.49, 0.56, 0.63, 0.695, 0.76, 0.82)
SIDE_DEGREES = (61, 67, 73, 79, 85, 91, 95, 99, 103, 107, 113, 120, 127, 134, 141, 148, 154, 160, 167, 173, 180)


def _grid_positions() -> Array:
    theta = np.concatenate([np.arcsin(FRONT_FRACTIONS), np.radians(SIDE_DEGREES)])
    front_d, front_z, side_x, side_d, side_z, back_d, back_z = (ROW_GUIDES[:, k : k + 1] for k in range(7))
    cosine, sine = np.cos(theta)[None], np.sin(theta)[None]
    ahead = cosine > 0
    x = side_x * sine
    d = side_d + np.where(ahead, front_d - side_d, side_d - back_d) * cosine
    blend = np.abs(cosine) ** 1.6
    # Across the face rows run level, so that the loops' spokes do not shear; beside it they climb over the ear.
    turn = np.clip((theta - np.radians(44.0)) / np.radians(50.0), 0, 1)
    level = np.where(ahead, 1 - turn * turn * (3 - 2 * turn), blend)
    on_face = np.clip((np.arange(ROWS + 1)[:, None] - 8.5) / 4.0, 0, 1)
    blend = blend * (1 - on_face) + level * on_face
    z = side_z + np.where(ahead, front_z - side_z, back_z - side_z) * blend
    guess = np.stack([x, d, z], axis=-1)
    origin = np.stack([0 * x, side_d + 0 * x, z], axis=-1)
    origin[..., 1] = np.where(ahead, 10.0, -10.0)
    flat, centre = guess.reshape(-1, 3), origin.reshape(-1, 3)
    ray = flat - centre
    length = np.linalg.norm(ray, axis=1)
    ray /= length[:, None]
    t = np.array([0.55, 1.35])
    start = centre + ray * (length * t[0])[:, None]
    span = length * (t[1] - t[0])
    placed = cast(start, ray * span[:, None], 0.0, 1.0, 50)
    placed = np.where((np.arange(len(flat)) // (COLUMNS + 1) < 10)[:, None], project(flat, 8), placed)
    return project(placed, 3).reshape(ROWS + 1, COLUMNS + 1, 3)


def _cap_positions(grid: Array) -> dict[tuple[str, int, int], Array]:
    """A Coons patch over the cap's border, raised onto the clay along rays from inside the head."""
    n, m = CAP_BACK - CAP_FRONT, CAP_FRONT
    places, points = [], []
    border = {cap_place(a, b): grid[ROWS, cap_place(a, b)[2]] for a in range(n + 1) for b in range(m + 1)
              if cap_place(a, b)[0] == "grid"}  # fmt: skip
    for a in range(1, n):
        for b in range(m):
            u, v = a / n, b / m
            side = border[cap_place(a, m)]
            front, back = border[cap_place(0, b)], border[cap_place(n, b)]
            middle = side * (v, 1, 1)
            along = front + (back - front) * (0.5 - 0.5 * np.cos(np.pi * u))
            places.append(cap_place(a, b))
            points.append((along[0] * (1 - v) + middle[0] * v, side[1], max(along[2], side[2]) + 12 * (1 - v * v)))
    guess = np.array(points)
    centre = np.array([0.0, 0.0, 35.0])
    ray = guess - centre
    ray /= np.linalg.norm(ray, axis=1)[:, None]
    placed = cast(np.repeat(centre[None], len(ray), 0), ray, 40.0, 130.0)
    return dict(zip(places, placed, strict=False))


def neighbour_matrix(faces: NDArray[np.int64], count: int) -> sp.csr_matrix:
    """Row-normalised adjacency of the mesh's edges."""
    a = faces.ravel()
    b = np.roll(faces, -1, axis=1).ravel()
    adjacency = sp.coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count)).tocsr()
    adjacency.data[:] = 1.0
    degree = np.asarray(adjacency.sum(1)).ravel()
    return (sp.diags(1.0 / np.maximum(degree, 1)) @ adjacency).tocsr()


def _between(skin: HalfSkin, positions: Array, block: Block, first: int) -> None:
    """Fills the loops between the last explicit one and the block's border by straight interpolation."""
    inner, outer = positions[skin.ring(block, first)], positions[skin.ring(block, block.rings - 1)]
    for ring in range(first + 1, block.rings - 1):
        w = (ring - first) / (block.rings - 1 - first)
        positions[skin.ring(block, ring)] = inner * (1 - w) + outer * w


def place_half(skin: HalfSkin) -> tuple[Array, Array]:
    """Positions (N, 3) in mm of the left half, and how firmly each vertex is held to an explicit loop (N,), 0 to 1."""
    count = len(skin.keys)
    positions, held = np.zeros((count, 3)), np.zeros(count)
    grid = _grid_positions()
    cap = _cap_positions(grid)
    for key, vertex in skin.index.items():
        if key[0] == "grid":
            positions[vertex] = grid[key[1], key[2]]
        elif key[0] == "cap":
            positions[vertex] = cap[key]
    explicit = {MOUTH: mouth_rings(), EYE: eye_rings(), NOSTRIL: nostril_rings()}
    explicit[EAR] = ear_rings(len(EAR.border()))
    for block, rings in explicit.items():
        for ring, points in enumerate(rings):
            vertices = skin.ring(block, ring)
            positions[vertices], held[vertices] = points, 1.0
        _between(skin, positions, block, len(rings) - 1)
    for key, vertex in skin.index.items():
        if key[0].endswith(" fill"):
            held[vertex] = 1.0
    midline = np.array([_on_midline(key) for key in skin.keys])
    faces = np.array(skin.faces)
    average = neighbour_matrix(faces, count)
    positions = _fill_ends(skin, positions, average)
    positions = _relax(positions, held > 0, midline, average, np.array([k[0] != "ear" for k in skin.keys]))
    mouth_fill(skin, positions)
    positions = _fair(positions, held, np.array([k[0] in ("grid", "cap") for k in skin.keys]), midline, faces)
    positions[midline, 0] = 0.0
    return positions, held


def _on_midline(key: tuple[str, int, int]) -> bool:
    zone, _, b = key
    if zone == "grid":
        return b in (0, COLUMNS)
    if zone == "mouth":
        return b in (0, len(MOUTH.border()) - 1)
    return zone in ("cap", "mouth fill") and b == 0


def _fill_ends(skin: HalfSkin, positions: Array, average: sp.csr_matrix) -> Array:
    """Harmonic positions for the little grids that close the ear canal, the nostril and the throat."""
    free = np.array([key[0].endswith(" fill") for key in skin.keys])
    midline = np.array([_on_midline(key) for key in skin.keys])
    for _ in range(200):
        positions[free] = (average @ positions)[free]
        positions[midline, 0] = 0.0
    return positions


def _relax(positions: Array, fixed: NDArray[np.bool_], midline: NDArray[np.bool_], average: sp.csr_matrix,
           on_clay: NDArray[np.bool_]) -> Array:  # fmt: skip
    """Evens out the free vertices along the clay (Laplacian steps, each followed by a projection)."""
    border = positions[:, 2] < -175
    fixed = fixed | border
    for _ in range(14):
        step = 0.5 * (average @ positions - positions)
        step[midline, 0] = 0.0
        # A vertex on the midline has no neighbour on the other side: its own mirror image stands in for it.
        positions = np.where(fixed[:, None], positions, positions + step)
        moving = ~fixed & on_clay
        positions[moving] = project(positions[moving], 1)
        positions[midline, 0] = 0.0
    return positions


def _fair(positions: Array, held: Array, in_grid: NDArray[np.bool_], midline: NDArray[np.bool_],
          faces: NDArray[np.int64]) -> Array:  # fmt: skip
    """Least squares: stay near, hold the explicit loops, and be smooth in the sense of the squared Laplacian."""
    count = len(positions)
    # The mirrored half takes part, so that the surface is smooth across the midline.
    other = np.where(midline, np.arange(count), np.arange(count) + count)
    both = np.vstack([faces, other[faces][:, ::-1]])
    used, compact = np.unique(both, return_inverse=True)
    compact = compact.reshape(both.shape)
    full = np.vstack([positions, positions * (-1, 1, 1)])[used]
    own = np.where(held > 0, 60.0, np.where(in_grid, 8.0, 1.2))
    weight = np.r_[own, own][used]
    laplacian = sp.eye(len(used)) - neighbour_matrix(compact, len(used))
    system = sp.diags(weight) + 1.2 * (laplacian.T @ laplacian)
    solved = spla.spsolve(system.tocsc(), weight[:, None] * full)
    result = positions.copy()
    lookup = np.searchsorted(used, np.arange(count))
    result[:] = solved[lookup]
    result[positions[:, 2] < -180] = positions[positions[:, 2] < -180]
    return result
