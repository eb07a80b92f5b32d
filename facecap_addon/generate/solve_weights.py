"""Landmark sequences onto a character: in its proportions, as weights of its shape keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from ..arrays import F64
from ..geometry.quaternions import FRONT, wxyz_of
from ..landmarks.layout import mediapipe_of
from ..retarget.region_scaling import measure_region_scales
from ..retarget.rigid_alignment import remove_head_motion, select_on_bone
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..takes.take import REGIONS, STATUS_SOLVED, Take
from .authored.idle import IdleMotion, add_idle_motion
from .sequence import LandmarkSequence

_RIDGE = 3e-4
_REPORT_EVERY = 8  # frames
"""Price of a key at full strength, against a landmark off by its own share of the face; keeps weights few."""
_STILL_M = 1e-4
_UNSEEN = ("eyeLook", "tongue")
_AWAY_M = 0.6


@dataclass(frozen=True)
class PlacedSequence:
    """A sequence in a character's proportions.

    Attributes:
        face: (F, L, 3) float64 m, head space: what the face does, without the head.
        rotation: (F, 3, 3), shift: (F, 3) float64 m: where the head goes, head space.
    """

    face: F64
    rotation: F64
    shift: F64


def place_on_character(sequence: LandmarkSequence, rest: NDArray[np.floating]) -> PlacedSequence:
    """A sequence scaled region by region to another face.

    Args:
        rest: (L, 3) float m, head space: the character's landmarks in the sequence's layout.
    """
    own = sequence.rest.astype(np.float64)
    face, rotation, shift = remove_head_motion(
        own, sequence.displacements.astype(np.float64), select_on_bone(sequence.scheme)
    )
    other = np.asarray(rest, np.float64)
    size = float(np.ptp(other, axis=0).max() / np.ptp(own, axis=0).max())
    return PlacedSequence(face * measure_region_scales(own, other, sequence.scheme), rotation, size * shift)


def solve_weights(
    face: F64,
    deltas: F64,
    ranges: NDArray[np.floating],
    present: NDArray[np.bool_],
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[F64, F64]:
    """Weights of shape keys that bring landmarks nearest to where they should be, inside each key's range.

    Args:
        face: (F, L, 3) float64 m.  deltas: (K, L, 3) float64 m.  ranges: (K, 2).  present: (L,) bool.
        on_progress: told frames done and in all; it may raise to cancel.
    Returns:
        (F, K) float64, and (F,) float64 m, root-mean-square distance that is left.
    """
    design = deltas[:, present].reshape(len(deltas), -1).T
    moves = np.linalg.norm(deltas[:, present], axis=2).max(axis=1, initial=0.0) > _STILL_M
    scale = float(np.sqrt((design**2).sum(axis=0).max(initial=1e-12)))
    ridge = np.sqrt(_RIDGE) * scale * np.eye(int(moves.sum()))
    system = np.concatenate([design[:, moves], ridge])
    low, high = np.asarray(ranges, np.float64)[moves].T
    high = np.maximum(high, low + 1e-6)
    out = np.zeros((len(face), len(deltas)))
    # The normal equations are small, the same for every frame, and exact enough: factor once.
    q, r = np.linalg.qr(system)
    for frame, wanted in enumerate(face[:, present].reshape(len(face), -1)):
        if on_progress is not None and frame % _REPORT_EVERY == 0:
            on_progress(frame, len(face))
        right = q.T @ np.concatenate([wanted, np.zeros(len(ridge))])
        out[frame, moves] = lsq_linear(r, right, (low, high), method="bvls").x
    left = face[:, present].reshape(len(face), -1) - out @ design.T
    return out, np.sqrt((left**2).mean(axis=1) * 3)


def make_take(
    sequence: LandmarkSequence,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    idle: IdleMotion | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Take:
    """A sequence as a take of a character with shape keys, ready to be baked.

    Args:
        idle: blinks, gaze and breathing to add; None: none.  on_progress: see `solve_weights`.
    """
    neutral, deltas = landmark_geometry(rig, embedding)
    twins = mediapipe_of(sequence.scheme)
    placed = place_on_character(sequence, neutral[twins])
    keys = deltas[:, twins].astype(np.float64)
    # Nobody says where these eyes look, or shows a tongue: lids that move must not be explained by gaze.
    unseen = tuple(channel for channel in rig.channels if (arkit_name(channel) or "").startswith(_UNSEEN))
    keys[[rig.channels.index(channel) for channel in unseen]] = 0.0
    weights, left = solve_weights(placed.face, keys, rig.ranges, np.asarray(embedding.valid)[twins], on_progress)
    count = sequence.frame_count
    quaternion = wxyz_of(Rotation.from_matrix(FRONT @ placed.rotation))
    translation = placed.shift @ FRONT.T + (0.0, 0.0, _AWAY_M)
    take = Take(
        time_s=sequence.time_s,
        channels=rig.channels,
        weights=weights.astype(np.float32),
        head_rotation_wxyz=quaternion.astype(np.float32),
        head_translation_m=translation.astype(np.float32),
        gaze_rad=np.zeros((count, 2, 2), np.float32),
        confidence=np.ones((count, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(count, STATUS_SOLVED, np.int8),
        landmarks_px=np.full((count, 0, 2), np.nan, np.float32),
        residual_px=np.full(count, np.nan, np.float32),
        image_size=(1280, 720),
        focal_px=1200.0,
        not_observed=unseen,
        provenance={
            "source": sequence.name,
            "generated": sequence.facts,
            "fps": sequence.fps,
            "neutral_index": 0,
            "residual_mm": round(float(1000 * np.sqrt((left**2).mean())), 3),
            "head_from_rig": np.asarray(embedding.head_from_rig, np.float64).ravel().tolist(),
        },
    )
    return take if idle is None else add_idle_motion(take, rig.ranges, idle)
