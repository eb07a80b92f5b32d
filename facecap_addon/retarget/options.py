"""How landmarks pull, as plain data: settings and warps share it."""

from __future__ import annotations

from dataclasses import dataclass

KERNELS = ("gaussian", "gaussian-printed", "thin-plate", "multiquadric")


@dataclass(frozen=True)
class WarpOptions:
    """How landmarks pull.

    Attributes:
        kernel: see `kernel_values`.  sigma_m: its width, m; None: by the landmarks' spacing.
        reach: distance along the skin beyond which nothing moves, in distances of the outer eye corners.
        lip_lid_coordinates: whether the sides of mouth and eyes are kept apart.
    """

    kernel: str = "gaussian-printed"
    sigma_m: float | None = None
    reach: float = 1.0
    lip_lid_coordinates: bool = True
