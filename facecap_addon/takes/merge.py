"""A range that was solved anew goes into its take: blended at its ends, everything else as it was."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..errors import FacecapError
from ..geometry.easing import smoothstep
from .take import STATUS_MISSING, Take
from .versions import ID, MADE

BLEND_S = 0.16
"""How long a crossfade at the ends of a range lasts, at most; a quarter of a short range."""
REFERENCE, RANGE, SPANS = "reference_pose", "solved_range_s", "solved_spans_s"
MERGED_INTO = "merged_into"
"""Id of the take that a range was solved into."""
_SAME_TIME_S = 1e-4
_FADED = ("weights", "head_translation_m", "gaze_rad", "confidence", "covered", "jaw")


def merge_takes(base: Take, part: Take, *, blend_s: float = BLEND_S) -> Take:
    """Put a range into a take.

    Frames of the range that show a face replace the take's; at the ends of the range, where the take goes on, they are
    faded in and out. A frame without a face in the range stays as the take has it: nothing that was solved is lost.

    Args:
        base: the take.  part: the range, on the same channels.  blend_s: length of a fade, s.
    Returns:
        a take of the frames of both. Its provenance is the base's, with the range under `solved_range_s`, and under
        `reference_pose` (wxyz, xyz in m) the head's pose at which the base's character rests: the range has the same.
    Raises:
        FacecapError: their channels, landmarks or pictures differ.
    """
    same = base.channels == part.channels and base.landmarks_px.shape[1] == part.landmarks_px.shape[1]
    if not same or base.image_size != part.image_size or base.regions != part.regions:
        raise FacecapError(
            "The range does not fit the take: the character's shape keys, the landmark network or the footage's size "
            "are others.",
            "Solve the whole clip again, or solve the range for itself (without “merge”).",
        )
    time_s = _unite_times(base.time_s, part.time_s)
    at_base, at_part = _places(time_s, base.time_s), _places(time_s, part.time_s)
    taken = np.zeros(len(time_s))  # how far a frame is the range's
    taken[at_part[part.solved]] = _measure_fade(base, part, blend_s)[part.solved]
    only_base = np.zeros(len(time_s), bool)
    only_base[at_base[base.solved]] = True
    taken[~only_base & (taken > 0)] = 1.0
    arrays: dict[str, NDArray[np.generic]] = {"time_s": time_s}
    part = _align_gaze(base, part, at_base, at_part)
    for item in fields(Take):
        before = getattr(base, item.name)
        if not isinstance(before, np.ndarray) or item.name == "time_s":
            continue
        arrays[item.name] = _join_arrays(item.name, before, getattr(part, item.name), at_base, at_part, taken)
    provenance = {name: value for name, value in base.provenance.items() if name not in (ID, MADE)}
    provenance |= {
        REFERENCE: reference_pose(base).tolist(),
        RANGE: [float(part.time_s[0]), float(part.time_s[-1])],
        "neutral_index": int(at_base[reference_frame(base)]),
        MERGED_INTO: base.provenance.get(ID, ""),
    }
    actor = base.actor if base.actor is not None else part.actor
    hidden = tuple(channel for channel in base.not_observed if channel in part.not_observed)
    return replace(base, **arrays, provenance=provenance, actor=actor, not_observed=hidden)  # pyright: ignore[reportArgumentType]


def rows_of(take: Take, rows: NDArray[np.bool_]) -> Take:
    """Some rows of a take.

    Args:
        rows: (F,) bool.
    """
    picked = {
        item.name: getattr(take, item.name)[rows]
        for item in fields(Take)
        if isinstance(getattr(take, item.name), np.ndarray)
    }
    return replace(take, **picked)


def reference_frame(take: Take) -> int:
    """Index of the frame at which the head is where the character rests: the neutral frame, if the take knows it,
    else the solved one whose head rotation is nearest to the mean."""
    solved = np.flatnonzero(take.solved)
    neutral = take.provenance.get("neutral_index")
    if isinstance(neutral, int) and 0 <= neutral < take.frame_count:
        return int(solved[np.abs(solved - neutral).argmin()])
    rotations = np.asarray(take.head_rotation_wxyz[solved], np.float64)
    mean = np.linalg.eigh(rotations.T @ rotations)[1][:, -1]  # the sign of a quaternion does not matter to it
    return int(solved[np.abs(rotations @ mean).argmax()])


def reference_pose(take: Take) -> F64:
    """(7,) rotation wxyz and translation, m, of the head where the character rests, camera space."""
    known = take.provenance.get(REFERENCE)
    if isinstance(known, list | tuple) and len(known) == 7:
        return np.asarray(known, np.float64)
    row = reference_frame(take)
    return np.concatenate([take.head_rotation_wxyz[row], take.head_translation_m[row]]).astype(np.float64)


def solved_range(take: Take) -> tuple[float, float] | None:
    """First and last time, s, of the range that was last solved into a take; None for one that was solved whole."""
    known = take.provenance.get(RANGE)
    return (float(known[0]), float(known[1])) if isinstance(known, list | tuple) and len(known) == 2 else None


def solved_spans(take: Take) -> list[tuple[float, float]]:
    """First and last times, s, of the stretches that were last solved into a take; all of one that was solved whole."""
    known = take.provenance.get(SPANS)
    if isinstance(known, list | tuple):
        return [(float(first), float(last)) for first, last in known]
    one = solved_range(take)
    return [one or (float(take.time_s[0]), float(take.time_s[-1]))]


def _unite_times(one: F64, other: F64) -> F64:
    both = np.sort(np.concatenate([one, other]), kind="stable")
    return both[np.concatenate([[True], np.diff(both) > _SAME_TIME_S])]


def _places(all_s: F64, some_s: F64) -> NDArray[np.intp]:
    after = np.clip(np.searchsorted(all_s, some_s), 1, len(all_s) - 1) if len(all_s) > 1 else np.zeros(len(some_s), int)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(all_s[before] - some_s) <= np.abs(all_s[after] - some_s), before, after)


def _measure_fade(base: Take, part: Take, blend_s: float) -> F64:
    """(F of part,) in 0..1: how far each frame of the range counts, for the take's own at the range's ends."""
    first, last = float(part.time_s[0]), float(part.time_s[-1])
    length = min(blend_s, 0.25 * (last - first))
    share = np.ones(part.frame_count, np.float64)
    seen = base.time_s[base.solved]
    if length <= 0:
        return share
    step = float(np.median(np.diff(part.time_s)))  # the frame before the range counts as the first of the fade
    if (seen < first - _SAME_TIME_S).any():
        share = np.minimum(share, (part.time_s - first + step) / (length + step))
    if (seen > last + _SAME_TIME_S).any():
        share = np.minimum(share, (last - part.time_s + step) / (length + step))
    return smoothstep(share)


def _align_gaze(base: Take, part: Take, at_base: NDArray[np.intp], at_part: NDArray[np.intp]) -> Take:
    """The range with the take's straight ahead: each solve takes its own median for it."""
    _, of_base, of_part = np.intersect1d(at_base, at_part, assume_unique=True, return_indices=True)
    both = base.solved[of_base] & part.solved[of_part]
    if not both.any():
        return part
    shift = np.median(base.gaze_rad[of_base[both]] - part.gaze_rad[of_part[both]], axis=0)
    return replace(part, gaze_rad=(part.gaze_rad + shift).astype(np.float32))


def _join_arrays(
    name: str,
    before: NDArray[np.generic],
    after: NDArray[np.generic],
    at_base: NDArray[np.intp],
    at_part: NDArray[np.intp],
    taken: F64,
) -> NDArray[np.generic]:
    shape = (len(taken), *before.shape[1:])
    old, new = np.zeros(shape, before.dtype), np.zeros(shape, before.dtype)
    if name in ("landmarks_px", "residual_px"):
        old[:] = new[:] = np.nan
    if name == "status":
        old[:] = new[:] = STATUS_MISSING
    if name == "head_rotation_wxyz":
        old[:, 0] = new[:, 0] = 1.0
    # What neither has solved is at least known from the range, if only as missing.
    old[at_part] = after
    old[at_base] = before
    new[at_part] = after
    share = taken.reshape(-1, *([1] * (before.ndim - 1)))
    if name in _FADED:
        faded = (1 - share) * old.astype(np.float64) + share * new.astype(np.float64)
        return np.where(share == 0, old, np.where(share == 1, new, faded.astype(before.dtype)))
    if name == "head_rotation_wxyz":
        return _blend_quaternions(old, new, taken)
    return np.where(share > 0, new, old)


def _blend_quaternions(old: NDArray[np.generic], new: NDArray[np.generic], share: F64) -> NDArray[np.generic]:
    """Quaternions (F, 4) from `old` towards `new`; neighbours that are this close need no arc."""
    one, other = old.astype(np.float64), new.astype(np.float64)
    other = np.where((one * other).sum(1, keepdims=True) < 0, -other, other)
    between = (1 - share[:, None]) * one + share[:, None] * other
    between /= np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-12)
    between[share == 0] = one[share == 0]  # to the bit
    flips = np.where((between[1:] * between[:-1]).sum(1) < 0, -1.0, 1.0)
    return (between * np.concatenate([[1.0], np.cumprod(flips)])[:, None]).astype(old.dtype)
