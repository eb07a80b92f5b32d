"""A filter as an edit of a take: the solve stays as it is, what comes out is another take that says how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...geometry.quaternions import rotation_of, wxyz_of
from ...rig.channels import arkit_name
from ..take import Take, find_runs
from .apply import apply_filter
from .options import FilterChoice

GapsOf = Callable[[NDArray[np.floating]], F64]
"""(F, 3) gaps of lips, right and left lids, metres, of weights (F, K); 0 is closed."""

CLOSED_M = 0.0008
SOLVER_LANDMARKS = "trained solver"
"""What a take's provenance says of landmarks that a trained solver found itself."""
TENFOLD = 10.0
"""Metres tenfold are of the size of weights: one smallest noise serves both."""
_PARTS = (
    ("jaw", "mouth"),
    ("eyeBlinkRight", "eyeSquintRight", "eyeWideRight"),
    ("eyeBlinkLeft", "eyeSquintLeft", "eyeWideLeft"),
)
_SHUT, _MOUTH_SHUT = 0.75, 0.05
_RAMP = 2


@dataclass(frozen=True)
class _Closing:
    """Channels (K,) bool that close something, and frames (F,) bool in which the solve has it closed."""

    channels: NDArray[np.bool_]
    frames: NDArray[np.bool_]


def filter_take(take: Take, choice: FilterChoice, *, gaps_of: GapsOf | None = None) -> Take:
    """A take with filtered curves; what is closed in the solve stays closed, frames without a result stay as they are.

    Args:
        gaps_of: how far lips and lids of the character gape; None: judged by the weights alone.
    """
    if choice.kind == "none":
        return take
    weights, gaze = take.weights.astype(np.float64), take.gaze_rad.reshape(take.frame_count, -1).astype(np.float64)
    jaw, place = take.jaw.astype(np.float64), take.head_translation_m.astype(np.float64)
    rotation = take.head_rotation_wxyz.astype(np.float64)
    # Landmarks that a network measured stay as they were seen; a solver's own are curves as its weights are.
    own = take.provenance.get("landmarks") == SOLVER_LANDMARKS
    seen = take.landmarks_px.reshape(take.frame_count, -1)[:, : None if own else 0].astype(np.float64)
    per_part = TENFOLD / max(1, *take.image_size)
    out = [weights.copy(), gaze, jaw, place, seen]
    for first, last in find_runs(take.solved):
        rows = slice(first, last + 1)
        time_s = take.time_s[rows]
        turned, mean = _split_off_mean(rotation[rows])
        parts = [(weights[rows], 1.0), (gaze[rows], 1.0), (jaw[rows], TENFOLD), (place[rows], TENFOLD)]
        parts += [(seen[rows], per_part), (turned, 1.0)]
        joined = np.concatenate([values * scale for values, scale in parts], 1)
        smooth = apply_filter(choice, time_s, joined)
        ends = np.cumsum([values.shape[1] for values, _ in parts])
        pieces = [piece / scale for piece, (_, scale) in zip(np.split(smooth, ends[:-1], 1), parts, strict=True)]
        for target, values in zip(out, pieces, strict=False):
            target[rows] = values
        rotation[rows] = wxyz_of(mean * Rotation.from_rotvec(pieces[-1]))
    low, high = weights.min(0, initial=0.0), weights.max(0, initial=1.0)
    found = np.clip(out[0], low, high)
    # The paper's filter is left as the paper has it.
    weights = found if choice.kind == "kalman-sg" else keep_closed(take.channels, weights, found, take.solved, gaps_of)
    edits = [*_edits_of(take), {"edit": "filter", **asdict(choice)}]
    return replace(
        take,
        weights=weights.astype(np.float32),
        gaze_rad=out[1].reshape(take.gaze_rad.shape).astype(np.float32),
        jaw=out[2].astype(np.float32),
        head_translation_m=out[3].astype(np.float32),
        head_rotation_wxyz=rotation.astype(np.float32),
        landmarks_px=seen.reshape(take.landmarks_px.shape).astype(np.float32) if own else take.landmarks_px,
        provenance={**take.provenance, "edits": edits},
    )


def keep_closed(
    channels: tuple[str, ...],
    raw: F64,
    smooth: F64,
    solved: NDArray[np.bool_],
    gaps_of: GapsOf | None,
) -> F64:
    """(F, K) filtered weights, led back to the solve where it closes lips or lids and the filter opened them."""
    out = smooth.copy()
    for closing in _find_closings(channels, raw, smooth, gaps_of):
        for first, last in find_runs(solved):
            rows = slice(first, last + 1)
            share = ease_around(closing.frames[rows])[:, None]
            out[rows, closing.channels] += share * (raw - smooth)[rows, closing.channels]
    return out


def ease_around(frames: NDArray[np.bool_]) -> F64:
    """(F,) 1 in some frames of a run, falling to 0 within a few on either side, not in one, and never past its ends."""
    share = frames.astype(np.float64)
    for step in range(1, min(_RAMP, len(frames) - 1) + 1):
        near = 1 - step / (_RAMP + 1)
        share[step:] = np.maximum(share[step:], near * frames[:-step])
        share[:-step] = np.maximum(share[:-step], near * frames[step:])
    return share


def _find_closings(channels: tuple[str, ...], raw: F64, smooth: F64, gaps_of: GapsOf | None) -> list[_Closing]:
    names = [arkit_name(c) or c for c in channels]
    masks = [np.array([any(n.startswith(p) for p in part) for n in names]) for part in _PARTS]
    if gaps_of is not None:
        before, after = gaps_of(raw), gaps_of(smooth)
        opened = (before < CLOSED_M) & (after > np.maximum(before * 1.05, before + 0.05 * CLOSED_M))
        return [_Closing(mask, opened[:, i]) for i, mask in enumerate(masks)]
    found = []
    for mask, lid in zip(masks[1:], ("eyeBlinkRight", "eyeBlinkLeft"), strict=True):
        if lid in names:
            k = names.index(lid)
            found.append(_Closing(mask, (raw[:, k] >= _SHUT) & (smooth[:, k] < raw[:, k])))
    if "jawOpen" in names:

        def gap(weights: F64) -> F64:
            close = weights[:, names.index("mouthClose")] if "mouthClose" in names else 0.0
            return weights[:, names.index("jawOpen")] - close

        found.append(_Closing(masks[0], (gap(raw) < _MOUTH_SHUT) & (gap(smooth) > gap(raw) + 0.01)))
    return found


def _split_off_mean(wxyz: F64) -> tuple[F64, Rotation]:
    """Rotation vectors (F, 3) about the mean rotation, and that."""
    every = rotation_of(wxyz)
    mean = every.mean()
    return (mean.inv() * every).as_rotvec(), mean


def _edits_of(take: Take) -> list[object]:
    edits = take.provenance.get("edits", [])
    return list(edits) if isinstance(edits, list) else []
