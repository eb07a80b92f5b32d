"""Blender's own exporters, set so that the keys of a baked character arrive.

What usually goes wrong: strips of the NLA and other actions are exported beside or instead of what plays; modifiers are
applied, and shape keys with them left out; keys between frames are thinned. Here the scene is sampled as it plays, on
every whole frame, with one action per datablock and nothing thinned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import addon_utils
import bpy

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...takes.formats.curves import Curves
from ...takes.formats.gltf import read_glb, write_glb
from ...takes.formats.gltf_morphs import animate_morphs
from ..present import scene_in, view_layer_in
from .objects import keys_of

_ADDONS = {".glb": "io_scene_gltf2", ".fbx": "io_scene_fbx"}


def export_meshes(
    meshes: Sequence[bpy.types.Object], path: Path, *, curves: Curves | None = None, name: str = "FaceCap"
) -> list[str]:
    """Write meshes, with what moves them, over the scene's range; the selection is changed.

    Args:
        path: .glb, .fbx, .usd, .usda, .usdc or .abc.
        curves: for .glb, of the morph targets, which then get their keys at the curves' own times.
        name: of the animation, where the format has one.
    Returns:
        what there is to say.
    Raises:
        FacecapError: the ending is none of these, or Blender cannot write the file.
    """
    ending = path.suffix.lower()
    writers: dict[str, Callable[[Path], object]] = {".glb": _glb, ".fbx": _fbx, ".abc": _alembic}
    write = writers.get(ending, _usd if ending in (".usd", ".usda", ".usdc") else None)
    if write is None:
        raise FacecapError(
            f"{path.name} is nothing that meshes are exported to.", "Give it the ending .glb, .fbx, .usd or .abc."
        )
    if ending in _ADDONS and addon_utils.enable(_ADDONS[ending]) is None:
        raise FacecapError(
            f"This Blender has no exporter for {ending}.", "Enable it in Preferences › Add-ons, or use another Blender."
        )
    notes = _play_actions_alone(meshes)
    _select(with_carriers(meshes))
    with atomic_path(path) as temporary:
        try:
            write(temporary)
        except RuntimeError as error:
            raise FacecapError(f"Blender could not write {path.name}.", str(error).strip()) from error
        if not temporary.is_file():
            raise FacecapError(f"Blender wrote no {path.name}.", "Choose another folder.")
        if ending == ".glb" and curves is not None and curves.names:
            gltf = read_glb(temporary)
            animate_morphs(gltf, curves, name)
            write_glb(temporary, gltf)
    return notes


def with_carriers(meshes: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Meshes, the armatures that deform them, and all that these hang on."""
    found = dict.fromkeys(meshes)
    waiting = list(meshes)
    while waiting:
        obj = waiting.pop()
        for other in (obj.parent, obj.find_armature()):
            if other is not None and other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)


def _play_actions_alone(meshes: Sequence[bpy.types.Object]) -> list[str]:
    """Let only actions play, no strips; says where keys are hidden all the same."""
    notes = []
    datablocks: list[Any] = [*with_carriers(meshes), *(keys_of(mesh) for mesh in meshes)]
    for datablock in datablocks:
        animation = None if datablock is None else datablock.animation_data
        if animation is not None and animation.action is not None:
            animation.use_nla = False
    for mesh in meshes:
        keys = keys_of(mesh)
        muted = [block.name for block in keys.key_blocks[1:] if block.mute] if keys is not None else []
        if muted:
            notes.append(f"“{mesh.name}” has muted shape keys, which are left out: {', '.join(muted[:4])}")
        if mesh.modifiers and any(one.type not in ("ARMATURE", "MESH_CACHE") for one in mesh.modifiers):
            notes.append(f"Modifiers of “{mesh.name}” are not applied: they would cost its shape keys")
    return notes


def _select(objects: Sequence[bpy.types.Object]) -> None:
    layer = view_layer_in(bpy.context)
    for obj in layer.objects:
        obj.select_set(False)
    for obj in objects:
        if obj.name in layer.objects:
            obj.hide_set(False)
            obj.hide_viewport = False
            obj.select_set(True)
    layer.objects.active = objects[0]


def _glb(path: Path) -> object:
    return _call(
        bpy.ops.export_scene.gltf,
        filepath=str(path),
        export_format="GLB",
        use_selection=True,
        export_apply=False,
        export_morph=True,
        export_morph_normal=False,
        export_animations=True,
        export_animation_mode="SCENE",
        export_anim_scene_split_object=False,
        export_force_sampling=True,
        export_frame_range=True,
        export_morph_animation=True,
        export_optimize_animation_size=False,
        export_negative_frame="SLIDE",
    )


def _fbx(path: Path) -> object:
    return _call(
        bpy.ops.export_scene.fbx,
        filepath=str(path),
        use_selection=True,
        object_types={"MESH", "ARMATURE", "EMPTY"},
        use_mesh_modifiers=False,
        mesh_smooth_type="FACE",
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
    )


def _usd(path: Path) -> object:
    return _call(
        bpy.ops.wm.usd_export,
        filepath=str(path),
        selected_objects_only=True,
        export_animation=True,
        export_shapekeys=True,
        export_armatures=True,
        only_deform_bones=False,
        evaluation_mode="RENDER",
    )


def _alembic(path: Path) -> object:
    scene = scene_in(bpy.context)
    return _call(
        bpy.ops.wm.alembic_export,
        filepath=str(path),
        selected=True,
        start=scene.frame_start,
        end=scene.frame_end,
        as_background_job=False,
    )


def _call(operator: Any, **wanted: Any) -> object:
    """Run an exporter with those settings that this version of Blender knows."""
    known = operator.get_rna_type().properties
    return operator(**{name: value for name, value in wanted.items() if name in known})
