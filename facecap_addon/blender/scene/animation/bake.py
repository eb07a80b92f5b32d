"""A take onto a character: keys, head pose, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ....errors import FacecapError
from ....takes.between import resample
from ....takes.merge import MERGED_INTO, reference_pose
from ....takes.take import Take
from ...present import scene_in
from ..controls.key import key_controls, key_faces
from ..controls.mapped_take import MappedTake, checked_controls, map_take, mapping_for
from ..controls.targets import Controls, find_places
from ..footage import scene_rate
from ..head.character import rest_axes
from ..head.jaw import jaw_bases, jaw_bone
from ..head.parts import Carried, parts_of, with_keys
from ..head.rest import Target, carriers, holding, take_off
from ..objects import key_blocks_of, keys_of, owner_of
from .action import KeyingReport, check_animatable, key_channels
from .bake_settings import BakeSettings
from .curves import SLOTTED, Animated, curves_of
from .followed import head_follows, keys_that_stay
from .groups import JAW
from .head_carrier import head_carrier
from .head_pose import bases_of, camera_from_rig, channels_of, check_movable, key_bases, world_motion
from .lay_curves import Keying
from .layer import REPLACE, Playing, is_animated_below, lift, read_playing
from .neck import split_motion
from .own_action import adopt, hand_over
from .reduce import count_text, reduce_keys, tolerance_of
from .signature import identity_of, sign, take_name, versions_of

_SAME_FRAME = 1e-3
_MOMENT_S = 1e-3


def apply_take(
    obj: bpy.types.Object, take: Take, settings: BakeSettings | None = None, *, scene: bpy.types.Scene | None = None
) -> KeyingReport:
    """Key a take on a character. Frames without a face and channels that were not observed get no keys.

    Args:
        obj: a mesh object with a mapping, or whose shape keys have the names of the take's channels; other meshes of
            the same character that have such keys are keyed with it.
        scene: gives the frame rate; the present scene if left out.
    Raises:
        FacecapError: the take holds no solved frame, fits no key of this mesh, or the mesh cannot be animated.
    """
    settings, scene = settings or BakeSettings(), scene or scene_in(bpy.context)
    solved = np.asarray(take.solved)
    if not solved.any():
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    mapping = mapping_for(obj, settings.mapping)
    controls, notes = (None, list[str]()) if mapping is None else checked_controls(obj, mapping, scene)
    parts = parts_of(obj, scene)
    may_be_keyed = animated_with(obj, parts, controls)
    below = read_playing(may_be_keyed) if settings.mode == "layer" else {}
    carried = head_carrier(obj, settings, parts)
    if settings.mode == "layer":
        adopt(may_be_keyed, versions_of(take), identity_of(take))
    rests = reference_pose(take)  # the whole take's, however little of it is keyed
    if settings.whole_frames:
        take = on_whole_frames(take, scene, settings.start_frame)
        solved = np.asarray(take.solved)
    if settings.within_s is not None:
        first, last = settings.within_s
        part = solved & (take.time_s >= first - _MOMENT_S) & (take.time_s <= last + _MOMENT_S)
        solved = part if part.any() else solved
    frames = scene_frames(take, scene, settings.start_frame)[solved]
    if mapping is None or controls is None:
        mapped, report = (
            None,
            _key_faces(obj, parts, take, solved, frames, settings, has_pose=carried.target is not None),
        )
    else:
        mapped = map_take(take, mapping, settings.gain)
        how = keying_of(take, settings)
        report = key_faces(controls, mapped.targets, frames, mapped.values[solved], how) or KeyingReport(None)
        report.unknown = mapped.unlinked
    report.remarks += notes + carried.remarks
    motion: list[Matrix] = []
    if carried.target is None:
        if settings.mode == "new":
            _take_off(carriers(obj), report)
    else:
        motion = head_motion(obj, take, solved, rests)
        action = _key_head(obj, carried, frames, motion, report, settings, take, below)
        report.action = report.action or action
    if mapped is None or controls is None:
        _key_jaw(obj, take, solved, frames, report, settings, carried.target)
    else:
        if settings.mode == "new":
            _take_off([one for one in controls.armatures if one not in carriers(obj)], report)
        _key_controls(obj, take, solved, frames, report, settings, carried, controls, mapped)
    report.frames = int(solved.sum())
    if scene == bpy.context.scene and settings.mode != "layer":  # a layer shows what is below it, too
        _look(obj, scene, frames, motion, carried.target, report)
    if settings.within_s is not None:
        hand_over(report.animated, str(take.provenance.get(MERGED_INTO) or ""), identity_of(take))
    if report.action is not None:
        sign(report.action, take)
    if settings.reduce > 0.0:
        count = reduce_keys(report.animated, tolerance_of(settings.reduce))
        report.remarks.append(count_text(count))
    if settings.mode == "layer":
        for datablock in dict.fromkeys(report.animated):
            whole = datablock in report.not_added
            layer = replace(settings.layer, blend=REPLACE) if whole else settings.layer
            lift(datablock, below.get(datablock), settings.name or take_name(take), layer)
    return report


def _key_faces(
    obj: bpy.types.Object,
    parts: list[bpy.types.Object],
    take: Take,
    solved: NDArray[np.bool_],
    frames: NDArray[np.float64],
    settings: BakeSettings,
    *,
    has_pose: bool,
) -> KeyingReport:
    """Key the shape keys of a character's meshes."""
    columns = [i for i, channel in enumerate(take.channels) if channel not in take.not_observed]
    if not columns:
        if not has_pose:
            raise FacecapError(
                "The footage shows nothing of what this character's shape keys do, so there is nothing to key.",
                "Pick a character whose shape keys move brows, lids, lips or jaw.",
            )
        check_animatable(obj)
        said = "The footage shows nothing of what the shape keys do: only the head's pose was keyed"
        return KeyingReport(None, remarks=[said])
    channels = [take.channels[i] for i in columns]
    report: KeyingReport | None = None
    for mesh in (obj, *with_keys(parts, channels)):
        keyed = key_channels(
            mesh,
            channels,
            frames,
            gained(mesh, take, settings.gain)[solved][:, columns],
            mode="new" if settings.to_own else "mix",
            name=settings.name or take_name(take),
            influence=settings.influence,
            take=identity_of(take),
            keep=settings.keep,
            in_strips=settings.mode == "layer",
            within=report.action if report is not None and settings.to_own else None,
        )
        if report is None:
            report = keyed
            continue
        report.animated += keyed.animated
        report.remarks.append(f"“{mesh.name}” has {len(keyed.keyed)} of these shape keys, too, and they were keyed")
        report.remarks += [f"{mesh.name}: {remark}" for remark in keyed.remarks]
    assert report is not None
    return report


def _key_head(
    obj: bpy.types.Object,
    carried: Carried,
    frames: NDArray[np.float64],
    motion: list[Matrix],
    report: KeyingReport,
    settings: BakeSettings,
    take: Take,
    below: dict[Animated, Playing],
) -> bpy.types.Action:
    """Key the head's motion on what carries the head, and on parts that nothing carries together with it."""
    target, within = carried.target, report.action if SLOTTED and settings.to_own else None
    assert target is not None
    things = carried.moved
    for thing in things:
        check_movable(thing)
    bases = [bases_of(thing, motion) for thing in things if thing != carried.neck]
    if carried.neck is not None and isinstance(target, bpy.types.PoseBone):
        necks, bases[0] = split_motion(carried.neck, target, motion, settings.neck_share)
        bases.append(necks)
    added_to = [_rest_below(thing, settings, below, report) for thing in things]
    stays = owner_of(target) if settings.mode == "mix" else None
    if settings.mode != "layer":  # which lies above what is there
        _take_off([owner for owner in carriers(obj) if owner != stays], report)
    if settings.mode == "new":
        _take_off(carried.riders, report)
    actions = [
        key_bases(
            thing,
            frames,
            basis,
            location=settings.head_location and thing != carried.neck,
            mode="new" if settings.to_own else "mix",
            name=f"{settings.name or take_name(take)} head",
            within=within,
            take=identity_of(take),
            keep=settings.keep,
            in_strips=settings.mode == "layer",
            added_to=rest,
        )
        for thing, basis, rest in zip(things, bases, added_to, strict=True)
    ]
    report.animated += [owner_of(thing) for thing in things]
    return actions[0]


def _rest_below(
    thing: Target, settings: BakeSettings, below: dict[Animated, Playing], report: KeyingReport
) -> Matrix | None:
    """The own transform to which a layer adds a thing's motion; None where it has to be keyed whole."""
    if not settings.adds:
        return None
    owner = owner_of(thing)
    paths = channels_of(thing, location=settings.head_location)
    if thing.rotation_mode != "AXIS_ANGLE" and is_animated_below(owner, paths, below):
        return bases_of(thing, [Matrix.Identity(4)])[0]
    report.not_added.append(owner)
    return None


def _look(
    obj: bpy.types.Object,
    scene: bpy.types.Scene,
    frames: NDArray[np.float64],
    motion: list[Matrix],
    target: bpy.types.Object | bpy.types.PoseBone | None,
    report: KeyingReport,
) -> None:
    """Say what Blender does not show of what was keyed, whatever the reason."""
    keys = keys_of(obj)
    if report.keyed and keys is not None and keys in report.animated:
        curves = list(curves_of(keys))
        values = np.array([[curve.evaluate(frame) for frame in frames] for curve in curves])
        paths = {curve.data_path for curve in curves}  # a mapping may key some on other meshes only
        keyed = [n for n in report.keyed if n in keys.key_blocks and keys.key_blocks[n].path_from_id("value") in paths]
        stay = keys_that_stay(scene, keys, keyed, float(frames[np.abs(values).sum(axis=0).argmax()]))
        if stay:
            report.remarks.append(f"{len(stay)} shape keys do not move as keyed ({', '.join(stay[:4])})")
    if target is not None and not head_follows(scene, target, frames, motion) and not holding(target):
        report.remarks.append(
            f"“{target.name}” does not turn as the head does: something else decides where it is (a constraint, a "
            "driver, an NLA track), so the head's pose is not seen"
        )


def _take_off(owners: list[bpy.types.Object], report: KeyingReport) -> None:
    for name in take_off(owners):
        report.remarks.append(f"“{name}” still moves by an earlier mix into an action of its own")


def keying_of(take: Take, settings: BakeSettings) -> Keying:
    """How a take's keys are laid."""
    return Keying(
        mode="new" if settings.to_own else "mix",
        name=settings.name or take_name(take),
        influence=settings.influence,
        take=identity_of(take),
        keep=settings.keep,
        in_strips=settings.mode == "layer",
    )


def _key_controls(
    obj: bpy.types.Object,
    take: Take,
    solved: NDArray[np.bool_],
    frames: NDArray[np.float64],
    report: KeyingReport,
    settings: BakeSettings,
    carried: Carried,
    controls: Controls,
    mapped: MappedTake,
) -> None:
    """Key the bones and properties of a mapping, the jaw's own motion with them where the take has it."""
    at_head = [path for thing in carried.moved for path in channels_of(thing, location=settings.head_location)]
    spared = {f"{path}[{index}]" for path, index in at_head}
    turned: dict[bpy.types.PoseBone, list[Matrix]] = {}
    bone = jaw_bone(obj) if take.jaw.any() else None
    places = [place for target in mapped.targets if target.kind == "bone" for place in find_places(controls, target)]
    if bone is not None and any(place.bone == bone for place in places):
        turned[bone] = jaw_motion(obj, bone, take, solved)
    else:
        _key_jaw(obj, take, solved, frames, report, settings, carried.target)
        spared |= set() if bone is None else {f"{path}[{i}]" for path, i in channels_of(bone, location=True)}
    key_controls(
        controls,
        mapped.targets,
        frames,
        mapped.values[solved],
        keying_of(take, settings),
        report,
        spared=spared,
        turned=turned,
    )


def jaw_motion(obj: bpy.types.Object, bone: bpy.types.PoseBone, take: Take, solved: NDArray[np.bool_]) -> list[Matrix]:
    """The own transforms of a jaw's bone in some frames of a take."""
    head = head_from_rig(take)
    rig_from_head = np.eye(4) if head is None else np.linalg.inv(head)
    return jaw_bases(obj, bone, take.jaw[solved], rest_axes(obj), rig_from_head)


def _key_jaw(
    obj: bpy.types.Object,
    take: Take,
    solved: NDArray[np.bool_],
    frames: NDArray[np.float64],
    report: KeyingReport,
    settings: BakeSettings,
    target: bpy.types.Object | bpy.types.PoseBone | None,
) -> None:
    """Key the jaw's bone where the take moves it."""
    if not take.jaw.any():
        return
    bone = jaw_bone(obj)
    if bone is None:
        report.remarks.append("The take moves a jaw bone that this character does not have.")
        return
    bases = jaw_motion(obj, bone, take, solved)
    # Into the armature's present action: the head's keys may be there already.
    present = settings.mode == "mix" or (target is not None and owner_of(target) == owner_of(bone))
    key_bases(
        bone,
        frames,
        bases,
        mode="mix" if present else "new",
        name=f"{settings.name or take_name(take)} jaw",
        within=report.action if SLOTTED and settings.to_own else None,
        take=identity_of(take),
        keep=settings.keep,
        in_strips=settings.mode == "layer",
        group=JAW,
    )
    report.animated.append(owner_of(bone))


def animated_with(
    obj: bpy.types.Object, parts: Sequence[bpy.types.Object], controls: Controls | None = None
) -> list[Animated]:
    """What a bake may key of a character: the keys of its meshes, what carries its head, and what a mapping moves."""
    keys = [keys for mesh in (obj, *parts) if (keys := keys_of(mesh)) is not None]
    owners = [owner for mesh in (obj, *parts) for owner in carriers(mesh)]
    return [*keys, *dict.fromkeys([*owners, *(() if controls is None else controls.objects)])]


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
    return resample(take, (frames - start_frame) / scene_rate(scene))


def gained(obj: bpy.types.Object, take: Take, gain: float) -> NDArray[np.float64]:
    """(F, K) float64: the take's weights times the gain, inside the range of each shape key."""
    weights = np.asarray(take.weights, np.float64) * gain
    blocks = {block.name: block for block in key_blocks_of(obj)}
    for column, channel in enumerate(take.channels):
        block = blocks.get(channel)
        if block is not None:
            np.clip(weights[:, column], block.slider_min, block.slider_max, out=weights[:, column])
    return weights


def head_motion(obj: bpy.types.Object, take: Take, rows: NDArray[np.bool_], rests: NDArray[np.float64]) -> list[Matrix]:
    """World-space motion of a character's head from where it rests, in some rows (F,) of a take.

    Args:
        rests: (7,) the pose at rest, see `reference_pose`.
    """
    rotation = np.concatenate([take.head_rotation_wxyz[rows], rests[None, :4]])
    translation = np.concatenate([take.head_translation_m[rows], rests[None, 4:]])
    poses = camera_from_rig(rotation, translation, head_from_rig(take))
    return world_motion(obj, poses, len(poses) - 1)[:-1]


def head_from_rig(take: Take) -> NDArray[np.float64] | None:
    """(4, 4) float64, metres: head space from rig space, where the take says they differ."""
    stored = take.provenance.get("head_from_rig")
    return None if stored is None else np.asarray(stored, np.float64).reshape(4, 4)
