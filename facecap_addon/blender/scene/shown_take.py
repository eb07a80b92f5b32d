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


def row_at(scene: bpy.types.Scene, take: Take) -> int | None:
    """The row of a take that the scene's present frame shows; None before it starts and after it ends."""
    import numpy as np

    from ...takes.take import usual_step_s

    frame = scene.frame_current + scene.frame_subframe
    time_s = (frame - settings_of(scene).start_frame) / scene_rate(scene)
    near = 0.5 * (usual_step_s(take.time_s) or 0.04) + 0.5 / scene_rate(scene)
    if not take.frame_count or not take.time_s[0] - near <= time_s <= take.time_s[-1] + near:
        return None
    after = int(np.clip(np.searchsorted(take.time_s, time_s), 1, max(1, take.frame_count - 1)))
    rows = [row for row in (after - 1, after) if row < take.frame_count]
    return min(rows, key=lambda row: abs(float(take.time_s[row]) - time_s))


def frame_of(scene: bpy.types.Scene, take: Take, row: int) -> float:
    """The scene frame, fractional, at which a row of a take is keyed."""
    return settings_of(scene).start_frame + float(take.time_s[row]) * scene_rate(scene)


def forget() -> None:
    """Let go of the take that was read."""
    global _read
    _read = None
