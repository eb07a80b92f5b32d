"""Upper half of one face, lower half of another: brows and eyes move freely of mouth and jaw, so any two go together.

Footage shows only some of the pairs; a network that has seen those alone reads a brow off a mouth. Halves are joined
across the nose, the other picture brought over the first by its eyes, as in CutMix (Yun et al. 2019) but along a line
where faces divide, with the targets of each half exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, Rows
from ...images.resample import warp_affine
from ...rig.channels import arkit_name, region_of
from .frames import Frames

SHARE = 0.4
"""Share of the frames that are joined with others."""
_UPPER_REGIONS, _UPPER_KEYS = ("brows", "eyes"), ("cheekSquintLeft", "cheekSquintRight")
# The seam lies so far from eyes to the tip of the nose, and is so soft, in parts of the picture's height.
_SEAM, _SOFT = 0.45, 0.025


@dataclass(frozen=True)
class CutMix:
    """Which keys move which half.

    Attributes:
        upper: (K,) bool, those of brows and eyes; the others move the lower half.
    """

    upper: NDArray[np.bool_]

    def mix_halves(
        self, pictures: NDArray[np.uint8], weights: F32, face: F32, other: Rows
    ) -> tuple[NDArray[np.uint8], F32]:
        """Pictures and weights of faces whose lower halves are those of other frames.

        Args:
            pictures: (N, C, H, W).  weights: (N, K).  face: (N, 3, 2), right eye, left eye and nose in parts of the
                picture.  other: (N,) whose lower half each gets; its own where it stays as it is.
        """
        size = np.array(pictures.shape[:1:-1], np.float64)  # width, height
        places = face.astype(np.float64) * size - 0.5
        out, given = pictures.copy(), weights.copy()
        for i in np.flatnonzero((other != np.arange(len(other))) & np.isfinite(face).all((1, 2))):
            j = int(other[i])
            if np.isfinite(face[j]).all():
                out[i] = _mix_pictures(pictures[i], pictures[j], places[i], places[j])
                given[i] = np.where(self.upper, weights[i], weights[j])
        return out, given


def make_cutmix(channels: tuple[str, ...], frames: Frames) -> CutMix | None:
    """Halves of a character whose keys all have ARKit's names, seen by one camera; None of any other."""
    names = [arkit_name(channel) for channel in channels]
    one_camera = frames.pictures[0][0].shape[0] in (1, 3)
    if not one_camera or any(name is None for name in names):
        return None
    return CutMix(np.array([n in _UPPER_KEYS or region_of(n) in _UPPER_REGIONS for n in names if n is not None]))


def pair_indices(items: Rows) -> Rows:
    """(B,) whose lower half each of some items gets, itself for most; the same items give the same."""
    random = np.random.default_rng(items)
    alone = np.arange(len(items))
    return np.where(random.random(len(items)) < SHARE, random.permutation(len(items)), alone)


def _mix_pictures(
    upper: NDArray[np.uint8], lower: NDArray[np.uint8], here: NDArray, there: NDArray
) -> NDArray[np.uint8]:
    """(C, H, W): the lower picture moved, turned and scaled so that its eyes (there, px) lie where the upper's do."""
    height, width = upper.shape[1:]
    (a, b), (c, d) = (points[:2] @ (1, 1j) for points in (there, here))
    turn = (b - a) / (d - c) if min(abs(b - a), abs(d - c)) > 1 else 1.0 + 0j
    shift = a - turn * c
    there_from_here = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    seen = lower[0] if len(lower) == 1 else lower.transpose(1, 2, 0)
    brought = warp_affine(seen, there_from_here, (width, height))
    eyes = here[:2].mean(0)
    down = here[2] - eyes
    length = max(float(np.hypot(*down)), 1e-6)
    x, y = (np.arange(n, dtype=np.float32) for n in (width, height))
    below = (x - eyes[0])[None] * (down[0] / length) + (y - eyes[1])[:, None] * (down[1] / length) - _SEAM * length
    share = np.clip(below / (_SOFT * height) + 0.5, 0, 1).astype(np.float32)
    mixed = upper + share * (brought.reshape(height, width, -1).transpose(2, 0, 1).astype(np.float32) - upper)
    return np.round(mixed).astype(np.uint8)
