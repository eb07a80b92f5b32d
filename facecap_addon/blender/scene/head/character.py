"""A Blender mesh with shape keys as a BlendshapeRig; the mesh itself is only read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ....errors import FacecapError
from ....rig.blendshapes import MAX_CHANNELS, MAX_VERTICES, BlendshapeRig
from ....rig.mirror_modifier import is_half, with_other_half
from ...present import scene_in
from ..objects import key_blocks_of, keys_of, mesh_of
from .colors import vertex_colors
from .edited_landmarks import edits_of
from .jaw import jaw_weights
from .modifiers import blocking_modifiers, modifier_notes, reflections
from .rest import holding, rest_matrix

if TYPE_CHECKING:
    from .control_deltas import Measured

MAX_DELTA_BYTES = 2 * 1024**3
_STRETCHED = 1.1  # a character that its parent draws out more than this is solved in its own proportions
_SUMMED_PARTS = 64
_LATELY_S = 10.0
_damaged: tuple[tuple[object, ...], float, list[str]] | None = None
_STILL_M = 1e-9  # a key that moves no vertex by more than this is a divider in the list, not a shape


def extract_rig(obj: bpy.types.Object, *, bare: bool = False) -> BlendshapeRig:
    """Read a mesh object and its shape keys.

    What each key does is computed from the key blocks' own coordinates, the way Blender does it (difference to the
    key's own "relative to" key, times the vertex group), so drivers, animation, muting and the present slider values
    play no part. Keys that move nothing are left out, and so are keys with values that are no numbers. Of half a head
    under a Mirror modifier the whole is read, its own vertices first.

    A character with a mapping has its channels instead, each what its controls do to the mesh as Blender shows it; one
    without shape keys, what each of its controls does (see `find_own_controls`).

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
    if not bare and is_moved_by_controls(obj):
        return read_controlled(obj).rig
    if keys is None:
        return replace(with_halves(mesh_as_rig(obj), obj, bare=True), edits=edits_of(obj))
    blocks = [block for block in keys.key_blocks if block != keys.reference_key]
    axes = rest_axes(obj).astype(np.float32)
    count = len(mesh.vertices)
    if count > MAX_VERTICES or len(blocks) > MAX_CHANNELS or len(blocks) * count * 12 > MAX_DELTA_BYTES:
        raise FacecapError(
            f"“{obj.name}” has {count:,} vertices and {len(blocks)} shape keys, more than can be held in memory.",
            "Solve on a lighter copy of the mesh, and drive the heavy one with a Surface Deform modifier.",
        )
    coordinates = {block.name: _coordinates(block, count) for block in keys.key_blocks}
    _check_numbers(obj, coordinates[keys.reference_key.name])
    deltas = np.empty((len(blocks), count, 3), np.float32)
    moving = np.zeros(len(blocks), bool)
    for row, block in enumerate(blocks):
        difference = coordinates[block.name] - coordinates[block.relative_key.name]
        if block.vertex_group:
            mask = _group_weights(obj, block.vertex_group)
            if mask is not None:
                difference *= mask[:, None]
        np.matmul(difference, axes.T, out=deltas[row])
        # A key that is no number moves nothing, as comparisons with it are false.
        moving[row] = bool(np.abs(deltas[row]).max(initial=0.0) > _STILL_M) and bool(np.isfinite(deltas[row]).all())
    if not moving.any() and not bare:
        damaged = damaged_keys(obj)
        because = f": {_listed(damaged)} left out, as not all of its values are numbers (NaN)" if damaged else ""
        raise FacecapError(
            f"None of the shape keys of “{obj.name}” moves a vertex{because}.",
            "Sculpt the shape keys, or pick another mesh.",
        )
    kept = [block for block, moves in zip(blocks, moving, strict=True) if moves]
    rig = BlendshapeRig(
        neutral=coordinates[keys.reference_key.name] @ axes.T,
        triangles=_triangles(mesh, mirrored=bool(np.linalg.det(axes) < 0)),
        deltas=deltas if moving.all() else deltas[moving],
        channels=tuple(block.name for block in kept),
        ranges=np.array([(block.slider_min, block.slider_max) for block in kept], np.float32).reshape(-1, 2),
        colors=vertex_colors(obj),
        jaw=jaw_weights(obj, axes),
        name=obj.name,
    )
    return replace(with_halves(rig, obj, bare=bare), edits=edits_of(obj))


def is_moved_by_controls(obj: bpy.types.Object) -> bool:
    """Whether a character is solved on its controls: it has a mapping, or an armature and no shape keys."""
    from ..controls.stored_mapping import has_mapping

    return has_mapping(obj) or (len(key_blocks_of(obj)) < 2 and obj.find_armature() is not None)


def read_controlled(obj: bpy.types.Object) -> Measured:
    """A character that controls move, as a rig, and what there is to say about it.

    Raises FacecapError if they do not move its face.
    """
    from ..controls.stored_mapping import mapping_of
    from .control_deltas import measure_mapped
    from .own_controls import find_own_controls

    measured = measure_mapped(obj, mapping_of(obj) or find_own_controls(obj))
    return replace(measured, rig=replace(measured.rig, edits=edits_of(obj)))


def mesh_as_rig(obj: bpy.types.Object) -> BlendshapeRig:
    """A mesh, whatever moves it, as a rig without channels. Raises FacecapError if it cannot be held."""
    mesh = checked_mesh(obj, bare=True)
    axes = rest_axes(obj).astype(np.float32)
    count = len(mesh.vertices)
    if count > MAX_VERTICES:
        raise FacecapError(f"“{obj.name}” has {count:,} vertices, more than can be held.", "Use a lighter copy.")
    rest = _own_rest(obj)
    _check_numbers(obj, rest)
    return BlendshapeRig(
        neutral=rest @ axes.T,
        triangles=_triangles(mesh, mirrored=bool(np.linalg.det(axes) < 0)),
        deltas=np.zeros((0, count, 3), np.float32),
        channels=(),
        ranges=np.zeros((0, 2), np.float32),
        colors=vertex_colors(obj),
        name=obj.name,
    )


def with_halves(rig: BlendshapeRig, obj: bpy.types.Object, *, bare: bool = False) -> BlendshapeRig:
    """The rig with the halves that Mirror modifiers add. Raises FacecapError where one is added to a bare mesh."""
    for reflection in reflections(obj, rest_axes(obj)):
        if not is_half(rig.neutral, reflection):
            continue
        if bare:
            raise FacecapError(
                f"“{obj.name}” is half a head: a Mirror modifier adds the other half, where every key does the same.",
                "Apply the Mirror modifier to a copy without shape keys, and use that.",
            )
        rig = with_other_half(rig, reflection)
    return rig


def _check_numbers(obj: bpy.types.Object, coordinates: NDArray[np.float32]) -> None:
    """Raise FacecapError if coordinates (V, 3) of a mesh at rest are not all numbers."""
    bad = np.flatnonzero(~np.isfinite(coordinates).all(axis=1))
    if len(bad):
        some = f"vertex {bad[0]} has" if len(bad) == 1 else f"{len(bad)} vertices (number {bad[0]} is the first) have"
        raise FacecapError(
            f"On “{obj.name}”, {some} coordinates that are no numbers (NaN or infinite).",
            "Delete them in edit mode, or take the mesh from an earlier version of the file.",
        )


def damaged_keys(obj: bpy.types.Object) -> list[str]:
    """Names of the shape keys that hold values which are no numbers.

    The panel asks: one number, of one buffer, is enough where all is well.
    """
    mesh = mesh_of(obj)
    keys, values = mesh.shape_keys, np.empty(len(mesh.vertices) * 3, np.float32)
    blocks = [] if keys is None else [block for block in keys.key_blocks if block != keys.reference_key]
    damaged = []
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks:
            _read_coordinates(block, values)
            if not np.isfinite(np.dot(values, values)) and not np.isfinite(values).all():
                damaged.append(block.name)
    return damaged


def shape_sums(obj: bpy.types.Object) -> tuple[object, ...]:
    """Check sums of each shape key's parts, and how large the object rests: sculpting changes them. About 1 ms."""
    mesh, keys = mesh_of(obj), keys_of(obj)
    count = len(mesh.vertices) * 3
    values = np.zeros((_SUMMED_PARTS, -(-count // _SUMMED_PARTS)), np.float32)
    sums: list[object] = [len(mesh.polygons), np.round(rest_axes(obj), 6).tobytes()]
    for block in () if keys is None else keys.key_blocks:
        _read_coordinates(block, values.reshape(-1)[:count])
        sums.append((block.name, values.view(np.uint32).sum(1, dtype=np.uint32).tobytes()))
    return tuple(sums)


def _damaged_lately(obj: bpy.types.Object) -> list[str]:
    """As `damaged_keys`, at most a moment old: the panel asks at every redraw, and all keys are read for it."""
    global _damaged
    mesh = mesh_of(obj)
    names = tuple(block.name for block in key_blocks_of(obj))
    now_s, of = time.monotonic(), (obj.name_full, mesh.name_full, len(mesh.vertices), names)
    if _damaged is None or _damaged[0] != of or now_s - _damaged[1] > _LATELY_S:
        _damaged = of, now_s, damaged_keys(obj)
    return _damaged[2]


def character_notes(obj: bpy.types.Object) -> list[str]:
    """What the user should know about a character that can be solved: modifiers, drivers, dividers; one line each."""
    checked_mesh(obj)
    halved = any(is_half(_own_rest(obj), mirror) for mirror in reflections(obj, np.eye(3)))
    notes = modifier_notes(obj, halved=halved)
    driven = driven_keys(obj)
    if driven:
        notes.append(f"{_listed(driven)} driven: the driver is muted when keys are baked")
    muted = [block.name for block in key_blocks_of(obj) if block.mute]
    if muted:
        notes.append(f"{_listed(muted)} muted: will not be seen moving until unmuted")
    damaged = _damaged_lately(obj)
    if damaged:
        notes.append(f"{_listed(damaged)} left out: not all of its values are numbers (NaN); sculpt it anew")
    stretch = parents_stretch(obj)
    if stretch > _STRETCHED:
        notes.append(f"Stretched {stretch:.1f} times by its parent: solved in its own proportions")
    if halved:
        notes.append("Half a head: solved with the half that the Mirror modifier adds; keys move both sides alike")
    if obj.show_only_shape_key:
        notes.append("“Solo active shape key” is on: no other key is seen moving until it is off")
    held = holding(obj)
    if held:
        notes.append(f"Held by {' and '.join(held)}: the head's pose is not seen on it until that is off")
    if not is_editable(obj):
        notes.append("Linked from a library: it cannot be keyed before a library override is made")
    return notes


def checked_mesh(obj: bpy.types.Object | None, *, bare: bool = False) -> bpy.types.Mesh:
    """The object's mesh, with unfinished edits flushed. Raises FacecapError if it cannot be a character.

    Args:
        bare: whether a mesh without shape keys can be one.
    """
    if obj is None or not isinstance(obj.data, bpy.types.Mesh):
        kind = "nothing" if obj is None else f"“{obj.name}”, which is no mesh"
        way_out = "Pick a mesh object." if bare else "Pick a mesh object that has shape keys."
        raise FacecapError(f"The character is {kind}.", way_out)
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    mesh = mesh_of(obj)
    keys = mesh.shape_keys
    if not bare and (keys is None or len(keys.key_blocks) < 2) and not is_moved_by_controls(obj):
        raise FacecapError(
            f"“{obj.name}” has no shape keys and no armature, so there is nothing to animate.",
            "Pick the mesh that carries the facial shape keys or that the bones of the face deform, or add shape keys "
            "(the 52 ARKit shapes work best).",
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
    """(3, 3) float64: rig space (metres, world axes) from the object's own coordinates.

    A stretch by a parent, beyond what a face can be, is left out: it shears the face, and is none of its shape.
    """
    axes = np.array(rest_matrix(obj))[:3, :3] * metres_per_unit()
    if parents_stretch(obj) <= _STRETCHED:
        return _without_rounding(axes)
    outer = np.array(_parents(obj))[:3, :3]
    u, scale, v = np.linalg.svd(outer)
    return _without_rounding((u @ v) * np.cbrt(np.prod(scale)) @ np.linalg.inv(outer) @ axes)


def _without_rounding(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axes to a millionth: what poses and their undoing leave behind would make a head look like another one."""
    step = 2.0 ** (np.floor(np.log2(max(float(np.abs(axes).max()), 1e-30))) - 20)
    return np.round(axes / step) * step


def parents_stretch(obj: bpy.types.Object) -> float:
    """How many times longer its parents draw the object in one direction than in another; 1 if they flatten it."""
    scale = np.linalg.svd(np.array(_parents(obj))[:3, :3], compute_uv=False)
    return float(scale[0] / scale[2]) if scale[2] > 1e-9 * scale[0] else 1.0


def _parents(obj: bpy.types.Object) -> Matrix:
    """What the object's parents add to its own transform."""
    return Matrix() if obj.parent is None else obj.parent.matrix_world @ obj.matrix_parent_inverse


def _own_rest(obj: bpy.types.Object) -> NDArray[np.float32]:
    """(V, 3) float32: the mesh at rest, the object's own space."""
    mesh = mesh_of(obj)
    keys, count = mesh.shape_keys, len(mesh.vertices)
    if keys is not None:
        return _coordinates(keys.reference_key, count)
    flat = np.empty(count * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(count, 3)


def metres_per_unit() -> float:
    """How many metres one Blender unit is in the present scene."""
    settings = scene_in(bpy.context).unit_settings
    return float(settings.scale_length) if settings.system != "NONE" else 1.0


def driven_keys(obj: bpy.types.Object) -> list[str]:
    """Names of the shape keys whose value a driver sets."""
    keys = keys_of(obj)
    if keys is None or keys.animation_data is None:
        return []
    driven = {curve.data_path for curve in keys.animation_data.drivers if not curve.mute}
    return [block.name for block in keys.key_blocks if block.path_from_id("value") in driven]


def is_editable(obj: bpy.types.Object) -> bool:
    """Whether shape-key animation can be written to this object: it is local, or a library override."""
    return obj.library is None


def _coordinates(block: bpy.types.ShapeKey, count: int) -> NDArray[np.float32]:
    """(V, 3) float32: the key block's coordinates, the object's own space."""
    flat = np.empty(count * 3, np.float32)
    _read_coordinates(block, flat)
    return flat.reshape(count, 3)


def _read_coordinates(block: bpy.types.ShapeKey, into: NDArray[np.float32]) -> None:
    """Fill (3 V,) float32. Raises FacecapError if the key block has other vertices than the mesh."""
    if 3 * len(block.data) != len(into):
        raise FacecapError(
            f"Shape key “{block.name}” has {len(block.data)} points, the mesh has {len(into) // 3}.",
            "Enter and leave edit mode once to repair the mesh.",
        )
    block.points.foreach_get("co", into)  # microseconds; of `data` it takes milliseconds


def _group_weights(obj: bpy.types.Object, name: str) -> NDArray[np.float32] | None:
    """(V,) float32: how much each vertex belongs to a vertex group; None if the object has no such group."""
    group = obj.vertex_groups.get(name)
    if group is None:
        return None  # Blender then leaves the key unmasked
    index = group.index
    return np.array([_weight(vertex, index) for vertex in mesh_of(obj).vertices], np.float32)


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
