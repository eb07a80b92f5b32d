"""What an animator does to a sequence: stronger, longer, one after the other, and back to neutral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ..arrays import F32
from ..errors import FacecapError
from .sequence import LandmarkSequence

_SETTLE_S = 0.8


def settle(displacements: NDArray[np.floating], fps: float) -> F32:
    """Displacements (F, L, 3) that begin and end at neutral: what is left at the end is taken back over its last part.

    A minimum-jerk ramp takes it back, so there is neither a jump nor a kink.
    """
    out = np.asarray(displacements, np.float64) - displacements[0]
    count = min(len(out), max(2, round(_SETTLE_S * fps)))
    share = np.linspace(0.0, 1.0, count)
    ramp = share**3 * (10.0 + share * (6.0 * share - 15.0))
    out[-count:] -= ramp[:, None, None] * out[-1]
    return out.astype(np.float32)


def scale_intensity(sequence: LandmarkSequence, intensity: float) -> LandmarkSequence:
    """Every displacement times a factor, zero or more."""
    return replace(sequence, displacements=(sequence.displacements * np.float32(max(intensity, 0.0))))


def retime(sequence: LandmarkSequence, seconds: float) -> LandmarkSequence:
    """The same motion over another time; speeds change with it.

    Raises FacecapError if nothing would be left of it.
    """
    frames = round(seconds * sequence.fps) + 1
    if frames < 3:
        raise FacecapError(f"An expression of {seconds:g} s has no time to be shown.", "Give it a longer duration.")
    if frames == sequence.frame_count:
        return sequence
    before = np.linspace(0.0, 1.0, sequence.frame_count)
    curve = PchipInterpolator(before, np.asarray(sequence.displacements, np.float64), axis=0)
    return replace(sequence, displacements=curve(np.linspace(0.0, 1.0, frames)).astype(np.float32))


def concatenate(sequences: Sequence[LandmarkSequence], overlap_s: float) -> LandmarkSequence:
    """Sequences one after the other, each beginning while the one before still ends.

    Each begins and ends at neutral, so where two overlap their motions add up.

    Args:
        overlap_s: how long, s; at most half of the shorter neighbour.
    Raises:
        FacecapError: there is nothing to chain, or layouts or rates differ.
    """
    if not sequences:
        raise FacecapError("There is nothing to chain.", "Name one or more expressions.")
    first = sequences[0]
    if any(s.scheme != first.scheme or s.fps != first.fps for s in sequences):
        raise FacecapError(
            "The sequences have different layouts or rates.", "Generate them with one kind of generator."
        )
    starts = [0]
    for before, after in pairwise(sequences):
        shared = min(round(overlap_s * first.fps), before.frame_count // 2, after.frame_count // 2)
        starts.append(starts[-1] + before.frame_count - max(shared, 0))
    total = starts[-1] + sequences[-1].frame_count
    out = np.zeros((total, *first.rest.shape), np.float32)
    for start, sequence in zip(starts, sequences, strict=True):
        out[start : start + sequence.frame_count] += sequence.displacements
    facts = {"chain": ", ".join(s.name for s in sequences), **first.facts} if len(sequences) > 1 else first.facts
    return replace(first, displacements=out, name="-".join(dict.fromkeys(s.name for s in sequences)), facts=facts)
