"""Measures of a performance: how steady it is, how near to the truth, how far lips and lids close."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

# Vertices are computed for a block of frames at a time; this many numbers bound the block: they stay in the cache.
_BLOCK_NUMBERS = 500_000
MOVING_M = 0.0005

# Pairs (upper, lower) of landmarks, and the two points whose distance is the unit.
_LIPS = {
    "mediapipe-478": (((13, 14), (82, 87), (312, 317), (81, 178), (311, 402)), (33, 263)),
    "ibug-68": (((62, 66), (61, 67), (63, 65)), (36, 45)),
}
# For the right and the left eye of the character.
_LIDS = {
    "mediapipe-478": (
        (((159, 145), (158, 153), (160, 144)), (33, 133)),
        (((386, 374), (385, 380), (387, 373)), (362, 263)),
    ),
    "ibug-68": ((((37, 41), (38, 40)), (36, 39)), (((43, 47), (44, 46)), (42, 45))),
}


def measure_jitter(
    weights: NDArray[np.floating],
    deltas: NDArray[np.float32],
    solved: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """The jitter measure D of Meng and Wen 2019, equation 5, of an animated rig.

    D(f) = 1/N · Σ_i ‖v_i(f−1) − v_i(f)‖, over all N vertices of the mesh. Only a block of frames is in memory at a
    time, and vertices that no channel moves are not computed (they count in N).

    Args:
        weights: (F, K) float.
        deltas: (K, V, 3) float32, metres at weight 1.
        solved: (F,) bool; frames that are missing give NaN, and so do those that follow one. None: none is missing.
    Returns:
        (F,) float64, metres; NaN for the first frame.
    """
    result = np.full(len(weights), np.nan)
    if len(weights) < 2:
        return result
    steps = np.diff(np.asarray(weights, np.float32), axis=0)
    total = np.concatenate(
        [np.sqrt(np.einsum("fvi,fvi->fv", moved, moved)).sum(axis=1) for moved in _displacements(steps, deltas)],
        dtype=np.float64,
    )
    result[1:] = total / max(1, deltas.shape[1])
    if solved is not None:
        result[1:][~(solved[1:] & solved[:-1])] = np.nan
    return result


def jitter_of_vertices(frames: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
    """The same measure from the vertices themselves, (V, 3) metres per frame; returns (F,) metres, NaN first."""
    result: list[float] = []
    previous: NDArray[np.floating] | None = None
    for vertices in frames:
        moved = np.nan if previous is None else float(np.linalg.norm(vertices - previous, axis=1).mean())
        result.append(moved)
        previous = vertices
    return np.array(result, np.float64)


def moving_vertices(deltas: NDArray[np.float32], threshold_m: float = MOVING_M) -> NDArray[np.bool_]:
    """(V,) bool: vertices that some key displaces by more than `threshold_m`; deltas (K, V, 3) metres."""
    return (np.linalg.norm(deltas, axis=2) > threshold_m).any(axis=0)


def vertex_rmse(vertices: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square of vertex distances, per frame.

    Args:
        vertices, truth: (..., V, 3), metres, the same space.
    Returns:
        (...,) float64, metres.
    """
    squares = np.square(np.asarray(vertices, np.float64) - np.asarray(truth, np.float64)).sum(axis=-1)
    return np.sqrt(squares.mean(axis=-1))


def driven_rmse(
    weights: NDArray[np.floating],
    truth: NDArray[np.floating],
    deltas: NDArray[np.float32],
    vertices: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Root mean square of vertex distances, per frame, of one rig driven by solved and by true weights.

    Args:
        weights, truth: (F, K) float.
        deltas: (K, V, 3) float32, metres.
        vertices: (V,) bool, those that count; None: all.
    Returns:
        (F,) float64, metres. The figure for a whole take is `sqrt(mean(square(…)))`.
    """
    if vertices is not None:
        deltas = deltas[:, vertices]
    error = np.asarray(weights, np.float32) - np.asarray(truth, np.float32)
    if not len(error):
        return np.zeros(0)
    squares = [np.square(moved).sum(axis=(1, 2), dtype=np.float64) for moved in _displacements(error, deltas)]
    return np.sqrt(np.concatenate(squares) / max(1, deltas.shape[1]))


def channel_correlation(weights: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson's correlation over time of each channel with its truth.

    Args:
        weights, truth: (F, K) float.
    Returns:
        (K,) float64; 0 where the truth moves and the channel does not, NaN where the truth does not move.
    """
    a = np.asarray(weights, np.float64) - np.mean(weights, axis=0, dtype=np.float64)
    b = np.asarray(truth, np.float64) - np.mean(truth, axis=0, dtype=np.float64)
    scale_a, scale_b = np.sqrt(np.square(a).sum(axis=0)), np.sqrt(np.square(b).sum(axis=0))
    still = 1e-9 * np.sqrt(max(1, len(a)))
    product = scale_a * scale_b
    correlation = np.where(scale_a > still, (a * b).sum(axis=0) / np.where(product > 0, product, 1.0), 0.0)
    return np.where(scale_b > still, correlation, np.nan)


def channel_absolute_error(weights: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean absolute error over time of each channel: (K,) float64 from (F, K) weights and truth."""
    return np.abs(np.asarray(weights, np.float64) - np.asarray(truth, np.float64)).mean(axis=0)


def lip_gap(points: NDArray[np.floating], scheme: str = "mediapipe-478") -> NDArray[np.float64]:
    """How far the inner lips are apart, as a share of the distance between the outer eye corners.

    Args:
        points: (..., L, 2 or 3), landmarks in pixels or on a mesh in metres.
        scheme: "mediapipe-478" or "ibug-68".
    Returns:
        (...,) float64; 0 is closed, about 0.2 an open mouth.
    """
    pairs, unit = _LIPS[scheme]
    return _aperture(points, pairs, unit)


def lid_gap(points: NDArray[np.floating], scheme: str = "mediapipe-478") -> NDArray[np.float64]:
    """How far the lids of each eye are apart, as a share of the eye's width.

    Args:
        points: (..., L, 2 or 3), landmarks in pixels or on a mesh in metres.
        scheme: "mediapipe-478" or "ibug-68".
    Returns:
        (..., 2) float64, the character's right eye, then the left; 0 is closed, about 0.3 open.
    """
    return np.stack([_aperture(points, pairs, unit) for pairs, unit in _LIDS[scheme]], axis=-1)


def lip_distance_m(points: NDArray[np.floating], scheme: str = "mediapipe-478") -> NDArray[np.float64]:
    """(...,) mean distance between the inner lips of landmarks (..., L, 3) m on a mesh."""
    return _distance(points, _LIPS[scheme][0])


def lid_distance_m(points: NDArray[np.floating], scheme: str = "mediapipe-478") -> NDArray[np.float64]:
    """(..., 2) mean distance between the lids, right eye, then left, of landmarks (..., L, 3) m on a mesh."""
    return np.stack([_distance(points, pairs) for pairs, _ in _LIDS[scheme]], axis=-1)


def _distance(points: NDArray[np.floating], pairs: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    points = np.asarray(points, np.float64)
    upper, lower = np.array(pairs).T
    return np.linalg.norm(points[..., upper, :] - points[..., lower, :], axis=-1).mean(axis=-1)


def _aperture(
    points: NDArray[np.floating], pairs: tuple[tuple[int, int], ...], unit: tuple[int, int]
) -> NDArray[np.float64]:
    points = np.asarray(points, np.float64)
    return _distance(points, pairs) / np.linalg.norm(points[..., unit[0], :] - points[..., unit[1], :], axis=-1)


def _displacements(weights: NDArray[np.float32], deltas: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Blocks (n, V', 3) of Σ_k w_k δ_k, in order of frames, without the vertices that nothing moves."""
    moved = np.abs(deltas).max(axis=(0, 2), initial=0.0) > 0
    flat = np.ascontiguousarray(deltas[:, moved]).reshape(deltas.shape[0], 3 * int(moved.sum()))
    frames = max(1, _BLOCK_NUMBERS // max(1, flat.shape[1]))
    for first in range(0, len(weights), frames):
        block = weights[first : first + frames]
        yield (block @ flat).reshape(len(block), int(moved.sum()), 3)
