"""A take onto a character: keys, head pose, and where they came from."""

from __future__ import annotations

import json
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...takes.between import resampled
from ...takes.merge import reference_pose
from ...takes.take import Take
from .action import KeyingReport, check_animatable, key_channels
from .character import rest_axes
from .curves import SLOTTED
from .footage import scene_rate
from .head_pose import camera_from_rig, key_bases, key_head_pose, world_motion
from .jaw import jaw_bases, jaw_bone

_SAME_FRAME = 1e-3
_MOMENT_S = 1e-3


@dataclass(frozen=True)
class BakeSettings:
    """How a take is put on a character.

    Attributes:
        mode: "new" (an action of its own) or "mix" (into the present action, inside the take's range only).
        influence: 0 to 1, how far a mix goes from the present values to the take's.
        gain: factor on every weight; values stay inside each key's range.
        head: "object", "bone" or "none": what the head pose is keyed on.
        head_location: whether the head's location is keyed too.
        armature, bone: names, for "bone"; without an armature's name, the one that deforms the character.
        start_frame: scene frame at which the footage starts.
        whole_frames: whether keys lie on whole scene frames only, resampled, instead of where each frame was filmed.
        within_s: first and last time of the part of the take to key; None: all of it.
    """

    mode: str = "new"
    influence: float = 1.0
    gain: float = 1.0
    head: str = "object"
    head_location: bool = True
    armature: str = ""
    bone: str = ""
    start_frame: float = 1.0
    whole_frames: bool = False
    within_s: tuple[float, float] | None = None


def apply_take(
    obj: bpy.types.Object, take: Take, settings: BakeSettings | None = None, *, scene: bpy.types.Scene | None = None
) -> KeyingReport:
    """Key a take on a character. Frames without a face and channels that were not observed get no keys.

    Args:
        obj: a mesh object whose shape keys have the names of the take's channels.
        scene: gives the frame rate; the present scene if left out.
    Raises:
        FacecapError: the take holds no solved frame, fits no key of this mesh, or the mesh cannot be animated.
    """
    settings = settings or BakeSettings()
    solved = np.asarray(take.solved)
    if not solved.any():
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    target = head_target(obj, settings)
    scene = scene or bpy.context.scene
    rests = reference_pose(take)[None]  # the whole take's, however little of it is keyed
    if settings.whole_frames:
        take = on_whole_frames(take, scene, settings.start_frame)
        solved = np.asarray(take.solved)
    if settings.within_s is not None:
        first, last = settings.within_s
        part = solved & (take.time_s >= first - _MOMENT_S) & (take.time_s <= last + _MOMENT_S)
        solved = part if part.any() else solved
    frames = scene_frames(take, scene, settings.start_frame)[solved]
    columns = [i for i, channel in enumerate(take.channels) if channel not in take.not_observed]
    weights = gained(obj, take, settings.gain)[solved][:, columns]
    name = take_name(take)
    if not columns and target is None:
        raise FacecapError(
            "The footage shows nothing of what this character's shape keys do, so there is nothing to key.",
            "Pick a character whose shape keys move brows, lids, lips or jaw.",
        )
    report = KeyingReport(None)
    if columns:
        report = key_channels(
            obj,
            [take.channels[i] for i in columns],
            frames,
            weights,
            mode=settings.mode,
            name=name,
            influence=settings.influence,
        )
    else:
        check_animatable(obj)
        report.remarks.append("The footage shows nothing of what the shape keys do: only the head's pose was keyed")
    if target is not None:
        rotation = np.concatenate([take.head_rotation_wxyz[solved], rests[:, :4]])
        translation = np.concatenate([take.head_translation_m[solved], rests[:, 4:]])
        poses = camera_from_rig(rotation, translation, head_from_rig(take))
        action = key_head_pose(
            obj,
            target,
            frames,
            world_motion(obj, poses, len(frames))[:-1],
            location=settings.head_location,
            mode=settings.mode,
            name=f"{name} head",
            within=report.action if SLOTTED and settings.mode == "new" else None,
        )
        report.action = report.action or action
    _key_jaw(obj, take, solved, frames, report, settings)
    report.frames = int(solved.sum())
    if report.action is not None:
        _sign(report.action, take)
    return report


def _key_jaw(
    obj: bpy.types.Object,
    take: Take,
    solved: NDArray[np.bool_],
    frames: NDArray[np.float64],
    report: KeyingReport,
    settings: BakeSettings,
) -> None:
    """Key the jaw's bone where the take moves it."""
    if not take.jaw.any():
        return
    bone = jaw_bone(obj)
    if bone is None:
        report.remarks.append("The take moves a jaw bone that this character does not have.")
        return
    head = head_from_rig(take)
    rig_from_head = np.eye(4) if head is None else np.linalg.inv(head)
    bases = jaw_bases(obj, bone, take.jaw[solved], rest_axes(obj), rig_from_head)
    # Into the armature's present action: the head's keys may be there already.
    present = settings.mode == "mix" or (settings.head == "bone" and bone.id_data == _owner(obj, settings))
    key_bases(
        bone,
        frames,
        bases,
        mode="mix" if present else "new",
        name=f"{take_name(take)} jaw",
        within=report.action if SLOTTED and settings.mode == "new" else None,
    )


def _owner(obj: bpy.types.Object, settings: BakeSettings) -> bpy.types.Object | None:
    return bpy.data.objects.get(settings.armature) if settings.armature else obj.find_armature()


def scene_frames(take: Take, scene: bpy.types.Scene, start_frame: float) -> NDArray[np.float64]:
    """(F,) float64: the scene frame, with its fraction, at which each frame of the footage was filmed."""
    return start_frame + np.asarray(take.time_s, np.float64) * scene_rate(scene)


def whole_frames(time_s: NDArray[np.float64], scene: bpy.types.Scene, start_frame: float) -> NDArray[np.float64]:
    """(N,) float64: the whole scene frames between the first and the last of (F,) times of the footage."""
    rate = scene_rate(scene)
    first = float(np.ceil(start_frame + time_s[0] * rate - _SAME_FRAME))
    last = float(np.floor(start_frame + time_s[-1] * rate + _SAME_FRAME))
    return np.arange(first, max(first, last) + 1)


def on_whole_frames(take: Take, scene: bpy.types.Scene, start_frame: float) -> Take:
    """A take at whole scene frames, between those at which its face was filmed."""
    frames = whole_frames(take.time_s[take.solved], scene, start_frame)
    return resampled(take, (frames - start_frame) / scene_rate(scene))


def gained(obj: bpy.types.Object, take: Take, gain: float) -> NDArray[np.float64]:
    """(F, K) float64: the take's weights times the gain, inside the range of each shape key."""
    weights = np.asarray(take.weights, np.float64) * gain
    blocks = obj.data.shape_keys.key_blocks if getattr(obj.data, "shape_keys", None) else {}
    for column, channel in enumerate(take.channels):
        block = blocks.get(channel)
        if block is not None:
            np.clip(weights[:, column], block.slider_min, block.slider_max, out=weights[:, column])
    return weights


def head_target(obj: bpy.types.Object, settings: BakeSettings) -> bpy.types.Object | bpy.types.PoseBone | None:
    """What the head pose is keyed on. Raises FacecapError if the armature or bone named does not exist."""
    if settings.head == "none":
        return None
    if settings.head == "object":
        return obj
    armature = _owner(obj, settings)
    if armature is None or armature.type != "ARMATURE":
        raise FacecapError(
            f"No armature was found that “{obj.name}” belongs to.",
            "Pick the armature and the head bone, or bake the head pose to the object.",
        )
    bone = armature.pose.bones.get(settings.bone)
    if bone is None:
        raise FacecapError(
            f"The armature “{armature.name}” has no bone called “{settings.bone}”.", "Pick the head bone."
        )
    return bone


def head_from_rig(take: Take) -> NDArray[np.float64] | None:
    """(4, 4) float64, metres: head space from rig space, where the take says they differ."""
    stored = take.provenance.get("head_from_rig")
    return None if stored is None else np.asarray(stored, np.float64).reshape(4, 4)


def take_name(take: Take) -> str:
    """A name for the take's action: that of its footage."""
    source = take.provenance.get("source") or take.provenance.get("video")
    stem = bpy.path.display_name_from_filepath(str(source)) if source else ""
    return stem or "FaceCap"


def _sign(action: bpy.types.Action, take: Take) -> None:
    """Write beside the keys where they came from and how sure they are."""
    action["facecap_provenance"] = json.dumps(take.provenance, default=str)
    action["facecap_time_s"] = np.asarray(take.time_s, np.float64).tolist()
    action["facecap_status"] = np.asarray(take.status, np.int32).tolist()
    action["facecap_regions"] = json.dumps(list(take.regions))
    action["facecap_confidence"] = np.asarray(take.confidence, np.float64).ravel().tolist()
    action["facecap_not_observed"] = json.dumps(list(take.not_observed))
