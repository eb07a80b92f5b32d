"""Moments of footage that several shots of a training set hold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...errors import FacecapError
from .training_set import ShotFacts, TrainingSet

_SAME_S = 0.002
"""Frames of the same footage nearer to each other than this are one."""


def find_shared_frames(training_set: TrainingSet, shot: ShotFacts, others: Iterable[ShotFacts]) -> NDArray[np.bool_]:
    """(F,) which frames of a shot are, in the same footage at the same time, also in one of some other shots."""
    shared = np.zeros(shot.frames, bool)
    same = [one for one in others if one.name != shot.name and _show_same_footage(training_set, shot, one)]
    times = _read_times(training_set, shot) if same else np.zeros(0)
    for other in same:
        known = np.sort(_read_times(training_set, other))
        after = np.searchsorted(known, times)
        for near in (np.clip(after - 1, 0, len(known) - 1), np.clip(after, 0, len(known) - 1)):
            shared |= np.abs(known[near] - times) < _SAME_S
    return shared


def find_kept_frames(training_set: TrainingSet, shot: ShotFacts) -> NDArray[np.bool_]:
    """(F,) which frames of a shot for validation or test are in no shot that is learned from, or chooses for it."""
    splits = training_set.split_shots()
    others = splits.train + (splits.validation if shot in splits.test else ())
    return ~find_shared_frames(training_set, shot, others)


def check_kept_frames(training_set: TrainingSet) -> None:
    """Raises FacecapError where nothing is left to learn from, or to judge by what other shots do not hold."""
    splits = training_set.split_shots()
    if not splits.train:
        raise FacecapError(
            "All shots of the training set are kept for validation or test.", "Add one to learn from: --use train."
        )
    for use, shots in (("validation", splits.validation), ("test", splits.test)):
        if shots and not any(find_kept_frames(training_set, shot).any() for shot in shots):
            raise FacecapError(
                f"All that is kept for {use}, {shots[0].name}, is in other shots, too, which are learned from.",
                "Add other footage for it, or add those shots again with a --start and --end that leave it out.",
            )


def _read_times(training_set: TrainingSet, shot: ShotFacts) -> F64:
    """(F,) s of the frames in the footage; those of an image sequence as if there were 25 a second."""
    time_s = training_set.read_rows(shot).time_s
    return time_s if shot.fps is None else time_s * shot.fps / 25


def _show_same_footage(training_set: TrainingSet, one: ShotFacts, other: ShotFacts) -> bool:
    paths = [training_set.resolve_video(shot).resolve() for shot in (one, other)]
    return paths[0] == paths[1]
