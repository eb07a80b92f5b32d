"""A face's animation from its bones to shape keys, and back: by how the evaluated mesh moves, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix
from scipy.spatial.transform import Rotation

from ....arrays import F32, Bools
from ....errors import FacecapError
from ....rig.blendshapes import BlendshapeRig
from ....rig.mapping.evaluate import evaluate
from ....rig.weights_of_motion import fit_weights
from ...present import view_layer_in
from ..controls.key import key_controls, key_faces
from ..controls.mapped_take import checked_controls
from ..controls.stored_mapping import mapping_of
from ..head.character import extract_rig, rest_axes
from ..head.control_deltas import measure_mapped, without_modifiers
from ..head.modifiers import generating_modifiers
from ..head.own_controls import find_own_controls
from ..head.parts import head_bone
from ..head.shape_keys import write_shape_keys
from ..objects import mesh_of, owner_of
from .action import KeyingReport, key_channels
from .lay_curves import Keying

_STILL_M = 2e-4
_FEWEST_STILL = 60


@dataclass(frozen=True)
class BakedAcross:
    """What was baked.

    Attributes:
        obj: the object that has the animation now.  report: what was keyed.
        rms_mm: what the channels cannot do of the motion, root mean square over moving vertices.
    """

    obj: bpy.types.Object
    report: KeyingReport
    rms_mm: float


def bake_to_keys(obj: bpy.types.Object, frames: Sequence[int], scene: bpy.types.Scene) -> BakedAcross:
    """A copy of a head that bones move, which does the same by shape keys and still follows the head's bone.

    Raises FacecapError if nothing moves the face, or its mesh cannot be read.
    """
    rig = extract_rig(obj)
    weights, left = _weights_over(obj, rig, frames, scene)
    copy = obj.copy()
    copy.data = mesh_of(obj).copy()
    copy.name = f"{obj.name} keys"
    copy.animation_data_clear()
    for collection in obj.users_collection:
        collection.objects.link(copy)
    try:
        if copy.data.shape_keys is not None:
            copy.shape_key_clear()
        for modifier in [m for m in copy.modifiers if isinstance(m, bpy.types.ArmatureModifier)]:
            copy.modifiers.remove(modifier)
        write_shape_keys(copy, rig)
        _hang_on_head(copy, obj)  # last: its axes are those of the head at rest until then
        report = key_channels(copy, rig.channels, np.asarray(frames, np.float64), weights, name=f"{obj.name} keys")
    except FacecapError:
        bpy.data.objects.remove(copy)
        raise
    return BakedAcross(copy, report, left)


def bake_to_controls(
    obj: bpy.types.Object, source: bpy.types.Object, frames: Sequence[int], scene: bpy.types.Scene
) -> BakedAcross:
    """Key a character's controls so that its mesh moves as another of the same vertices does, by whatever moves that.

    Raises FacecapError if the meshes differ, or the character cannot be keyed; nothing was keyed then.
    """
    if len(mesh_of(source).vertices) != len(mesh_of(obj).vertices):
        raise FacecapError(
            f"“{source.name}” has {len(mesh_of(source).vertices):,} vertices, “{obj.name}” "
            f"{len(mesh_of(obj).vertices):,}: they are not the same mesh.",
            "Select the copy that Bake to Keys made, or another with the same vertices.",
        )
    mapping = mapping_of(obj) or find_own_controls(obj)
    controls, notes = checked_controls(obj, mapping, scene)
    rig = measure_mapped(obj, mapping).rig
    weights, left = _weights_over(source, rig, frames, scene)
    targets, values = evaluate(mapping, rig.channels, weights)
    at, how = np.asarray(frames, np.float64), Keying(name=f"{source.name} on controls")
    report = key_faces(controls, targets, at, values, how) or KeyingReport(None)
    key_controls(controls, targets, at, values, how, report)
    report.remarks += notes
    report.frames = len(frames)
    return BakedAcross(obj, report, left)


def _weights_over(
    obj: bpy.types.Object, rig: BlendshapeRig, frames: Sequence[int], scene: bpy.types.Scene
) -> tuple[F32, float]:
    """Weights (F, K) of a mesh's motion, and what they leave of it, mm."""
    moving = np.linalg.norm(rig.deltas, axis=2).max(axis=0) > _STILL_M
    motion = _motion_over(obj, rig, frames, scene, ~moving)
    weights = fit_weights(rig, motion)
    left = (rig.vertices_at(weights) - rig.neutral - motion)[:, moving]
    return weights, 1000 * float(np.sqrt((left.astype(np.float64) ** 2).sum(-1).mean()))


def _motion_over(
    obj: bpy.types.Object, rig: BlendshapeRig, frames: Sequence[int], scene: bpy.types.Scene, still: Bools
) -> F32:
    """(F, V, 3) m, rig space: how the evaluated mesh moves, without what the head as a whole does."""
    axes = rest_axes(obj).astype(np.float32)
    before = scene.frame_current, scene.frame_subframe
    found = np.empty((len(frames), *rig.neutral.shape), np.float32)
    fixed = still if int(still.sum()) >= _FEWEST_STILL else np.ones(len(still), bool)
    with without_modifiers(generating_modifiers(obj)):
        try:
            for row, frame in enumerate(frames):
                scene.frame_set(frame)
                shown = mesh_of(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()))
                if len(shown.vertices) != len(rig.neutral):
                    raise FacecapError(
                        f"A modifier gives “{obj.name}” other vertices than its mesh has.",
                        "Turn it off, and try again.",
                    )
                flat = np.empty(3 * len(shown.vertices), np.float32)
                shown.vertices.foreach_get("co", flat)
                found[row] = _without_head(flat.reshape(-1, 3) @ axes.T, rig.neutral, fixed) - rig.neutral
        finally:
            scene.frame_set(before[0], subframe=before[1])
    return found


def _without_head(places: F32, rest: F32, fixed: Bools) -> F32:
    """Vertices (V, 3) turned and shifted so that those of the skull lie where they rest."""
    there, here = places[fixed].astype(np.float64), rest[fixed].astype(np.float64)
    turn = Rotation.align_vectors(here - here.mean(axis=0), there - there.mean(axis=0))[0].as_matrix()
    return ((places - there.mean(axis=0)) @ turn.T + here.mean(axis=0)).astype(np.float32)


def _hang_on_head(copy: bpy.types.Object, obj: bpy.types.Object) -> None:
    """Let a copy without the armature's modifier follow the head's bone as the head did at rest."""
    bone = head_bone(obj)
    if bone is None:
        return
    armature = owner_of(bone)
    placed = obj.matrix_world.copy()
    copy.parent, copy.parent_type, copy.parent_bone = armature, "BONE", bone.name
    at_tail = bone.bone.matrix_local @ Matrix.Translation((0.0, bone.bone.length, 0.0))
    copy.matrix_parent_inverse = (armature.matrix_world @ at_tail).inverted_safe()
    copy.matrix_basis = placed
    view_layer_in(bpy.context).update()
