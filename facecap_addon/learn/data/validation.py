"""What is wrong, or odd, about a training set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...takes.take import usual_step_s
from .frames import check_cameras
from .overlaps import find_shared_frames
from .training_set import ShotRows, TrainingSet

_FEW = 300
_LAGS_S, _LAG_STEP_S = 0.35, 1 / 60


def check_set(training_set: TrainingSet) -> list[str]:
    """Sentences for people; none if all is well."""
    notes: list[str] = []
    total = sum(shot.frames for shot in training_set.shots)
    if not training_set.shots:
        return ["The set has no shots yet."]
    if total < _FEW:
        lacking_s = (_FEW - total) * _measure_first_step_s(training_set)
        notes.append(f"Too little footage ({total} frames): add at least {max(1, round(lacking_s))} seconds.")
    notes += _check_splits(training_set)
    try:
        check_cameras(training_set)
    except FacecapError as error:
        notes.append(f"{error.what} {error.way_out}")
    for number, shot in enumerate(training_set.shots):
        rows = training_set.read_rows(shot)
        try:
            training_set.open_shot_footage(shot)
        except FacecapError as error:
            notes.append(f"{shot.name}: {error.what} Put the footage back where it was, or add the shot again.")
        unseen = int((~np.isfinite(rows.box).all(1)).sum())
        if unseen:
            notes.append(f"{shot.name}: no face is seen in {unseen} of {shot.frames} frames; they are not used.")
        for other in training_set.shots[:number]:
            again = int(find_shared_frames(training_set, shot, (other,)).sum())
            if again:
                notes.append(f"{shot.name}: {again} frames are also in {other.name}.")
        still = _count_longest_still(rows.weights)
        if not shot.has_vertices and still > 2.0 / max(_measure_step_s(rows), 1e-6):
            notes.append(f"{shot.name}: the target does not change for {still} frames.")
        lag = measure_target_lag_s(training_set, rows)
        if lag is not None and abs(lag) > 1.5 * _measure_step_s(rows):
            late = "late" if lag > 0 else "early"
            remedy = f"add it again with --offset {-lag:+.2f}."
            notes.append(f"{shot.name}: lips in the target come about {abs(lag):.2f} s {late}; {remedy}")
    return notes


def _check_splits(training_set: TrainingSet) -> list[str]:
    """What cannot be judged, or is judged too kindly."""
    splits, notes = training_set.split_shots(), list[str]()
    for drawn, kind in ((False, "recorded"), (True, "rendered")):
        train, validation, test = ([s for s in part if s.is_drawn == drawn] for part in vars(splits).values())
        if train and not validation and not test:
            notes.append(
                f"There is only one {kind} shot to learn from, so none can be kept back to judge by: add another one."
            )
        elif validation and not test:
            notes.append(
                f"There are too few {kind} shots to keep some for a test: figures are those of the shots that choose "
                "the checkpoint, and too kind. Add more, or one with --use test."
            )
        if any(s.poses is None for s in (*validation, *test)) and drawn and train:
            notes.append(
                "Rendered shots of an older version make the same faces in training and validation: render them again."
            )
    return notes


def measure_target_lag_s(training_set: TrainingSet, rows: ShotRows) -> float | None:
    """How much later the target opens its jaw than the footage shows; None where this cannot be told.

    The height of the landmarks' box over the eyes' distance grows as the jaw opens.
    """
    from ...rig.channels import arkit_name

    jaw = [k for k, c in enumerate(training_set.rig.channels) if arkit_name(c) == "jawOpen"]
    if not jaw or len(rows.rows) < 60:
        return None
    across = np.linalg.norm(rows.face[:, 0] - rows.face[:, 1], axis=1)
    shown = (rows.box[:, 3] - rows.face[:, 2, 1]) / np.maximum(across, 1e-6)
    opened = rows.weights[:, jaw[0]].astype(np.float64)
    good = np.isfinite(shown)
    if good.sum() < 60 or opened.std() < 0.03:
        return None
    time_s, shown = rows.time_s[good], shown[good]
    lags = np.arange(-_LAGS_S, _LAGS_S + 1e-9, _LAG_STEP_S)
    found = np.array([_correlate(shown, np.interp(time_s + lag, rows.time_s, opened)) for lag in lags])
    best = int(np.argmax(found))
    at_zero = found[int(np.argmin(np.abs(lags)))]
    return float(lags[best]) if found[best] > 0.6 and found[best] > at_zero + 0.05 else None


def _correlate(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-12))


def _measure_step_s(rows: ShotRows) -> float:
    return usual_step_s(rows.time_s) or 1 / 30


def _measure_first_step_s(training_set: TrainingSet) -> float:
    """Seconds from one frame to the next in the set's first shot; a 30th where it does not say."""
    return usual_step_s(training_set.read_rows(training_set.shots[0]).time_s) or 1 / 30


def _count_longest_still(weights: NDArray[np.float32]) -> int:
    """Frames of the longest stretch without any change, zero included."""
    if len(weights) < 2:
        return 0
    same = np.concatenate([[False], np.abs(np.diff(weights, axis=0)).max(1) < 1e-6, [False]])
    edges = np.flatnonzero(np.diff(same.astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
