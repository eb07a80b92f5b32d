"""A Blender mesh with shape keys as a BlendshapeRig; the mesh itself is only read."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...rig.blendshapes import MAX_CHANNELS, MAX_VERTICES, BlendshapeRig
from .colors import vertex_colors
from .jaw import jaw_weights
from .modifiers import blocking_modifiers, modifier_notes
from .rest import holding, rest_matrix

MAX_DELTA_BYTES = 2 * 1024**3
_STILL_M = 1e-9  # a key that moves no vertex by more than this is a divider in the list, not a shape


def extract_rig(obj: bpy.types.Object, *, bare: bool = False) -> BlendshapeRig:
    """Read a mesh object and its shape keys.

    What each key does is computed from the key blocks' own coordinates, the way Blender does it (difference to the
    key's own "relative to" key, times the vertex group), so drivers, animation, muting and the present slider values
    play no part. Keys that move nothing are left out.

    Args:
        obj: a mesh object, local, linked or overridden; it is not changed.
        bare: whether a mesh without shape keys will do; it gives a rig without channels.
    Returns:
        the rig in metres, Blender's world axes, the object's origin at 0.
    Raises:
        FacecapError: the object cannot be solved; says why.
    """
    mesh = checked_mesh(obj, bare=bare)
    keys = mesh.shape_keys
    if keys is None:
        return _bare_rig(obj, mesh)
    blocks = [block for block in keys.key_blocks if block != keys.reference_key]
    axes = rest_axes(obj).astype(np.float32)
    count = len(mesh.vertices)
    if count > MAX_VERTICES or len(blocks) > MAX_CHANNELS or len(blocks) * count * 12 > MAX_DELTA_BYTES:
        raise FacecapError(
            f"“{obj.name}” has {count:,} vertices and {len(blocks)} shape keys, more than can be held in memory.",
            "Solve on a lighter copy of the mesh, and drive the heavy one with a Surface Deform modifier.",
        )
    coordinates = {block.name: _coordinates(block, count) for block in keys.key_blocks}
    deltas = np.empty((len(blocks), count, 3), np.float32)
    moving = np.zeros(len(blocks), bool)
    for row, block in enumerate(blocks):
        difference = coordinates[block.name] - coordinates[block.relative_key.name]
        if block.vertex_group:
            mask = _group_weights(obj, block.vertex_group)
            if mask is not None:
                difference *= mask[:, None]
        np.matmul(difference, axes.T, out=deltas[row])
        moving[row] = bool(np.abs(deltas[row]).max(initial=0.0) > _STILL_M)
    if not moving.any() and not bare:
        raise FacecapError(
            f"None of the shape keys of “{obj.name}” moves a vertex.", "Sculpt the shape keys, or pick another mesh."
        )
    kept = [block for block, moves in zip(blocks, moving, strict=True) if moves]
    return BlendshapeRig(
        neutral=coordinates[keys.reference_key.name] @ axes.T,
        triangles=_triangles(mesh, mirrored=bool(np.linalg.det(axes) < 0)),
        deltas=deltas if moving.all() else deltas[moving],
        channels=tuple(block.name for block in kept),
        ranges=np.array([(block.slider_min, block.slider_max) for block in kept], np.float32).reshape(-1, 2),
        colors=vertex_colors(obj),
        jaw=jaw_weights(obj, axes),
        name=obj.name,
    )


def _bare_rig(obj: bpy.types.Object, mesh: bpy.types.Mesh) -> BlendshapeRig:
    """A mesh without keys as a rig without channels."""
    axes = rest_axes(obj).astype(np.float32)
    count = len(mesh.vertices)
    if count > MAX_VERTICES:
        raise FacecapError(f"“{obj.name}” has {count:,} vertices, more than can be held.", "Use a lighter copy.")
    flat = np.empty(count * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return BlendshapeRig(
        neutral=flat.reshape(count, 3) @ axes.T,
        triangles=_triangles(mesh, mirrored=bool(np.linalg.det(axes) < 0)),
        deltas=np.zeros((0, count, 3), np.float32),
        channels=(),
        ranges=np.zeros((0, 2), np.float32),
        colors=vertex_colors(obj),
        name=obj.name,
    )


def character_notes(obj: bpy.types.Object) -> list[str]:
    """What the user should know about a character that can be solved: modifiers, drivers, dividers; one line each."""
    mesh = checked_mesh(obj)
    notes = modifier_notes(obj)
    driven = driven_keys(obj)
    if driven:
        notes.append(f"{_listed(driven)} driven: the driver is muted when keys are baked")
    muted = [block.name for block in mesh.shape_keys.key_blocks if block.mute]
    if muted:
        notes.append(f"{_listed(muted)} muted: will not be seen moving until unmuted")
    if obj.show_only_shape_key:
        notes.append("“Solo active shape key” is on: no other key is seen moving until it is off")
    held = holding(obj)
    if held:
        notes.append(f"{' and '.join(held)} decides where it is: the head's pose is not seen on it until that is off")
    if not is_editable(obj):
        notes.append("Linked from a library: it cannot be keyed before a library override is made")
    return notes


def checked_mesh(obj: bpy.types.Object | None, *, bare: bool = False) -> bpy.types.Mesh:
    """The object's mesh, with unfinished edits flushed. Raises FacecapError if it cannot be a character.

    Args:
        bare: whether a mesh without shape keys can be one.
    """
    if obj is None or obj.type != "MESH":
        kind = "nothing" if obj is None else f"“{obj.name}”, which is no mesh"
        way_out = "Pick a mesh object." if bare else "Pick a mesh object that has shape keys."
        raise FacecapError(f"The character is {kind}.", way_out)
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    mesh: bpy.types.Mesh = obj.data
    keys = mesh.shape_keys
    if not bare and (keys is None or len(keys.key_blocks) < 2):
        raise FacecapError(
            f"“{obj.name}” has no shape keys, so there is nothing to animate.",
            "Pick the mesh that carries the facial shape keys, or add them (the 52 ARKit shapes work best).",
        )
    if keys is not None and not keys.use_relative:
        raise FacecapError(
            f"The shape keys of “{obj.name}” are absolute: they play one after another and cannot be blended.",
            "Turn on Relative in the Shape Keys panel.",
        )
    if len(mesh.polygons) == 0:
        raise FacecapError(f"“{obj.name}” has no faces, only points or edges.", "Pick a mesh with a surface.")
    blocked = blocking_modifiers(obj)
    if blocked:
        raise FacecapError(blocked[0], "Remove or disable that modifier, or pick the mesh it takes its motion from.")
    if abs(np.linalg.det(rest_axes(obj))) < 1e-18:
        raise FacecapError(f"“{obj.name}” is scaled to zero on an axis.", "Set its scale to 1 and try again.")
    return mesh


def rest_axes(obj: bpy.types.Object) -> NDArray[np.float64]:
    """(3, 3) float64: rig space (metres, world axes) from the object's own coordinates."""
    return np.array(rest_matrix(obj))[:3, :3] * metres_per_unit()


def metres_per_unit() -> float:
    """How many metres one Blender unit is in the present scene."""
    settings = bpy.context.scene.unit_settings
    return float(settings.scale_length) if settings.system != "NONE" else 1.0


def driven_keys(obj: bpy.types.Object) -> list[str]:
    """Names of the shape keys whose value a driver sets."""
    keys = obj.data.shape_keys
    if keys is None or keys.animation_data is None:
        return []
    driven = {curve.data_path for curve in keys.animation_data.drivers if not curve.mute}
    return [block.name for block in keys.key_blocks if block.path_from_id("value") in driven]


def is_editable(obj: bpy.types.Object) -> bool:
    """Whether shape-key animation can be written to this object: it is local, or a library override."""
    return obj.library is None


def _coordinates(block: bpy.types.ShapeKey, count: int) -> NDArray[np.float32]:
    """(V, 3) float32: the key block's coordinates, the object's own space."""
    if len(block.data) != count:
        raise FacecapError(
            f"Shape key “{block.name}” has {len(block.data)} points, the mesh has {count}.",
            "Enter and leave edit mode once to repair the mesh.",
        )
    flat = np.empty(count * 3, np.float32)
    block.data.foreach_get("co", flat)
    return flat.reshape(count, 3)


def _group_weights(obj: bpy.types.Object, name: str) -> NDArray[np.float32] | None:
    """(V,) float32: how much each vertex belongs to a vertex group; None if the object has no such group."""
    group = obj.vertex_groups.get(name)
    if group is None:
        return None  # Blender then leaves the key unmasked
    index = group.index
    vertices = obj.data.vertices
    return np.array([_weight(vertex, index) for vertex in vertices], np.float32)


def _weight(vertex: bpy.types.MeshVertex, index: int) -> float:
    for element in vertex.groups:
        if element.group == index:
            return element.weight
    return 0.0


def _triangles(mesh: bpy.types.Mesh, *, mirrored: bool) -> NDArray[np.int32]:
    """(T, 3) int32: the mesh's own triangulation, counter-clockwise from outside even under a mirroring scale."""
    mesh.calc_loop_triangles()
    flat = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", flat)
    triangles = flat.reshape(-1, 3)
    return np.ascontiguousarray(triangles[:, ::-1]) if mirrored else triangles


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} is" if len(names) == 1 else f"{shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''} are"
