"""Which of several faces is tracked: the largest and steadiest, and after a gap the one that was tracked before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..protocol import Face, Landmarker
from ..regions import Region

# Boxes of one face in neighbouring frames overlap at least this much.
_SAME_FACE_IOU = 0.3


def order_by_size_and_steadiness(
    faces: list[Face], following: Sequence[NDArray[np.uint8]], landmarker: Landmarker
) -> list[Face]:
    """Faces of a frame, the one to track first: by mean size over the frames that follow, absence counting as nothing.

    Args:
        faces: found in the frame.  following: the next pictures, (H, W, 3) uint8 each.
    """
    if len(faces) < 2:
        return faces
    latest, total = list(faces), [face.side_px for face in faces]
    for picture in following:
        found = landmarker.find_faces(picture)
        for i, face in enumerate(latest):
            best = max(found, key=lambda other: measure_overlap(face, other), default=None)
            if best is not None and measure_overlap(face, best) > _SAME_FACE_IOU:
                latest[i] = best
                total[i] += best.side_px
    return [faces[i] for i in sorted(range(len(faces)), key=lambda i: -total[i])]


def order_by_distance(faces: list[Face], last: Region) -> list[Face]:
    """Faces, the one nearest to where the tracked face was last seen first, if it is within one side of it."""
    near = [face for face in faces if _distance_in_sides(face, last) < 1.0]
    far = [face for face in faces if _distance_in_sides(face, last) >= 1.0]
    return sorted(near, key=lambda face: _distance_in_sides(face, last)) + far


def count_others(faces: list[Face], region: Region) -> int:
    """How many detected faces lie outside the tracked one's region."""
    return sum(_distance_in_sides(face, region) > 0.35 for face in faces)


def _distance_in_sides(face: Face, region: Region) -> float:
    left, top, right, bottom = face.box_px
    center = ((left + right) / 2 - region.center_px[0], (top + bottom) / 2 - region.center_px[1])
    return float(np.hypot(*center)) / region.side_px


def measure_overlap(a: Face, b: Face) -> float:
    """Intersection over union of two faces' boxes."""
    left, top = max(a.box_px[0], b.box_px[0]), max(a.box_px[1], b.box_px[1])
    right, bottom = min(a.box_px[2], b.box_px[2]), min(a.box_px[3], b.box_px[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(f.box_px[2] - f.box_px[0]) * (f.box_px[3] - f.box_px[1]) for f in (a, b)]
    return shared / max(areas[0] + areas[1] - shared, 1e-12)
