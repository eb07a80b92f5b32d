"""What a generator can learn from: sequences that begin in neutral and are no longer than its window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import FacecapError
from ...retarget.rigid_alignment import remove_head_motion, select_on_bone
from ..sequence import FRAMES, LandmarkSequence

_NEUTRAL, _NEUTRAL_MM = 0.3, (0.5, 1.2)
"""A face is neutral while landmarks are nearer to it, on average, than this share of the furthest they go; mm."""
_SHOWN = 1.5


def cut_to_window(sequence: LandmarkSequence, label: str, frames: int = FRAMES) -> tuple[LandmarkSequence, list[str]]:
    """A sequence from its first neutral frame on, and no longer than the window; and what there is to say of it.

    Networks are told how landmarks move from neutral. A sequence that begins elsewhere would teach them its first face
    as the neutral one.

    Args:
        label: what to call it.
    Raises:
        FacecapError: it is never neutral, or shows nothing after it was.
    """
    face = remove_head_motion(
        sequence.rest.astype(np.float64), sequence.displacements.astype(np.float64), select_on_bone(sequence.scheme)
    )[0]
    apart = 1000 * np.linalg.norm(face, axis=2).mean(axis=1)
    border = float(np.clip(_NEUTRAL * apart.max(), *_NEUTRAL_MM))
    neutral = apart < border
    rate, notes = sequence.fps, list[str]()
    if not neutral.any():
        raise FacecapError(
            f"{label} is never neutral: its landmarks are {apart.min():.1f} mm from it at best, on average.",
            "Leave it out, or record one that begins in neutral.",
        )
    first = int(neutral.argmax())
    if first:
        notes.append(f"{label} does not begin in neutral: its first {first / rate:.1f} s are left out.")
    last = min(len(apart), first + frames)
    if apart[first:last].max() < _SHOWN * border:
        raise FacecapError(
            f"{label} shows nothing in the {(last - first) / rate:.1f} s from where it is neutral on.",
            "Leave it out, or record one from neutral to neutral.",
        )
    if last < len(apart):
        where = "in neutral" if neutral[last - 1] else f"{apart[last - 1]:.1f} mm from neutral"
        notes.append(f"{label} is longer than {frames / rate:.1f} s: what follows is left out; it ends {where}.")
    return replace(sequence, displacements=sequence.displacements[first:last]), notes
