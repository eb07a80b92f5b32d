"""Moving vertices as a take: the head's motion, and weights of the character's keys by least squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F32, F64
from ...errors import FacecapError
from ...geometry.quaternions import FRONT, wxyz_of
from ...rig.blendshapes import BlendshapeRig
from ...solvers.vertices_to_weights import WeightFitter
from ...takes.formats.point_cache import PointCache
from ...takes.formats.recording import Recording, make_take
from ...takes.take import Take
from ..runtime.progress import Progress, Steps
from .character import Character

_CHUNK = 16
_SWEEPS = 4
_STILL_M = 2e-3
_RIDGE_M = 1e-7
_MOST_VERTICES = 6000
"""Of those that keys move: weights of tens of keys are settled by far fewer."""
_POOR_MM = 3.0
_LIKENESS = 0.2
"""A first frame that is off by more than this share of the head's size is of another mesh."""


def fit_vertices(path: Path, cache: PointCache, character: Character, fps: float, notes: list[str]) -> Steps[Take]:
    """A take of a point cache.

    The file's unit and axes are found from its first frame, the head's motion from what the keys move little.

    Args:
        path: the file, for words.  fps: of caches that count frames.  notes: what there is to say already.
    Raises:
        FacecapError: it is of another mesh, or not finite.
    """
    rig = character.rig
    frames, vertices = cache.positions.shape[:2]
    if vertices != rig.vertex_count:
        raise FacecapError(
            f"{path.name} has {vertices} vertices, “{rig.name}” has {rig.vertex_count}.",
            "Name the character that moves in it, unchanged.",
        )
    away = np.linalg.norm(rig.deltas, axis=2).max(axis=0, initial=0.0)
    held = 1.0 / (1.0 + (away / _STILL_M) ** 2)
    rest = rig.neutral.astype(np.float64)
    scale, axes = _find_axes(path, np.asarray(cache.positions[0], np.float64), rest, held)
    used = _choose(away)
    fitter = WeightFitter(rig.neutral[used], rig.deltas[:, used], rig.ranges, ridge_m=_RIDGE_M)
    weights = np.zeros((frames, len(rig.channels)), np.float32)
    turns, shifts, left = np.zeros((frames, 3, 3)), np.zeros((frames, 3)), np.zeros(frames)
    for first in range(0, frames, _CHUNK):
        yield Progress("fit", first, frames)
        moved = np.asarray(cache.positions[first : first + _CHUNK], np.float64)
        if not np.isfinite(moved).all():
            raise FacecapError(f"{path.name} has vertices missing or at infinity.", "Export it again.")
        rows = slice(first, first + len(moved))
        weights[rows], left[rows], turns[rows], shifts[rows] = _fit_chunk(
            moved * scale @ axes.T, rig, held, used, fitter
        )
    yield Progress("fit", frames, frames)
    notes.append(
        f"weights by least squares on {len(rig.channels)} shape keys, off by {np.sqrt((left**2).mean()):.3f} mm on "
        f"average, {left.max():.3f} mm at most."
    )
    if np.sqrt((left**2).mean()) > _POOR_MM:
        notes.append("the keys cannot make this face: play the cache itself with a Mesh Cache modifier.")
    time_s = cache.times(fps)
    if (np.diff(time_s) <= 0).any():
        raise FacecapError(f"The times of {path.name} do not ascend.", "Export it again.")
    # The head's motion in head space, as seen by a camera that its first frame faces.
    head = np.asarray(character.embedding.head_from_rig, np.float64)
    turned = head[:3, :3] @ turns @ head[:3, :3].T
    moved_m = shifts @ head[:3, :3].T + head[:3, 3] - np.einsum("fij,j->fi", turned, head[:3, 3])
    recording = Recording(
        path,
        "vertices",
        rig.channels,
        weights,
        time_s - time_s[0],
        head_rotation_wxyz=wxyz_of(Rotation.from_matrix(FRONT @ turned)),
        head_translation_m=moved_m @ FRONT.T + (0.0, 0.0, 0.6),
        notes=notes,
        facts={
            "head_from_rig": head.ravel().tolist(),
            "residual_mm": round(float(np.sqrt((left**2).mean())), 4),
            "fps": fps if cache.time_s is None else None,
        },
    )
    return make_take(recording)


def _fit_chunk(
    moved: F64, rig: BlendshapeRig, held: F64, used: NDArray[np.intp], fitter: WeightFitter
) -> tuple[F32, F64, F64, F64]:
    """Weights, mm that are left, and turn (F, 3, 3) and shift (F, 3) m of the head, in turns until both agree."""
    posed = np.tile(rig.neutral.astype(np.float64), (len(moved), 1, 1))
    sweep = 0
    while True:
        turns, shifts = _align(posed, moved, held)
        still = np.einsum("fvi,fij->fvj", moved - shifts[:, None], turns)
        weights, left = fitter.fit(still[:, used])
        sweep += 1
        if sweep == _SWEEPS:
            return weights, left, turns, shifts
        posed = rig.vertices_at(weights).astype(np.float64)


def _align(rest: F64, moved: F64, held: F64) -> tuple[F64, F64]:
    """Rotations (F, 3, 3) and shifts (F, 3) that bring rest (F, V, 3) nearest to what moved, weighted (V,)."""
    share = held / held.sum()
    a, b = np.einsum("v,fvi->fi", share, rest), np.einsum("v,fvi->fi", share, moved)
    product = np.einsum("v,fvi,fvj->fij", share, moved - b[:, None], rest - a[:, None])
    u, _, vt = np.linalg.svd(product)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turns = u @ vt
    return turns, b - np.einsum("fij,fj->fi", turns, a)


def _find_axes(path: Path, first: F64, rest: F64, held: F64) -> tuple[float, F64]:
    """How a file's unit and axes become a rig's: a factor, and a (3, 3) rotation by quarter turns."""
    if not np.isfinite(first).all():
        raise FacecapError(f"{path.name} has vertices missing or at infinity.", "Export it again.")
    share = held / held.sum()
    a, b = rest - share @ rest, first - share @ first
    size = float(np.sqrt(share @ (a**2).sum(1)))
    scale = size / max(float(np.sqrt(share @ (b**2).sum(1))), 1e-12)
    turn = _align(b[None] * scale, a[None], held)[0][0]
    off = float(np.sqrt(share @ ((b * scale @ turn.T - a) ** 2).sum(1)))
    if off > _LIKENESS * size:
        raise FacecapError(
            f"What {path.name} moves is not this character's mesh: its vertices lie otherwise.",
            "Name the character that moves in it, unchanged.",
        )
    # A head that is turned in its first frame is turned; only what no head does is a matter of axes.
    quarters = Rotation.create_group("O").as_matrix()
    nearest = quarters[int(np.argmin([np.linalg.norm(turn - quarter) for quarter in quarters]))]
    units = [1.0, 1e-1, 1e-2, 1e-3, 0.0254, 0.3048]
    unit = min(units, key=lambda unit: abs(np.log(scale / unit)))
    return (unit if abs(np.log(scale / unit)) < 0.02 else scale), nearest


def _choose(away: F64) -> NDArray[np.intp]:
    """Indices of vertices that keys move, evenly thinned."""
    moving = np.flatnonzero(away > 1e-6)
    return moving[:: max(1, len(moving) // _MOST_VERTICES)] if len(moving) else np.arange(len(away))
