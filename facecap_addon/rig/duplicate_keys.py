"""Keys of a character that do the same under two names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .blendshapes import BlendshapeRig
from .channels import arkit_name, pair_side

_ALIKE = 0.1
"""Keys are twins whose displacements differ by less than this share of their own."""


def key_shares(rig: BlendshapeRig) -> NDArray[np.float64]:
    """(K,) float64: what part of its channel's weight each key bears; a half where two keys are spellings of one.

    Keys of one channel that move different parts (head and teeth) bear it whole, each.
    """
    shares = np.ones(len(rig.channels))
    groups: dict[tuple[str, str | None], list[int]] = {}
    for k, channel in enumerate(rig.channels):
        name = arkit_name(channel)
        if name is not None:
            groups.setdefault((name, pair_side(channel)), []).append(k)
    for keys in groups.values():
        for k in keys if len(keys) > 1 else ():
            size = float(np.linalg.norm(rig.deltas[k]))
            apart = [float(np.linalg.norm(rig.deltas[k] - rig.deltas[other])) for other in keys]
            shares[k] = 1.0 / sum(one <= _ALIKE * size for one in apart)
    return shares
