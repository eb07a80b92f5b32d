"""Pictures turned and moved so that eyes and nose stay in place (Laine et al. 2017, appendix B)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..images.resample import warp_affine


def fit_eye_alignment(face: NDArray[np.float32], to: NDArray[np.float32]) -> NDArray[np.float32]:
    """How pictures are turned and moved so that eyes and nose lie where they lie on average (appendix B).

    The eyes give the angle and the middle line; blinks move them up and down, so the nose gives the height.

    Args:
        face: (F, 3, 2) px: right eye, left eye, nose.  to: (3, 2) px, where they should be.
    Returns:
        (F, 2, 3) float32: the place in the given picture of a pixel of the stabilised one.
    """
    across = face[:, 1] - face[:, 0]
    wanted = to[1] - to[0]
    angle = np.arctan2(across[:, 1], across[:, 0]) - np.arctan2(wanted[1], wanted[0])
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    down = turn @ np.array([0.0, 1.0])
    middle = face[:, :2].mean(1)
    # The point beside the nose's height on the middle line: the eyes' place across, the nose's place along.
    height = ((face[:, 2] - middle) * down).sum(-1)
    place = middle + height[:, None] * down
    target = np.array([to[:2, 0].mean(), to[2, 1]])
    shift = place - (turn @ target)
    return np.concatenate([turn, shift[..., None]], -1).astype(np.float32)


def align_eyes(pictures: NDArray[np.uint8], matrices: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(B, C, H, W) uint8: pictures (B, C, H, W) under matrices (B, 2, 3) of `fit_eye_alignment`."""
    height, width = pictures.shape[2:]
    out = np.empty_like(pictures)
    for picture, matrix, turned in zip(pictures, matrices, out, strict=True):
        for plane, into in zip(picture, turned, strict=True):
            into[:] = warp_affine(plane, matrix, (width, height))
    return out
