"""The take that a scene shows, at hand for whatever draws it: read once, and again only when another is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...errors import FacecapError
from ..present import settings_of
from .footage import scene_rate, time_of_frame

if TYPE_CHECKING:
    from ...takes.take import Take

_KEPT = 4
_read: dict[Path, tuple[float, Take | None]] = {}
"""Takes by their file: when that was written, and what it holds; None if it is damaged."""


def shown_take(scene: bpy.types.Scene) -> Take | None:
    """The take that the scene has chosen; None without one, or where its file is gone or damaged."""
    from ...takes.npz import load_take
    from ..takes import take_file

    if not settings_of(scene).result.take:
        return None
    try:
        path = take_file(settings_of(scene).result)
        modified_s = path.stat().st_mtime
    except (OSError, FacecapError):
        return None
    known = _read.get(path)
    if known is None or known[0] != modified_s:
        try:
            take = load_take(path)
        except FacecapError:
            take = None
        if len(_read) >= _KEPT:
            _read.clear()
        known = _read[path] = modified_s, take
    return known[1]


def row_at(scene: bpy.types.Scene, take: Take, frame: float | None = None) -> int | None:
    """The row of a take that plays at a scene frame (None: at the present one); None where it does not play."""
    import numpy as np

    from ...takes.take import usual_step_s

    if not take.frame_count:
        return None
    frame = scene.frame_current_final if frame is None else frame
    rate = scene_rate(scene)
    time_s = time_of_frame(scene, frame)
    row = int(np.argmin(np.abs(take.time_s - time_s)))
    near = 0.5 * (usual_step_s(take.time_s) or 0.04) + 0.5 / rate
    return row if abs(float(take.time_s[row]) - time_s) <= near else None
