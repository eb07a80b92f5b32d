"""Point caches from elsewhere as targets: when their samples are, and whether unit and axes are the character's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ...errors import FacecapError
from ...rig.blendshapes import BlendshapeRig
from ...takes.formats.point_cache import PointCache

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
_Z_FROM_Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
_SAME_SIZE, _SAME_TURN, _SAME_SHAPE = 1.15, 0.7, 0.15
"""A head that acts stays within these: its size, how far it turns on average (rad), and its shape, in its own size."""
_LOOKED_AT, _POINTS = 9, 3000


def find_sample_times(cache: PointCache, name: str, rate: float, start: float | None, first_s: float) -> F64:
    """(F,) float64 s of a cache's samples in the footage.

    Args:
        rate: frames per second of the scene that wrote it.  start: scene frame at which the footage starts, if known.
        first_s: time of the footage's first frame that is used.
    Raises:
        FacecapError: the cache starts at a frame that says nothing about the footage.
    """
    if cache.time_s is not None:
        return cache.time_s
    if start is not None:
        return cache.times(rate) - start / rate
    steps = np.arange(len(cache.positions)) * cache.step_frames / rate
    if abs(cache.first_frame) < 1e-3 or abs(cache.first_frame - 1) < 1e-3:
        return first_s + steps
    if abs(cache.first_frame / rate - first_s) <= 1.5 / rate:
        return cache.first_frame / rate + steps
    raise FacecapError(
        f"{name} starts at scene frame {cache.first_frame:g}, and nothing says where the footage was then.",
        "Say with --cache-start at which scene frame the footage starts.",
    )


def to_scene_axes(positions: NDArray[np.floating], unit: str, up: str) -> F32:
    """(F, V, 3) float32 m, Z up, of a cache in some unit, "y" or "z" up."""
    found = np.asarray(positions, np.float32) * np.float32(UNITS[unit])
    return found @ _Z_FROM_Y_UP.T if up == "y" else found


def check_likeness(positions: F32, rig: BlendshapeRig, name: str) -> None:
    """Raises FacecapError where a cache (F, V, 3) m is the character in another unit, other axes, or another mesh."""
    if positions.shape[1] != rig.vertex_count or not len(positions):
        return  # said elsewhere
    some = np.linspace(0, len(positions) - 1, min(_LOOKED_AT, len(positions))).astype(int)
    rows = np.linspace(0, rig.vertex_count - 1, min(_POINTS, rig.vertex_count)).astype(int)
    rest = rig.neutral[rows].astype(np.float64)
    found = positions[some][:, rows].astype(np.float64).mean(axis=0)
    if not np.isfinite(found).all():
        return
    scale, turn, left = _fit_similarity(rest, found)
    if left > _SAME_SHAPE:
        raise FacecapError(
            f"The vertices of {name} do not lie as the character's do: they are another mesh's, or in another order.",
            "Export the cache from the character's own mesh.",
        )
    off = [] if 1 / _SAME_SIZE < scale < _SAME_SIZE else [f"{scale:.4g} times as large as the character"]
    angle = _measure_angle(turn)
    off += [f"turned by {np.degrees(angle):.0f}° against it"] if angle > _SAME_TURN else []
    if off:
        near = np.log(_SAME_SIZE)
        asked = [f"--cache-unit {u}" for u, size in UNITS.items() if u != "m" and abs(np.log(scale * size)) < near]
        asked += ["--cache-up y"] if _measure_angle(_Z_FROM_Y_UP.astype(np.float64) @ turn) < _SAME_TURN else []
        otherwise = "Export it in metres, Z up, or say its --cache-unit and --cache-up."
        way_out = f"Add {' '.join(asked)}." if asked else otherwise
        raise FacecapError(f"{name} is {' and '.join(off)}.", way_out)


def _measure_angle(turn: F64) -> float:
    return float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))


def _fit_similarity(rest: F64, found: F64) -> tuple[float, F64, float]:
    """Scale, rotation and what is left, in the found one's size, of the similarity that brings `rest` onto `found`."""
    a, b = rest - rest.mean(axis=0), found - found.mean(axis=0)
    u, values, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    turn = u @ flip @ vt
    spread = max(float((a**2).sum()), 1e-18)
    scale = max(float((values * np.diag(flip)).sum()) / spread, 1e-9)
    left = b - scale * a @ turn.T
    return scale, turn, float(np.sqrt((left**2).sum() / max(float((b**2).sum()), 1e-18)))
