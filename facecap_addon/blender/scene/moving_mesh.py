"""The vertices of an Alembic or USD file, as Blender plays them, in a point cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from ...arrays import F32
from ...errors import FacecapError
from ...takes.formats.point_cache import write_point_cache
from ..present import scene_in
from .footage import scene_rate
from .head.character import metres_per_unit
from .objects import mesh_of


def write_mesh_points(path: Path, out: Path, vertices: int) -> int:
    """Import an Alembic or USD file into the present scene and write its mesh of so many vertices to an MDD file.

    Args:
        out: .mdd; metres and the scene's axes about the object's origin, as rigs have them.
    Returns:
        frames written, one per frame of the file.
    Raises:
        FacecapError: Blender cannot read it, or it holds no such mesh.
    """
    before = set(bpy.data.objects)
    try:
        if path.suffix.lower() == ".abc":
            bpy.ops.wm.alembic_import(filepath=str(path), set_frame_range=True, as_background_job=False)
        else:
            bpy.ops.wm.usd_import(filepath=str(path), set_frame_range=True)
    except RuntimeError as error:
        raise FacecapError(f"Blender cannot read {path.name} ({str(error).strip()}).", "Export it again.") from error
    meshes = [obj for obj in bpy.data.objects if obj not in before and obj.type == "MESH"]
    fitting = [obj for obj in meshes if len(mesh_of(obj).vertices) == vertices]
    if not fitting:
        counts = ", ".join(f"{obj.name} ({len(mesh_of(obj).vertices)})" for obj in meshes[:6]) or "none"
        raise FacecapError(
            f"{path.name} holds no mesh of {vertices} vertices; its meshes: {counts}.",
            "Export the character that it is for, unchanged.",
        )
    scene, obj = scene_in(bpy.context), fitting[0]
    frames = range(scene.frame_start, scene.frame_end + 1)
    time_s = np.arange(len(frames)) / scene_rate(scene)

    def samples() -> Iterator[F32]:
        for frame in frames:
            scene.frame_set(frame)
            shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
            mesh = mesh_of(shown)
            if len(mesh.vertices) != vertices:
                raise FacecapError(f"The mesh in {path.name} changes its vertices.", "Export it without modifiers.")
            flat = np.empty(3 * vertices, np.float32)
            mesh.vertices.foreach_get("co", flat)
            axes = np.array(shown.matrix_world)[:3, :3] * metres_per_unit()
            yield flat.reshape(-1, 3) @ axes.T.astype(np.float32)

    return write_point_cache(out, samples(), time_s, vertices, fps=scene_rate(scene))
