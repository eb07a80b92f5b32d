"""What another program recorded, as a take: channels over time, and what there is to say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...geometry.quaternions import HEAD_FRONT_WXYZ
from ..take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

_SHOWN = 4
_OUTSIDE = 1e-4
"""Nearer to 0 or 1 a value is one that was rounded."""


@dataclass(frozen=True)
class Recording:
    """What a file holds.

    Attributes:
        path: the file.  kind: what it is, for people, as "Live Link Face CSV".
        channels: K names.  weights: (F, K).  time_s: (F,) s, ascending.
        has_face: (F,) bool; None: all frames have one.
        head_rotation_wxyz: (F, 4), head_translation_m: (F, 3), gaze_rad: (F, 2, 2), see `Take`; None: at rest.
        notes: what was left out or guessed, a sentence each.  facts: more for the take's provenance.
    """

    path: Path
    kind: str
    channels: tuple[str, ...]
    weights: NDArray[np.floating]
    time_s: F64
    has_face: NDArray[np.bool_] | None = None
    head_rotation_wxyz: NDArray[np.floating] | None = None
    head_translation_m: NDArray[np.floating] | None = None
    gaze_rad: NDArray[np.floating] | None = None
    notes: Sequence[str] = ()
    facts: dict[str, object] = field(default_factory=dict[str, object])


def make_take(recording: Recording) -> Take:
    """A recording as a take; values outside 0 to 1 are kept, and `provenance["notes"]` names them."""
    frames = len(recording.time_s)
    has_face = np.ones(frames, np.bool_) if recording.has_face is None else recording.has_face
    rotation = np.tile(HEAD_FRONT_WXYZ, (frames, 1))
    if recording.head_rotation_wxyz is not None:
        rotation = recording.head_rotation_wxyz
    shift = recording.head_translation_m
    gaze = recording.gaze_rad
    weights = np.where(has_face[:, None], recording.weights, 0.0).astype(np.float32)
    notes = [*recording.notes, *_name_outside(recording.channels, weights)]
    facts: dict[str, object] = {
        "source": recording.path.name,
        "kind": recording.kind,
        **recording.facts,
        "notes": [f"{recording.path.name}: {note}" for note in notes],
    }
    return Take(
        time_s=recording.time_s,
        channels=recording.channels,
        weights=weights,
        head_rotation_wxyz=rotation.astype(np.float32),
        head_translation_m=(np.zeros((frames, 3)) if shift is None else shift).astype(np.float32),
        gaze_rad=(np.zeros((frames, 2, 2)) if gaze is None else gaze).astype(np.float32),
        confidence=np.repeat(has_face[:, None], len(REGIONS), axis=1).astype(np.float32),
        regions=REGIONS,
        status=np.where(has_face, STATUS_SOLVED, STATUS_MISSING).astype(np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.full(frames, np.nan, np.float32),
        image_size=(0, 0),
        focal_px=0.0,
        provenance=facts,
    )


def notes_of(take: Take) -> list[str]:
    """What there was to say when a take was read, a sentence each."""
    notes = take.provenance.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _name_outside(channels: Sequence[str], weights: NDArray[np.float32]) -> list[str]:
    """A sentence on values outside 0 to 1, the farthest first; none where there are none."""
    low, high = weights.min(axis=0, initial=0.0), weights.max(axis=0, initial=0.0)
    farther = np.maximum(-low, high - 1.0)
    columns = [int(k) for k in np.argsort(-farther, kind="stable") if farther[k] > _OUTSIDE]
    if not columns:
        return []
    count = int(((weights < -_OUTSIDE) | (weights > 1.0 + _OUTSIDE)).sum())
    shown = [f"{channels[k]} {low[k] if -low[k] == farther[k] else high[k]:.2f}" for k in columns[:_SHOWN]]
    more = ", …" if len(columns) > _SHOWN else ""
    values = "1 value lies" if count == 1 else f"{count} values lie"
    return [f"{values} outside 0 to 1 and {'was' if count == 1 else 'were'} kept ({', '.join(shown)}{more})."]
