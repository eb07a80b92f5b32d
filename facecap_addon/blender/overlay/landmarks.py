"""Dots where the landmarks lie on the character, moving with the mesh as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ... import errors
from .. import session
from ..present import scene_in, settings_in, settings_of, system_preferences
from ..scene.objects import mesh_of
from .draw_handlers import point_shader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLOR = (0.10, 0.85, 1.0, 0.9)
_SIZE_PX = 3.0
_handle: object | None = None


@dataclass(frozen=True)
class Dots:
    """Landmarks of one mesh.

    Attributes:
        mesh, path: name of the mesh and the embedding they come from.  modified_s: when that file was written.
        edits: what was put in its place by hand, as the object keeps it.
        corners: (L, 3) int64, vertices.  barycentric: (L, 3) float32.
    """

    mesh: str
    path: Path
    modified_s: float
    edits: str
    corners: NDArray[np.int64]
    barycentric: NDArray[np.float32]


_dots: Dots | None = None


def landmark_positions(obj: bpy.types.Object, embedding_path: Path) -> NDArray[np.float32] | None:
    """Where the landmarks are now.

    Args:
        obj: the character the embedding was made for.
        embedding_path: what the solve left in its folder.
    Returns:
        (L, 3) float32, world space, of the landmarks that are valid; None if the mesh has changed since.
    """
    import numpy as np

    dots = _loaded(obj, embedding_path)
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = mesh_of(shown)
    if len(mesh.vertices) != len(mesh_of(obj).vertices):  # a modifier made another surface: unposed keys are next best
        mesh = mesh_of(obj)
    if dots is None or (len(dots.corners) and dots.corners.max() >= len(mesh.vertices)):
        return None
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    local = np.einsum("lc,lcd->ld", dots.barycentric, flat.reshape(-1, 3)[dots.corners])
    world = np.array(shown.matrix_world, np.float32)
    return local @ world[:3, :3].T + world[:3, 3]


def embedding_path(scene: bpy.types.Scene) -> Path | None:
    """Where the scene's latest solve keeps the landmarks of its character, if it is still there."""
    stored = settings_of(scene).result.embedding
    path = Path(bpy.path.abspath(stored)) if stored else None
    return path if path is not None and path.is_file() else None


def show(visible: bool) -> None:
    """Start or stop drawing."""
    global _handle
    if visible and _handle is None:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    elif not visible and _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    session.redraw(viewport=True)


def _loaded(obj: bpy.types.Object, path: Path) -> Dots | None:
    global _dots
    import numpy as np

    from ...rig.embedding import edit_embedding, load_embedding
    from ..scene.head.edited_landmarks import edits_of, edits_text

    modified_s = path.stat().st_mtime
    mesh, edits = mesh_of(obj), edits_text(obj)
    if _dots is None or (_dots.mesh, _dots.path, _dots.modified_s, _dots.edits) != (mesh.name, path, modified_s, edits):
        embedding = load_embedding(path)
        mesh.calc_loop_triangles()
        flat = np.empty(len(mesh.loop_triangles) * 3, np.int32)
        mesh.loop_triangles.foreach_get("vertices", flat)
        triangles = flat.reshape(-1, 3)
        if np.linalg.det(np.array(obj.matrix_world)[:3, :3]) < 0:
            triangles = triangles[:, ::-1]  # as the character was read
        embedding = edit_embedding(embedding, edits_of(obj), triangles)
        chosen = embedding.triangle[embedding.valid]
        if len(chosen) and chosen.max() >= len(triangles):
            return None
        _dots = Dots(
            *(mesh.name, path, modified_s, edits),
            triangles[chosen].astype(np.int64),
            embedding.barycentric[embedding.valid],
        )
    return _dots


def _draw() -> None:
    settings = settings_in(bpy.context)
    if settings.character is None or not settings.show_landmarks:
        return
    try:
        path = embedding_path(scene_in(bpy.context))
        points = None if path is None else landmark_positions(settings.character, path)
    except (errors.FacecapError, OSError):
        return  # the file was removed or is damaged: nothing to show, and a draw callback must not raise
    if points is None:
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = point_shader()
    gpu.state.blend_set("ALPHA")
    gpu.state.point_size_set(_SIZE_PX * system_preferences().ui_scale)
    shader.bind()
    shader.uniform_float("color", _COLOR)
    batch_for_shader(shader, "POINTS", {"pos": points.tolist()}).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.blend_set("NONE")


def register() -> None:
    """Nothing is drawn until it is asked for."""


def unregister() -> None:
    global _dots
    show(False)
    _dots = None
