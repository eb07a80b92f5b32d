"""The warp solved anew in each frame on landmarks where they have moved to, as Seo and Luo do it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32
from .options import WarpOptions
from .rbf import fit_rbf, measure_influence
from .warp import Warp


def warp_per_frame(warp: Warp, displacements: NDArray[np.floating], options: WarpOptions) -> Iterator[F32]:
    """(V, 3) float32 m per frame, rig space.

    Each frame's step of the landmarks is interpolated between where they were in the frame before, and moves the mesh
    as it was then; falloff and the sides of mouth and eyes are those of the neutral.

    Args:
        warp: prepared on the neutral.  displacements: (F, L, 3) m, rig axes, from rest.  options: of the warp.
    """
    skin = warp.skin
    moved = warp.rest[skin.rows].astype(np.float64)
    centres = skin.centres.copy()
    count = len(skin.used)
    before = np.zeros((count, 3))
    rigid = warp.frames(displacements[:1])[0]
    for displacement in np.asarray(displacements, np.float64):
        now = displacement[skin.used]
        interpolant = fit_rbf(centres, kernel=options.kernel, sigma=options.sigma_m, anchors=len(centres) - count)
        places = np.concatenate([moved, skin.across], axis=1)
        moved += (measure_influence(interpolant, places) * skin.fade[:, None]).astype(np.float64) @ (now - before)
        centres[:count, :3] += now - before
        before = now
        rigid = warp.frames(displacement[None])[0]
        rigid[skin.rows] = moved
        yield rigid
