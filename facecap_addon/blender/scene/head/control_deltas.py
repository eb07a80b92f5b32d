"""What controls do to a character's mesh, as Blender shows it: armatures, lattices, drivers, limits and correctives.

A face that bones move becomes a rig like one with shape keys: each channel's displacement is the evaluated mesh with
the channel's controls at weight 1, less the mesh at rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import bpy
import numpy as np
from scipy.spatial.transform import Rotation

from ....arrays import F32
from ....errors import FacecapError
from ....rig.blendshapes import BlendshapeRig
from ....rig.channels import arkit_name
from ....rig.mapping.evaluate import evaluate
from ....rig.mapping.mapping import Mapping as ControlMapping
from ....rig.mapping.mapping import Target
from ...present import view_layer_in
from ..controls.hold import held_controls, set_targets
from ..controls.targets import Controls
from ..objects import key_blocks_of, mesh_of
from .character import mesh_as_rig, rest_axes, with_halves
from .modifiers import generating_modifiers

STILL_M = 1e-5
"""A channel that moves no vertex by more than this does nothing: bones are evaluated in single precision."""
_BENT = 0.15
_WHOLE, _RIGID = 0.8, 0.2
_SMALL_SHARE = 0.02


@dataclass(frozen=True)
class Measured:
    """A character whose channels were measured.

    Attributes:
        rig: neutral and displacement of each channel, as of one with shape keys.
        bent: how far each channel is from linear: what half its weight does, doubled, less what its whole weight does,
            as a part of the latter.
        notes: what there is to say about it.
    """

    rig: BlendshapeRig
    bent: F32
    notes: tuple[str, ...]


class Stage:
    """A character held still, whose controls are tried one after another.

    Attributes:
        obj: the mesh.  controls: where its targets are.
        rest: (V, 3) float32 m, rig space, with every control at rest.
    """

    def __init__(self, obj: bpy.types.Object, controls: Controls) -> None:
        self.obj, self.controls = obj, controls
        self._axes = rest_axes(obj).astype(np.float32)
        self._standing: dict[Target, float] = {}
        self.rest = self.read()

    def stand(self, values: Mapping[Target, float]) -> None:
        """Let targets stand at these values whenever nothing moves them."""
        self._standing = dict(values)
        set_targets(self.obj, self._standing, controls=self.controls)
        self.rest = self.read()

    def displace(self, values: Mapping[Target, float]) -> F32:
        """(V, 3) float32 m: how far the mesh is from rest with targets at some values; they go back to rest."""
        set_targets(self.obj, values, controls=self.controls)
        try:
            return self.read() - self.rest
        finally:
            set_targets(
                self.obj, {target: self._standing.get(target, 0.0) for target in values}, controls=self.controls
            )

    def read(self) -> F32:
        """(V, 3) float32 m, rig space: the mesh as it is shown now. Raises FacecapError where that is another mesh."""
        layer = view_layer_in(bpy.context)
        layer.update()
        shown = self.obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = mesh_of(shown)
        if len(mesh.vertices) != len(mesh_of(self.obj).vertices):
            raise FacecapError(
                f"A modifier of “{self.obj.name}” gives it other vertices than its mesh has, so what its bones do to "
                "them cannot be read.",
                "Turn that modifier off in the viewport while you solve.",
            )
        flat = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", flat)
        return flat.reshape(-1, 3) @ self._axes.T


@contextmanager
def on_stage(obj: bpy.types.Object) -> Iterator[Stage]:
    """A character with everything at rest; afterwards it is as it was, to the last bit.

    Raises FacecapError if it is not shown in the present view layer: then nothing of it is evaluated.
    """
    if not obj.visible_get(view_layer=view_layer_in(bpy.context)):
        raise FacecapError(
            f"“{obj.name}” is hidden, so Blender does not move it.", "Show it (and its collection) in the viewport."
        )
    with held_controls(obj) as controls, without_modifiers(generating_modifiers(obj)):
        _pose_at_rest(controls)
        yield Stage(obj, controls)


def measure_mapped(obj: bpy.types.Object, mapping: ControlMapping) -> Measured:
    """The rig that a character is under a mapping: its channels are those of the mapping.

    Channels that turn or shift the whole head or body are left out: that is the head's pose.

    Raises:
        FacecapError: no channel of the mapping moves the mesh.
    """
    channels = tuple(dict.fromkeys(link.channel for link in mapping.links))
    steps = np.array([0.0, 0.5, 1.0, -1.0], np.float32)
    neutral_values = dict(zip(*_at(mapping, channels, np.zeros(len(channels), np.float32)), strict=True))
    fields: list[F32] = []
    bent: list[float] = []
    ranges: list[tuple[float, float]] = []
    with on_stage(obj) as stage:
        stage.stand(neutral_values)
        for k, channel in enumerate(channels):
            half, whole = (stage.displace(_values(mapping, channels, k, step)) for step in steps[1:3])
            fields.append(whole)
            bent.append(_bend(half, whole))
            low = 0.0
            if arkit_name(channel) is None and not _goes_one_way(
                stage.displace(_values(mapping, channels, k, -1)), whole
            ):
                low = -1.0
            ranges.append((low, 1.0))
        neutral = stage.rest
    return _keep_moving(obj, channels, neutral, np.stack(fields), np.array(bent, np.float32), ranges)


def _at(mapping: ControlMapping, channels: Sequence[str], weights: F32) -> tuple[tuple[Target, ...], list[float]]:
    targets, values = evaluate(mapping, channels, weights[None])
    return targets, [float(value) for value in values[0]]


def _values(mapping: ControlMapping, channels: Sequence[str], k: int, weight: float) -> dict[Target, float]:
    """The targets that a channel moves, at a weight of it, every other channel at rest."""
    weights = np.zeros(len(channels), np.float32)
    weights[k] = weight
    own = {link.target for link in mapping.links if link.channel == channels[k]}
    return {target: value for target, value in zip(*_at(mapping, channels, weights), strict=True) if target in own}


def _bend(half: F32, whole: F32) -> float:
    return float(np.linalg.norm(2.0 * half - whole) / max(float(np.linalg.norm(whole)), 1e-12))


def _goes_one_way(back: F32, forth: F32) -> bool:
    """Whether a channel does nothing below zero, as limits and drivers may have it."""
    return float(np.linalg.norm(back)) < _SMALL_SHARE * max(float(np.linalg.norm(forth)), 1e-12)


def _keep_moving(
    obj: bpy.types.Object,
    channels: tuple[str, ...],
    neutral: F32,
    fields: F32,
    bent: F32,
    ranges: Sequence[tuple[float, float]],
) -> Measured:
    reach = np.linalg.norm(fields, axis=2)
    moves = (reach.max(axis=1) > STILL_M) & np.isfinite(fields).all(axis=(1, 2))
    whole = np.array([bool(m) and moves_whole(neutral, field) for m, field in zip(moves, fields, strict=True)], bool)
    kept = moves & ~whole
    if not kept.any():
        raise FacecapError(
            f"Nothing of its mapping moves the face of “{obj.name}”.",
            "Check the mapping with its Test slider: the bones or properties may be locked, driven or another rig's.",
        )
    notes = [
        *_note("move nothing and were left out", [c for c, m in zip(channels, moves, strict=True) if not m]),
        *_note(
            "move the whole head, which the head's pose does", [c for c, w in zip(channels, whole, strict=True) if w]
        ),
        *_note(
            f"are not in proportion to their weight (by more than {_BENT:.0%})",
            [c for c, b, k in zip(channels, bent, kept, strict=True) if k and b > _BENT],
        ),
    ]
    rig = replace(
        mesh_as_rig(obj),
        neutral=np.ascontiguousarray(neutral),
        deltas=np.ascontiguousarray(fields[kept]),
        channels=tuple(channel for channel, k in zip(channels, kept, strict=True) if k),
        ranges=np.array(ranges, np.float32)[kept],
    )
    return Measured(with_halves(rig, obj), bent[kept], tuple(notes))


def moves_whole(rest: F32, field: F32) -> bool:
    """Whether a displacement (V, 3) of a mesh (V, 3) is that of a rigid thing, and of most of the mesh."""
    reach = np.linalg.norm(field, axis=1)
    if float((reach > _SMALL_SHARE * reach.max()).mean()) < _WHOLE:
        return False
    before, after = rest - rest.mean(axis=0), rest + field
    after = after - after.mean(axis=0)
    turn, left = Rotation.align_vectors(after, before)
    del turn
    return float(left) < _RIGID * float(np.linalg.norm(field))


def _note(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return [f"{', '.join(names[:4])}{more}: {what}"]


def _pose_at_rest(controls: Controls) -> None:
    """Every bone without a pose of its own, every key of an expression at zero; what is driven follows."""
    for armature in controls.armatures:
        for bone in [] if armature.pose is None else armature.pose.bones:
            if not bone.matrix_basis.is_identity:
                bone.matrix_basis.identity()
                bone.location, bone.scale = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
                bone.rotation_quaternion, bone.rotation_euler = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
                bone.rotation_axis_angle = (0.0, 0.0, 1.0, 0.0)
        armature.update_tag(refresh={"OBJECT", "DATA"})
    for mesh in controls.meshes:
        for block in key_blocks_of(mesh)[1:]:
            if arkit_name(block.name) is not None and block.value != 0.0:
                block.value = 0.0


@contextmanager
def without_modifiers(modifiers: Sequence[bpy.types.Modifier]) -> Iterator[None]:
    """Modifiers turned off in the viewport for a moment."""
    for modifier in modifiers:
        modifier.show_viewport = False
    try:
        yield
    finally:
        for modifier in modifiers:
            modifier.show_viewport = True
        view_layer_in(bpy.context).update()
