"""The take that a scene shows, at hand for whatever draws it: read once, and again only when another is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...errors import FacecapError
from ..present import settings_of
from .footage import scene_rate

if TYPE_CHECKING:
    from ...takes.take import Take

_read: tuple[Path, float, Take] | None = None


def shown_take(scene: bpy.types.Scene) -> Take | None:
    """The take that the scene has chosen; None without one, or where its file is gone or damaged."""
    global _read
    from ...takes.npz import load_take

    stored = settings_of(scene).result.take
    if not stored:
        return None
    path = Path(bpy.path.abspath(stored))
    try:
        modified_s = path.stat().st_mtime
        if _read is None or _read[:2] != (path, modified_s):
            _read = path, modified_s, load_take(path)
    except (OSError, FacecapError):
        return None
    return _read[2]


def row_at(scene: bpy.types.Scene, take: Take, frame: float | None = None) -> int | None:
    """The row of a take that plays at a scene frame (None: at the present one); None where it does not play."""
    import numpy as np

    from ...takes.take import usual_step_s

    if not take.frame_count:
        return None
    frame = scene.frame_current_final if frame is None else frame
    rate = scene_rate(scene)
    time_s = (frame - settings_of(scene).start_frame) / rate
    row = int(np.argmin(np.abs(take.time_s - time_s)))
    near = 0.5 * (usual_step_s(take.time_s) or 0.04) + 0.5 / rate
    return row if abs(float(take.time_s[row]) - time_s) <= near else None
