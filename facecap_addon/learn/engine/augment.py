"""Training pictures varied as footage varies: moved, turned, zoomed, brighter, of other contrast (Laine et al. 4.1);
or mirrored.

No noise and no gamma: the paper found both to harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

_COVER = 2.0
"""Standard deviations of what heads do in the set, on top of what they do: more, and small networks learn slowly."""


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are varied, each evenly between minus and plus this much.

    Attributes:
        shift: parts of the picture's size.  turn_rad: rotation.  zoom: natural logarithm of the size.
        brightness: of white.  contrast: natural logarithm of the factor about the picture's mean.
        padding: whether what lies beyond the border is, now and then, one grey instead of the border repeated
            (FACEGOOD's random padding, section 3.3.2).
    """

    shift: float = 0.06
    turn_rad: float = 0.14
    zoom: float = 0.10
    brightness: float = 0.08
    contrast: float = 0.15
    padding: bool = False


def fit_augmentation(face: NDArray[np.floating]) -> Augmentation:
    """Limits that cover the motion of heads seen in a set, twice over (Laine et al. section 4.1).

    Args:
        face: (N, 3, 2), right eye, left eye and nose in parts of the crop, which is taken to be three by four.
    """
    seen = np.asarray(face, np.float64)[np.isfinite(face).all((1, 2))] * (3, 4)
    if len(seen) < 2:
        return Augmentation()
    across = seen[:, 1] - seen[:, 0]
    shift = _COVER * (seen.mean(1) / (3, 4)).std(0).max()
    turn = _COVER * np.arctan2(across[:, 1], across[:, 0]).std()
    zoom = _COVER * np.log(np.linalg.norm(across, axis=1)).std()
    return Augmentation(
        float(np.clip(shift, 0.01, 0.08)), float(np.clip(turn, 0.02, 0.25)), float(np.clip(zoom, 0.02, 0.15))
    )


def augment(pictures: Tensor, limits: Augmentation, strength: float, generator: torch.Generator) -> Tensor:
    """Pictures (B, C, H, W) in 0..1, each varied by chance; the border is repeated.

    Args:
        strength: 0 leaves pictures as they are, 1 goes to the limits.  generator: on the CPU.
    """
    return augment_with_transform(pictures, limits, strength, generator)[0]


def augment_cameras(
    pictures: Tensor, cameras: int, limits: Augmentation, strength: float, generator: torch.Generator
) -> Tensor:
    """As `augment`, of pictures (B, cameras × C, H, W): what one camera sees varies for itself, as real ones do."""
    return torch.cat([augment(part, limits, strength, generator) for part in pictures.chunk(cameras, 1)], 1)


def augment_with_transform(
    pictures: Tensor, limits: Augmentation, strength: float, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """As `augment`, with where things went: (B, 2, 3), see `moved`, or None where nothing moved."""
    if strength <= 0:
        return pictures, None
    count, _, height, width = pictures.shape
    chance = (torch.rand((count, 6), generator=generator) * 2 - 1) * strength
    turn, size = chance[:, 2] * limits.turn_rad, torch.exp(chance[:, 3] * limits.zoom)
    cosine, sine = torch.cos(turn) / size, torch.sin(turn) / size
    # The grid is measured in half sizes; turning a picture that is not square must not shear it.
    row_x = torch.stack([cosine, -sine * height / width, 2 * chance[:, 0] * limits.shift], 1)
    row_y = torch.stack([sine * width / height, cosine, 2 * chance[:, 1] * limits.shift], 1)
    matrix = torch.stack([row_x, row_y], 1).to(pictures)
    grid = functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    if limits.padding:
        plain = torch.rand((count, 2), generator=generator).to(pictures)
        outside = (grid.abs() > 1).any(-1)[:, None] & (plain[:, 0] < 0.5)[:, None, None, None]
        moved = torch.where(outside, plain[:, 1][:, None, None, None], moved)
    mean = moved.mean((1, 2, 3), keepdim=True)
    factor = torch.exp(chance[:, 4] * limits.contrast).to(pictures)[:, None, None, None]
    out = (moved - mean) * factor + mean + (chance[:, 5] * limits.brightness).to(pictures)[:, None, None, None]
    return out, matrix


def transform_points(points: Tensor, matrix: Tensor | None) -> Tensor:
    """Where points (B, P, 2), in parts of the picture, lie after `augment_with_transform`."""
    if matrix is None:
        return points
    at = points * 2 - 1 - matrix[:, None, :, 2]  # the matrix leads from the new picture to the old one
    return 0.5 + 0.5 * torch.linalg.solve(matrix[:, None, :, :2], at[..., None])[..., 0]


def flip_coins(count: int, generator: torch.Generator) -> Tensor:
    """(B,) bool: which pictures of a batch to mirror."""
    return torch.rand(count, generator=generator) < 0.5


def mirror_pictures(pictures: Tensor, which: Tensor) -> Tensor:
    """Pictures (B, …, W), those of `which` (B,) with left and right exchanged."""
    return torch.where(which.to(pictures.device).view(-1, *[1] * (pictures.dim() - 1)), pictures.flip(-1), pictures)
