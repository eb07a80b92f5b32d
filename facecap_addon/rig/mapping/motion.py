"""How each control of a rig moves a face, read at its landmarks, so that faces of any mesh can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ...arrays import F32, F64, Bools
from ...landmarks.layout import layout_of
from ..blendshapes import BlendshapeRig
from ..embedding import LandmarkEmbedding, landmark_geometry

_RADIUS_M = 0.003
"""Standard deviation of the smoothing over the skin, in a life-size head. Sculptors put a lid's or a lip's edge a
little off from where the landmarks lie; read at single points, the same key of two heads looks different."""
_REACH = 3.0
_MOUTH_DEPTH_M = 0.07
_TONGUE_WEIGHT = 40.0
"""What comes out of the mouth counts as much as this many landmarks: none of them lies on a tongue."""
_TONGUE_SHARE = 0.05


@dataclass(frozen=True)
class Motion:
    """What controls do to a face.

    Attributes:
        scheme: layout of the landmarks.
        rest: (L, 3) float32, head space, in life sizes (metres of a head with outer eye corners 90 mm apart).
        fields: (K, L + 1, 3) float32, life sizes: displacement of the neighbourhood of each landmark at a control's
            full value; the last row is how far the tongue comes out of the mouth.
        valid: (L + 1,) bool.
    """

    scheme: str
    rest: F32
    fields: F32
    valid: Bools


def measure_motion(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> Motion:
    """Read how a rig's keys move its face.

    Args:
        rig: its deltas are displacements by keys, or by any other control's full value.  embedding: its landmarks.
    """
    size = embedding.rig_scale
    rest, at_points = landmark_geometry(rig, embedding)
    turn, shift = embedding.head_from_rig[:3, :3], embedding.head_from_rig[:3, 3]
    places = (rig.neutral @ turn.T + shift) / size
    around = _weigh_neighbours(places, rig.triangles, rest / size)
    lonely = np.asarray(around.sum(axis=1)).ravel() == 0.0
    tongue = _find_inside_mouth(places, rest / size, embedding.scheme)
    fields = np.zeros((len(rig.channels), len(rest) + 1, 3), np.float32)
    for k, delta in enumerate(rig.deltas):
        moved = (around @ delta.astype(np.float64)) @ turn.T
        moved[lonely] = at_points[k][lonely]
        fields[k, :-1] = moved / size
        fields[k, -1, 1] = -(_TONGUE_WEIGHT**0.5) * _measure_protrusion(
            delta @ turn.T[:, 1] / size, tongue, moved / size
        )
    valid = np.append(embedding.valid, True)
    return Motion(embedding.scheme, (rest / size).astype(np.float32), fields, valid)


def _weigh_neighbours(places: F64, triangles: np.ndarray, rest: F64) -> csr_array:
    """(L, V) sparse: a Gaussian of the skin around each landmark, by area; an empty row where no vertex is near."""
    corners = places[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = np.bincount(triangles.ravel(), np.repeat(area, 3), minlength=len(places))
    near = cKDTree(places).query_ball_point(rest, _REACH * _RADIUS_M)
    rows = np.repeat(np.arange(len(rest)), [len(one) for one in near])
    columns = np.concatenate([np.asarray(one, np.intp) for one in near])
    squared = ((places[columns] - rest[rows]) ** 2).sum(axis=1)
    weight = share[columns] * np.exp(-0.5 * squared / _RADIUS_M**2)
    total = np.bincount(rows, weight, minlength=len(rest))
    weight = np.divide(weight, total[rows], out=np.zeros_like(weight), where=total[rows] > 0)
    return csr_array((weight, (rows, columns)), shape=(len(rest), len(places)))


def _find_inside_mouth(places: F64, rest: F64, scheme: str) -> np.ndarray:
    """Vertices that lie behind the lips, within the mouth's width."""
    layout = layout_of(scheme)
    lips = rest[[*layout.lips_outer_upper, *layout.lips_outer_lower]]
    inner = rest[[*layout.lips_inner_upper, *layout.lips_inner_lower]]
    low, high = lips.min(axis=0), lips.max(axis=0)
    back = float(np.median(inner[:, 1]))
    low[1], high[1] = back, back + _MOUTH_DEPTH_M
    return np.flatnonzero(((places > low) & (places < high)).all(axis=1))


def _measure_protrusion(backward: np.ndarray, inside: np.ndarray, at_landmarks: F64) -> float:
    """How much further forward the foremost of what is inside the mouth comes than any of the face, life sizes."""
    if not len(inside):
        return 0.0
    count = max(1, int(_TONGUE_SHARE * len(inside)))
    foremost = -np.partition(backward[inside], count - 1)[:count].mean()
    return max(0.0, float(foremost + at_landmarks[:, 1].min()))
