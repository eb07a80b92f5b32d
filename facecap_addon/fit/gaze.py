"""Where the eyes look, from the irises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from .energies.landmark_terms import LandmarkTerms
from .least_squares.normal_equations import State

EYEBALL_RADIUS_M = 0.012
MAX_GAZE_RAD = 0.9
# The angle outwards of eyeballs that are modelled behind the corners, rad: -4 to 5 degrees of the same people.
_OUTWARD_RAD = 0.1


def gaze_angles(rest: F64, terms: LandmarkTerms, state: State, observed: F64) -> NDArray[np.float32]:
    """Yaw and pitch of both eyes.

    The ray through the iris centre is met with a sphere of an eyeball's radius that sits behind the eye's corners; the
    direction from the sphere's centre to the meeting point is the gaze.

    Args:
        rest: (L, 3) float64 m, head space.  state: F frames.  observed: (F, L, 2) normalised.
    Returns:
        (F, 2, 2) float32 rad: (right eye, left eye) x (yaw to the character's left, pitch up); zero without irises.
    """
    angles = np.zeros((observed.shape[0], 2, 2))
    if not all(terms.irises):
        return angles.astype(np.float32)
    head_from_camera = state.rotation.transpose(0, 2, 1)
    for eye, (iris, corners) in enumerate(zip(terms.irises, terms.eye_corners, strict=True)):
        centre = rest[corners].mean(0) + np.array([0.0, EYEBALL_RADIUS_M * 0.85, 0.0])
        seen = observed[:, iris].mean(1)
        ray = np.concatenate([seen, np.ones((len(seen), 1))], axis=1)
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        ray = (head_from_camera @ ray[..., None])[..., 0]
        origin = -(head_from_camera @ state.translation[..., None])[..., 0]
        towards = centre - origin
        along = (towards * ray).sum(1)
        nearest = origin + along[:, None] * ray
        miss = ((nearest - centre) ** 2).sum(1)
        back = np.sqrt(np.maximum(EYEBALL_RADIUS_M**2 - miss, 0.0))
        direction = nearest - back[:, None] * ray - centre
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        angles[:, eye, 0] = np.arctan2(direction[:, 0], -direction[:, 1])
        angles[:, eye, 1] = np.arcsin(np.clip(direction[:, 2], -1, 1))
    return angles.astype(np.float32)


def straight_ahead(angles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaze (F, 2, 2) rad with the take's usual one as straight ahead: how eyeballs sit in this head is not known."""
    return np.clip(angles - gaze_at_rest(angles), -MAX_GAZE_RAD, MAX_GAZE_RAD).astype(np.float32)


def gaze_at_rest(angles: NDArray[np.floating]) -> F64:
    """(2, 2) rad, where eyes (F, 2, 2) mostly look, but for how far they are always crossed; see `gaze_angles`."""
    usual = np.median(angles, axis=0).astype(np.float64)
    outward = 0.5 * (usual[1, 0] - usual[0, 0])
    missing = np.clip(outward, -_OUTWARD_RAD, _OUTWARD_RAD) - outward
    return usual + missing * np.array([[-1.0, 0.0], [1.0, 0.0]])
