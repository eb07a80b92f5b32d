"""Does the head show what the footage shows? A few frames looked at twice, and those that differ most, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import centered_camera
from ..images.encode import encode_jpeg
from ..landmarks.face_measures import (
    PARTS,
    MeasureAgreement,
    align_faces,
    compare_faces,
    measure_difference,
    measure_faces,
    points_of,
)
from ..landmarks.observations import Observations
from ..landmarks.protocol import Landmarker
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import Take
from .observe_head import observe_head, picture_head
from .thumbnails import THUMBNAIL_PX, choose_thumbnail_rows, cut_face

SCHEME = "mediapipe-478"
ROWS, WORST = 40, 6
_FEWEST_ROWS = 8
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class FacePair:
    """The face of one frame above the head's.

    Attributes:
        jpeg: the encoded picture, twice as high as wide.
        time_s, frame: of the footage.
    """

    jpeg: bytes
    time_s: float
    frame: int


@dataclass(frozen=True)
class HeadCheck:
    """What was found.

    Attributes:
        agreement: of the measures of the face over the frames looked at.
        worst: frames that differ most, in order of time.
    """

    agreement: MeasureAgreement
    worst: tuple[FacePair, ...]

    @property
    def shares(self) -> dict[str, float]:
        """How much of the motion of lips, lids and brows the head shows, 1 is all; without what hardly moves."""
        gains = {part: self.agreement.part_gain(part) for part in PARTS}
        return {part: round(gain, 3) for part, gain in gains.items() if np.isfinite(gain)}

    @property
    def sentence(self) -> str:
        """The same in words."""
        shown = [f"{100 * share:.0f} % of the motion of the {part}" for part, share in self.shares.items()]
        if not shown:
            return "The face hardly moves in the frames that were compared."
        return f"The head shows {_join(shown)}."


def check_head(
    take: Take,
    rig: BlendshapeRig,
    head_from_rig: NDArray[np.floating],
    observations: Observations,
    landmarker: Landmarker,
    face_of: Callable[[int], NDArray[np.uint8]],
    on_row: Callable[[int, int], None] | None = None,
) -> HeadCheck | None:
    """Look at forty frames of the head as the footage was looked at, and compare.

    Args:
        take: F rows.  rig: what it moves.  head_from_rig: (4, 4), metres, from rig space to head space.
        observations: F rows, of the footage.  landmarker: the network that made them.
        face_of: the face of a row cut out of the footage, `THUMBNAIL_PX` square, uint8 RGB.
        on_row: called with (rows looked at, rows in all); it may raise to stop.
    Returns:
        None where too few frames show a face, or the landmarks are not of a kind that these measures are known for.
    """
    if observations.scheme != SCHEME:
        return None
    solved = np.flatnonzero(take.solved & (observations.presence > 0))
    if len(solved) < _FEWEST_ROWS:
        return None
    rows = [int(solved[k]) for k in choose_thumbnail_rows(len(solved), ROWS)]
    camera = centered_camera(*observations.image_size, take.focal_px)
    seen = observe_head(take, rig, head_from_rig, camera, landmarker, rows, on_row)
    footage, head = (measure_faces(align_faces(points_of(of))) for of in (observations.part(rows), seen))
    difference = np.nan_to_num(measure_difference(footage, head), nan=0.0)
    picture = picture_head(take, rig, head_from_rig, camera)
    worst: list[FacePair] = []
    for k in sorted(np.argsort(-difference)[:WORST].tolist()):
        row = rows[k]
        landmarks_px = seen.landmarks_px[k] if seen.presence[k] > 0 else None
        both = np.concatenate([face_of(row), cut_face(picture.at(row), landmarks_px, THUMBNAIL_PX)])
        jpeg = encode_jpeg(np.ascontiguousarray(both), _JPEG_QUALITY)
        worst.append(FacePair(jpeg, float(take.time_s[row]), int(observations.frame_index[row])))
    return HeadCheck(compare_faces(footage, head), tuple(worst))


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
