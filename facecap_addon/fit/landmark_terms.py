"""Which landmarks the fit trusts, and the lip and lid gaps it measures, per landmark scheme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError

# Millimetres of error that one landmark of a dense scheme is expected to make, network and mesh together. Neighbouring
# landmarks err together: 478 of them carry about as much as 40 independent ones, so each counts for a twelfth.
_DENSE_CORRELATION = 12.0


@dataclass(frozen=True)
class LandmarkTerms:
    """Weights of landmarks and gaps.

    Attributes:
        weight: (L,) float64, 1/mm^2.
        gap_upper, gap_lower: (G,) int, landmark indices: upper and lower lid, upper and lower inner lip.
        gap_weight: (G,) float64, 1/mm^2.
        rigid: (L,) bool, landmarks that expression moves least: the pose starts from these.
        iris: ((right centre, ...), (left centre, ...)) landmark indices of the irises, or None.
        regions: landmark indices of every region in takes.take.REGIONS.
    """

    weight: NDArray[np.float64]
    gap_upper: NDArray[np.intp]
    gap_lower: NDArray[np.intp]
    gap_weight: NDArray[np.float64]
    rigid: NDArray[np.bool_]
    iris: tuple[tuple[int, ...], tuple[int, ...]] | None
    regions: dict[str, list[int]]


_LIPS_478 = ((191, 95), (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318), (415, 324))
_LIDS_478 = (
    *((161, 163), (160, 144), (159, 145), (158, 153), (157, 154)),
    *((388, 390), (387, 373), (386, 374), (385, 380), (384, 381)),
)
_RIGID_478 = (
    *(6, 168, 197, 195, 5, 4, 1, 33, 133, 263, 362, 9, 8, 10, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 162, 389),
    *(127, 356, 234, 454, 98, 327, 2, 48, 278, 122, 351, 193, 417),
)
_LIPS_478_ALL = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375),
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324),
)
_LIDS_478_ALL = (
    *(246, 161, 160, 159, 158, 157, 173, 33, 7, 163, 144, 145, 153, 154, 155, 133),
    *(466, 388, 387, 386, 385, 384, 398, 263, 249, 390, 373, 374, 380, 381, 382, 362),
)
_BROWS_478 = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
# The face oval slides along the silhouette when the head turns: it is no fixed point of the skin.
_OVAL_478 = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149),
    *(150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_NOSE_478 = (1, 2, 4, 5, 6, 195, 197, 98, 327, 48, 278, 64, 294, 129, 358, 168)
_CHEEKS_478 = (50, 101, 36, 205, 187, 123, 117, 118, 280, 330, 266, 425, 411, 352, 346, 347)
_JAW_478 = (152, 148, 176, 149, 150, 377, 400, 378, 379, 199, 200, 175, 18)


def terms_for(scheme: str) -> LandmarkTerms:
    """Weights and gaps of a landmark scheme. Raises FacecapError for a scheme the fit does not know."""
    if scheme == "mediapipe-478":
        return _mediapipe()
    if scheme == "ibug-68":
        return _ibug()
    raise FacecapError(f"The landmark layout {scheme} is not known to the fit.", "Choose another landmark network.")


def _mediapipe() -> LandmarkTerms:
    sigma = np.full(478, 2.0)
    sigma[list(_LIPS_478_ALL)] = 1.3
    sigma[list(_LIDS_478_ALL)] = 1.0
    sigma[list(_BROWS_478)] = 1.5
    sigma[list(_OVAL_478)] = 4.0
    sigma[468:] = 1.0
    rigid = np.zeros(478, bool)
    rigid[list(_RIGID_478)] = True
    upper, lower = np.array(_LIPS_478 + _LIDS_478, dtype=np.intp).T
    gap_sigma = np.array([0.9] * len(_LIPS_478) + [0.7] * len(_LIDS_478))
    return LandmarkTerms(
        1 / (sigma**2 * _DENSE_CORRELATION),
        upper,
        lower,
        1 / (gap_sigma**2 * 4.0),
        rigid,
        ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477)),
        {
            "brows": list(_BROWS_478),
            "eyes": list(_LIDS_478_ALL),
            "nose": list(_NOSE_478),
            "cheeks": list(_CHEEKS_478),
            "mouth": list(_LIPS_478_ALL),
            "jaw": list(_JAW_478),
        },
    )


def _ibug() -> LandmarkTerms:
    sigma = np.full(68, 2.0)
    sigma[:17] = 4.0
    sigma[36:] = 1.5
    rigid = np.zeros(68, bool)
    rigid[[27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45]] = True
    pairs = ((61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46))
    upper, lower = np.array(pairs, dtype=np.intp).T
    regions = {
        "brows": list(range(17, 27)),
        "eyes": list(range(36, 48)),
        "nose": list(range(27, 36)),
        "cheeks": [1, 2, 14, 15],
        "mouth": list(range(48, 68)),
        "jaw": list(range(4, 13)),
    }
    return LandmarkTerms(1 / (sigma**2 * 2.0), upper, lower, np.full(len(pairs), 0.5), rigid, None, regions)
