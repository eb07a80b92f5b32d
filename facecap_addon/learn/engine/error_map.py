"""Where on the face a solver errs: heads coloured by how far vertices are off, and a scale (Laine et al. figure 4d)."""

from __future__ import annotations

import numpy as np

from ...arrays import F32, F64, U8, Rows
from ...images.draw import draw_text
from ...rig.blendshapes import BlendshapeRig
from .mesh_preview import MeshPreview

_HEAD, _SCALE_PX, _TITLE_PX = (480, 360), 90, 40
_INK, _PAPER = (30, 30, 30), 245
_RAMP = np.array([[0.09, 0.15, 0.55], [0.07, 0.50, 0.55], [0.30, 0.70, 0.25], [0.95, 0.80, 0.15], [0.80, 0.10, 0.08]])
"""From nothing to the scale's end."""
_QUANTILE = 0.99


def draw_error_maps(rig: BlendshapeRig, moving: Rows, maps: dict[str, F64]) -> U8:
    """(H, W, 3): a head for each map, and the scale that all share.

    Args:
        rig: it looks along -y, z up.  moving: (M,) vertices that are measured; others are drawn as off by nothing.
        maps: by title, (M,) mm.
    """
    most = find_scale_mm(maps)
    parts: list[U8] = []
    for title, errors_mm in maps.items():
        colors = np.full((rig.vertex_count, 3), _RAMP[0], np.float32)
        colors[moving] = color_errors(errors_mm / most)
        head = MeshPreview(rig, moving, _HEAD, colors).draw(rig.neutral[moving].reshape(1, -1))[0]
        out = np.full((_HEAD[0] + _TITLE_PX, _HEAD[1], 3), _PAPER, np.uint8)
        out[_TITLE_PX:] = head
        draw_text(out, (12, 26), title, 16, _INK)
        parts.append(out)
    return np.concatenate([*parts, _draw_scale(most)], axis=1)


def find_scale_mm(maps: dict[str, F64]) -> float:
    """Where the colours end: the next half millimetre above nearly all errors."""
    high = max(float(np.quantile(errors, _QUANTILE)) for errors in maps.values())
    return max(0.5, float(np.ceil(2 * high)) / 2)


def color_errors(share: F64) -> F32:
    """(N, 3) colours of parts (N,) of the scale; what is beyond it has the colour of its end."""
    at = np.clip(share, 0, 1) * (len(_RAMP) - 1)
    return np.stack([np.interp(at, np.arange(len(_RAMP)), column) for column in _RAMP.T], 1).astype(np.float32)


def _draw_scale(most_mm: float) -> U8:
    height = _HEAD[0] + _TITLE_PX
    out = np.full((height, _SCALE_PX, 3), _PAPER, np.uint8)
    bar = color_errors(np.linspace(1, 0, _HEAD[0] - 40))
    out[_TITLE_PX + 20 : height - 20, 10:30] = (255 * bar[:, None]).round().astype(np.uint8)
    for share in (0.0, 0.5, 1.0):
        y = height - 20 - share * (_HEAD[0] - 40)
        draw_text(out, (36, y + 5), f"{share * most_mm:g} mm", 13, _INK)
    return out
