"""Named groups of landmarks per scheme. "Right" and "left" are the person's own sides.

The index lists of "mediapipe-478" are facts of MediaPipe's public face mesh (Apache-2.0, The MediaPipe Authors); those
of "ibug-68" are the 68-point mark-up of iBUG (Sagonas et al., "300 Faces in-the-Wild", 2013); those of "bu-83" the 83
points of BU-3DFE and BU-4DFE (Yin et al. 2006, 2008), whose order inside each part is read off their figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from .mesh_478 import MIRROR_478, TRIANGLES_468

Indices = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Landmark indices of the parts of a face.

    Lips run from the person's right mouth corner to her left one, corners included in both upper and lower list.
    Lids run from the eye's outer corner to its inner one, corners included in both. Brows run from outside to inside.
    Irises: centre first. Lists of the right and left side correspond entry by entry.

    Attributes:
        scheme: "mediapipe-478", "ibug-68" or "bu-83".  count: landmarks per face.
        mirror: (count,) int64, index of each landmark's twin on the other side; its own inverse.
        nose: bridge from top to tip, then around the nostrils from right to left.
        outline: the silhouette of the face; it slides over the skin when the head turns.
        jaw: the lower part of the outline from the right ear over the chin to the left ear.
        cheek_right, cheek_left: skin of the cheeks, empty where the scheme has none.
        iris_right, iris_left: empty where the scheme has none.
        keypoints: landmarks whose mean is the right eye, the left eye, the nose tip and the mouth.
    """

    scheme: str
    count: int
    mirror: NDArray[np.int64]
    lips_outer_upper: Indices
    lips_outer_lower: Indices
    lips_inner_upper: Indices
    lips_inner_lower: Indices
    upper_lid_right: Indices
    lower_lid_right: Indices
    upper_lid_left: Indices
    lower_lid_left: Indices
    brow_right: Indices
    brow_left: Indices
    nose: Indices
    outline: Indices
    jaw: Indices
    cheek_right: Indices
    cheek_left: Indices
    iris_right: Indices
    iris_left: Indices
    keypoints: tuple[Indices, Indices, Indices, Indices]


def _mirror_indices(indices: Indices) -> Indices:
    return tuple(int(MIRROR_478[i]) for i in indices)


_UPPER_LID_RIGHT = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_LOWER_LID_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_BROW_RIGHT = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
_CHEEK_RIGHT = (117, 118, 101, 36, 50, 123, 187, 205, 147, 207, 213, 192)
_OUTLINE_RIGHT = (109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148)
_JAW_RIGHT = _OUTLINE_RIGHT[6:]

MEDIAPIPE_478 = Layout(
    scheme="mediapipe-478",
    count=478,
    mirror=MIRROR_478,
    lips_outer_upper=(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    lips_outer_lower=(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    lips_inner_upper=(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    lips_inner_lower=(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    upper_lid_right=_UPPER_LID_RIGHT,
    lower_lid_right=_LOWER_LID_RIGHT,
    upper_lid_left=_mirror_indices(_UPPER_LID_RIGHT),
    lower_lid_left=_mirror_indices(_LOWER_LID_RIGHT),
    brow_right=_BROW_RIGHT,
    brow_left=_mirror_indices(_BROW_RIGHT),
    nose=(168, 6, 197, 195, 5, 4, 1, 64, 48, 98, 97, 2, 326, 327, 278, 294),
    outline=(10, *_OUTLINE_RIGHT, 152, *reversed(_mirror_indices(_OUTLINE_RIGHT))),
    jaw=(*_JAW_RIGHT, 152, *reversed(_mirror_indices(_JAW_RIGHT))),
    cheek_right=_CHEEK_RIGHT,
    cheek_left=_mirror_indices(_CHEEK_RIGHT),
    iris_right=(468, 469, 470, 471, 472),
    iris_left=_mirror_indices((468, 469, 470, 471, 472)),
    keypoints=((468,), (473,), (1,), (13, 14)),
)

_MIRROR_68 = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *(27, 28, 29, 30, 35, 34, 33, 32, 31),  # nose
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
    ],
    dtype=np.int64,
)

IBUG_68 = Layout(
    scheme="ibug-68",
    count=68,
    mirror=_MIRROR_68,
    lips_outer_upper=(48, 49, 50, 51, 52, 53, 54),
    lips_outer_lower=(48, 59, 58, 57, 56, 55, 54),
    lips_inner_upper=(60, 61, 62, 63, 64),
    lips_inner_lower=(60, 67, 66, 65, 64),
    upper_lid_right=(36, 37, 38, 39),
    lower_lid_right=(36, 41, 40, 39),
    upper_lid_left=(45, 44, 43, 42),
    lower_lid_left=(45, 46, 47, 42),
    brow_right=(17, 18, 19, 20, 21),
    brow_left=(26, 25, 24, 23, 22),
    nose=(27, 28, 29, 30, 31, 32, 33, 34, 35),
    outline=tuple(range(17)),
    jaw=tuple(range(17)),
    cheek_right=(),
    cheek_left=(),
    iris_right=(),
    iris_left=(),
    keypoints=((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (62, 66)),
)

# (68,) the mesh landmark nearest to each of the 68 points.
MEDIAPIPE_OF_IBUG: Indices = (
    *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),  # jaw
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
    *(78, 81, 13, 311, 308, 402, 14, 178),  # inner lips
)

# (83,) the mesh landmark nearest to each of the 83 points: right eye, left eye and right brow, left brow as closed
# loops, the nose's right and left flank from the bridge down, its wings and base from right to left, outer and inner
# lips as closed loops from the person's right corner over the upper lip, the outline from the right ear to the left.
MEDIAPIPE_OF_BU: Indices = (
    *(33, 160, 159, 157, 133, 154, 145, 163),  # right eye, from its outer corner
    *(362, 384, 386, 387, 263, 390, 374, 381),  # left eye, from its inner corner
    *(70, 63, 105, 66, 107, 55, 65, 52, 53, 46),  # right brow, from its outer end
    *(336, 296, 334, 293, 300, 276, 283, 282, 295, 285),  # left brow, from its inner end
    *(193, 236, 198, 417, 456, 420),  # flanks of the nose
    *(64, 98, 97, 326, 327, 294),  # wings and base of the nose
    *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),  # outer lips
    *(78, 81, 13, 311, 308, 402, 14, 178),  # inner lips
    *(127, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 356),  # outline
)


def _mirror_of(twins: Indices) -> NDArray[np.int64]:
    """Mirror indices of a mark-up from those of the mesh landmarks that it corresponds to."""
    place = {landmark: i for i, landmark in enumerate(twins)}
    return np.array([place[int(MIRROR_478[landmark])] for landmark in twins], np.int64)


BU_83 = Layout(
    scheme="bu-83",
    count=83,
    mirror=_mirror_of(MEDIAPIPE_OF_BU),
    lips_outer_upper=tuple(range(48, 55)),
    lips_outer_lower=(48, 59, 58, 57, 56, 55, 54),
    lips_inner_upper=(60, 61, 62, 63, 64),
    lips_inner_lower=(60, 67, 66, 65, 64),
    upper_lid_right=(0, 1, 2, 3, 4),
    lower_lid_right=(0, 7, 6, 5, 4),
    upper_lid_left=(12, 11, 10, 9, 8),
    lower_lid_left=(12, 13, 14, 15, 8),
    brow_right=tuple(range(16, 26)),
    brow_left=(30, 29, 28, 27, 26, 35, 34, 33, 32, 31),
    nose=tuple(range(36, 48)),
    outline=tuple(range(68, 83)),
    jaw=tuple(range(68, 83)),
    cheek_right=(),
    cheek_left=(),
    iris_right=(),
    iris_left=(),
    keypoints=(tuple(range(8)), tuple(range(8, 16)), (44, 45), (62, 66)),
)


def mediapipe_of(scheme: str) -> NDArray[np.int64]:
    """(L,) int64: the mesh landmark that each landmark of a scheme corresponds to. Raises FacecapError if unknown."""
    layout = layout_of(scheme)
    if layout.count == len(MIRROR_478):
        return np.arange(layout.count)
    return np.array({"ibug-68": MEDIAPIPE_OF_IBUG, "bu-83": MEDIAPIPE_OF_BU}[scheme], np.int64)


def layout_of(scheme: str) -> Layout:
    """The named groups of a scheme. Raises FacecapError for an unknown one."""
    for layout in (MEDIAPIPE_478, IBUG_68, BU_83):
        if layout.scheme == scheme:
            return layout
    raise FacecapError(f"The landmark layout {scheme} is not known.", "Choose another landmark network.")


__all__ = [
    "BU_83",
    "IBUG_68",
    "MEDIAPIPE_478",
    "MEDIAPIPE_OF_BU",
    "MEDIAPIPE_OF_IBUG",
    "MIRROR_478",
    "TRIANGLES_468",
    "Layout",
    "layout_of",
    "mediapipe_of",
]
