"""A mesh that follows tracked empties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np

from ....arrays import F32
from ....errors import FacecapError
from ....retarget.marker_warp import make_marker_warp
from ....takes.formats.point_cache import write_point_cache
from ..animation.point_cache import play_written
from ..footage import scene_rate
from .character import extract_rig, rest_axes


def follow_empties(
    scene: bpy.types.Scene, obj: bpy.types.Object, empties: Sequence[bpy.types.Object], path: Path
) -> list[str]:
    """Write a point cache of a mesh that follows empties over the scene's frames, and play it.

    Args:
        obj: the mesh; its own motion during these frames is left out of the empties'.  empties: four or more.
        path: .pc2 to write.
    Returns:
        what there is to say.
    Raises:
        FacecapError: too few empties, or all in one plane.
    """
    if len(empties) < 4:
        raise FacecapError(
            f"{len(empties)} empties are selected; four or more are needed.", "Select the empties, then the mesh."
        )
    rig = extract_rig(obj, bare=True)
    axes = rest_axes(obj)
    before = scene.frame_current
    frames = range(scene.frame_start, scene.frame_end + 1)
    track = np.empty((len(frames), len(empties), 3))
    try:
        for row, frame in enumerate(frames):
            scene.frame_set(frame)
            inverse = obj.matrix_world.inverted_safe()
            for column, empty in enumerate(empties):
                track[row, column] = inverse @ empty.matrix_world.translation
    finally:
        scene.frame_set(before)
    places = track @ axes.T
    warp, remarks = make_marker_warp(rig.neutral, rig.triangles, places[0])
    back = np.linalg.inv(axes).astype(np.float32).T

    def samples() -> Iterator[F32]:
        for frame in warp.play(places - places[0]):
            yield frame @ back

    rate = scene_rate(scene)
    count = write_point_cache(path, samples(), np.arange(len(frames)) / rate, rig.vertex_count, fps=rate)
    play_written(obj, path, scene.frame_start)
    return [f"{count} frames follow {len(empties)} empties", *remarks]
