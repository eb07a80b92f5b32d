"""A take as a sequence of landmarks."""

from __future__ import annotations

import numpy as np

from ..errors import FacecapError
from ..geometry.quaternions import FRONT, rotation_of
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import match_channels
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..rig.jaw_bone import jaw_of_landmarks, skin_jaw
from ..takes.between import find_between_rows, frame_rate, space_evenly
from ..takes.take import Take
from .sequence import LandmarkSequence


def make_take_sequence(take: Take, rig: BlendshapeRig, embedding: LandmarkEmbedding) -> LandmarkSequence:
    """What a take does to the landmarks of the character that it was solved on, from the take's first frame on: what
    its keys do, and its jaw bone where it has one.

    The head turns as it does before a camera that it faces, and moves about the middle of where it was seen.

    Raises FacecapError if the take moves none of the character's keys, or shows no face.
    """
    (columns, rows), _ = match_channels(rig.channels, take.channels)
    if not len(columns) or not take.solved.any():
        raise FacecapError(
            "The take moves none of this character's keys.", "Name the character that it was solved on with --source."
        )
    neutral, deltas = (part.astype(np.float64) for part in landmark_geometry(rig, embedding))
    fps = frame_rate(take)
    at = find_between_rows(take.time_s, take.solved, space_evenly(take.time_s, fps))
    face = neutral + np.tensordot(at.interpolate(take.weights[:, rows]), deltas[columns], axes=1)
    joint = jaw_of_landmarks(rig, embedding)
    if joint is not None:
        face = skin_jaw(face.astype(np.float32), joint, at.interpolate(take.jaw)).astype(np.float64)
    turned = rotation_of(at.interpolate_quaternions(take.head_rotation_wxyz)).as_matrix()
    seen = at.interpolate(take.head_translation_m)
    shift = (seen - np.median(seen, axis=0)) @ FRONT  # head space: where the camera's axes lie in a head that faces it
    moved = np.einsum("fij,flj->fli", FRONT.T @ turned, face) + shift[:, None]
    return LandmarkSequence(
        embedding.scheme,
        neutral.astype(np.float32),
        (moved - neutral).astype(np.float32),
        fps,
        str(take.provenance.get("source", "")),
    )
