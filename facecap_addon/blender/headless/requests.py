"""Extract and bake without a window: a request in, a rig or a .blend out. The source file is never changed.

    {"do": "extract", "blend": PATH, "object": NAME?, "out": RIG.npz, "bare": false, "to_key": false,
     "head": "auto", "bone": "", "mapping": FACTS?}
    {"do": "bake", "blend": PATH, "object": NAME?, "take": TAKE.npz, "out": OUT.blend, "video": PATH?,
     "audio": PATH?, "audio_offset_s": 0, "whole_frames": false, "reduce_keys": 0, "mode": "new", "gain": 1,
     "head": "auto", "bone": "", "start_frame": 1, "loop": false, "mapping": FACTS?}
    {"do": "read_mesh", "file": PATH.abc or .usd, "vertices": COUNT, "out": OUT.mdd, "fps": 25}
    {"do": "export", "blend": PATH, "object": NAME?, "take": TAKE.npz, "out": OUT.glb, .fbx, .usd or .abc,
     "mapping": MAPPING.json?, "fps": 25?, "head": "auto", "bone": ""}
    {"do": "add_keys", "blend": PATH, "object": NAME?, "rig": RIG.npz, "out": OUT.blend}
    {"do": "play_points", "blend": PATH, "object": NAME?, "points": CACHE.pc2, "out": OUT.blend, "fps": 25,
     "start_frame": 1}

Replies are JSON lines: {"event": "result", "result": {…}} or
{"event": "error", "what": …, "way_out": …, "exit_code": …}.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...rig.blendshapes import load_rig, save_rig
from ...rig.mapping.mapping_file import mapping_from
from ...takes.npz import load_take
from ...takes.take import Take
from ..present import MAPPING, scene_in, view_layer_in
from ..properties import mapping as mapping_properties
from ..scene.animation.action import check_animatable
from ..scene.animation.bake import apply_take
from ..scene.animation.bake_settings import BakeSettings
from ..scene.animation.head_carrier import head_carrier
from ..scene.animation.nla import cycle
from ..scene.animation.point_cache import play_cache
from ..scene.camera_setup import add_camera, add_lights, add_plate, frame_views
from ..scene.controls.check import check_targets
from ..scene.controls.face_size import scale_to_character
from ..scene.controls.stored_mapping import store_mapping
from ..scene.footage import add_audio, match_scene
from ..scene.head.character import character_notes, extract_rig, is_moved_by_controls, read_controlled
from ..scene.head.find_head import choice_note, rank_heads
from ..scene.head.parts import parts_of
from ..scene.head.shape_keys import write_shape_keys
from ..scene.objects import key_blocks_of, mesh_of

Wait = Callable[[], None]
MOST_OTHERS = 3


def answer(request_text: str, *, wait: Wait | None = None) -> tuple[dict[str, Any], int]:
    """Do what a request asks.

    Args:
        wait: returns when the take is there; called after the character is open. None: it is there.
    Returns:
        the reply and the exit code: 0 done, 2 bad input, 1 a fault of FaceCap's own.
    """
    try:
        return {"event": "result", "result": answer_request(json.loads(request_text), wait=wait)}, 0
    except FacecapError as error:
        return _error(error.what, error.way_out, error.exit_code), error.exit_code
    except OSError as error:
        name = Path(str(error.filename)).name if error.filename else "a file"
        return _error(f"{name} cannot be read or written ({error.strerror}).", "Check the disk and the folder.", 2), 2
    except Exception as error:  # the last line of defence: the caller shows it
        traceback.print_exc()
        return _error(f"Blender's part failed: {type(error).__name__}: {error}", "Please report this.", 1), 1


def answer_request(request: dict[str, Any], *, wait: Wait | None = None) -> dict[str, Any]:
    """Do what a request asks, in this process; returns the result's facts. Raises FacecapError."""
    match request.get("do"):
        case "extract":
            return extract(request)
        case "bake":
            return bake(request, wait=wait)
        case "read_mesh":
            return read_mesh(request)
        case "export":
            return export(request, wait=wait)
        case "add_keys":
            return add_keys(request)
        case "play_points":
            return play_points(request)
        case unknown:
            raise FacecapError(
                f"Unknown request {unknown!r}.", "Ask for extract, bake, export, read_mesh, add_keys or play_points."
            )


def extract(request: dict[str, Any]) -> dict[str, Any]:
    """Write the rig of a character in a .blend file to an `.npz`. Raises FacecapError where it cannot be used so."""
    bare = bool(request.get("bare", False))
    obj, notes, others = open_character(request)
    give_mapping(obj, request)
    if not bare:
        notes = notes + character_notes(obj)
    if request.get("to_key"):  # it will be keyed later: what would keep it from that is said before the long work
        if not is_moved_by_controls(obj):
            check_animatable(obj)
        notes = notes + head_carrier(obj, BakeSettings(**head_choice(request)), parts_of(obj, _scene_of(obj))).remarks
    if not bare and is_moved_by_controls(obj):
        measured = read_controlled(obj)
        rig, notes = measured.rig, notes + list(measured.notes)
    else:
        rig = extract_rig(obj, bare=bare)
    out = Path(request["out"])
    with atomic_path(out) as temporary:
        save_rig(temporary, rig)
    return {
        "rig": str(out),
        "object": obj.name,
        "vertices": rig.vertex_count,
        "channels": list(rig.channels),
        "notes": notes,
        "others": others,
        "libraries": [bpy.path.abspath(library.filepath) for library in bpy.data.libraries],
    }


def bake(request: dict[str, Any], *, wait: Wait | None = None) -> dict[str, Any]:
    """Key a take on a character and save the scene around it as a new .blend file.

    Args:
        wait: returns when the take's file is there; Blender has opened the character by then.
    """
    out = _new_file(request)
    obj, notes, _ = open_character(request)
    give_mapping(obj, request)
    if wait is not None:
        wait()
    take = load_take(Path(request["take"]))
    scene = _scene_of(obj)
    start = int(request.get("start_frame", 1))
    match_scene(scene, _rate(take, request), float(take.time_s[-1]), start_frame=start)
    settings = BakeSettings(
        mode=request.get("mode", "new"),
        gain=float(request.get("gain", 1.0)),
        **head_choice(request),
        start_frame=start,
        whole_frames=bool(request.get("whole_frames", False)),
        reduce=float(request.get("reduce_keys", 0.0)),
    )
    report = apply_take(obj, take, settings, scene=scene)
    if request.get("loop"):
        for animated in report.animated:
            cycle(animated)
    video = Path(request["video"]).resolve() if request.get("video") else None
    audio = Path(request["audio"]).resolve() if request.get("audio") else video
    has_audio = dress(scene, obj, take, video, audio, start, float(request.get("audio_offset_s", 0.0)))
    scene.frame_set(start)
    with atomic_path(out) as temporary:
        save_blend(temporary)
    return {
        "blend": str(out),
        "object": obj.name,
        "action": report.action.name if report.action is not None else None,
        "keyed": report.keyed,
        "controls": report.controls,
        "unknown": report.unknown,
        "audio": has_audio,
        "notes": notes + report.remarks,
    }


def give_mapping(obj: bpy.types.Object, request: dict[str, Any]) -> None:
    """Give the character the mapping of a request, if it has one. Raises FacecapError where it cannot be keyed so."""
    if request.get("mapping"):
        scene = _scene_of(obj)
        mapping = scale_to_character(obj, mapping_from(request["mapping"]), scene=scene)
        check_targets(obj, mapping, scene=scene).refuse(mapping.name)
        store_mapping(obj, mapping)


def _know_mappings() -> None:
    """Let characters have mappings, in a process that did not enable the add-on."""
    if not hasattr(bpy.types.Object, MAPPING):
        for cls in mapping_properties.CLASSES:
            bpy.utils.register_class(cls)
        mapping_properties.register()


def export(request: dict[str, Any], *, wait: Wait | None = None) -> dict[str, Any]:
    """Key a take on a character and write it, with its parts and what carries them, for another program.

    The footage starts at frame 0, so that times in the file are those of the footage.
    """
    from .export import export_take

    obj, notes, _ = open_character(request)
    if wait is not None:
        wait()
    take = load_take(Path(request["take"]))
    scene = _scene_of(obj)
    match_scene(scene, _rate(take, request), float(take.time_s[-1]), start_frame=0)
    settings = BakeSettings(**head_choice(request), start_frame=0.0, whole_frames=True, keep=False)
    mapping = Path(request["mapping"]) if request.get("mapping") else None
    notes += export_take(obj, take, settings, Path(request["out"]), scene, mapping)
    return {"file": request["out"], "object": obj.name, "notes": notes}


def head_choice(request: dict[str, Any]) -> dict[str, Any]:
    """What a request wants the head's pose keyed on, as BakeSettings has it: BONE, or ARMATURE:BONE, or neither.

    Raises FacecapError if there is no such armature.
    """
    text = str(request.get("bone") or "")
    choice: dict[str, Any] = {"head": "bone" if text else request.get("head", "auto"), "bone": text}
    armature, colon, bone = text.partition(":")
    named = bpy.data.objects.get(armature) if colon else None
    if named is not None and named.type == "ARMATURE":  # else the bone's own name holds a colon
        choice |= {"armature": named, "bone": bone}
    return choice


def read_mesh(request: dict[str, Any]) -> dict[str, Any]:
    """Write the vertices of the mesh in an Alembic or USD file to a point cache, in the scene's axes, metres."""
    from ..scene.moving_mesh import write_mesh_points

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    render, fps = scene_in(bpy.context).render, float(request["fps"])
    render.fps = max(1, round(fps))
    render.fps_base = render.fps / fps
    frames = write_mesh_points(Path(request["file"]), Path(request["out"]), int(request["vertices"]))
    return {"points": request["out"], "frames": frames}


def add_keys(request: dict[str, Any]) -> dict[str, Any]:
    """Put a rig's shape keys on a character and save the scene around it as a new .blend file."""
    out = _new_file(request)
    obj, _, _ = open_character({**request, "bare": True})
    added = write_shape_keys(obj, load_rig(Path(request["rig"])))
    with atomic_path(out) as temporary:
        save_blend(temporary)
    return {"blend": str(out), "object": obj.name, "keys": added}


def play_points(request: dict[str, Any]) -> dict[str, Any]:
    """Let a character play a point cache in rig space and save the scene around it as a new .blend file."""
    out = _new_file(request)
    obj, _, _ = open_character({**request, "bare": True})
    scene = _scene_of(obj)
    start = int(request.get("start_frame", 1))
    target = out.with_suffix(".playing.pc2")
    fps = float(request["fps"])
    frames = play_cache(obj, Path(request["points"]), target, fps=fps, start_frame=start, scene=scene)
    scene.frame_start, scene.frame_end = start, max(start, frames[-1])
    scene.frame_set(start)
    with atomic_path(out) as temporary:
        save_blend(temporary)
    return {"blend": str(out), "object": obj.name, "frames": len(frames)}


def _new_file(request: dict[str, Any]) -> Path:
    """The file to write. Raises FacecapError if it is the character's own."""
    out, source = Path(request["out"]), Path(request["blend"])
    if out.exists() and source.exists() and out.samefile(source):
        raise FacecapError(f"{out.name} is the character's own file.", "Choose another name for the result.")
    return out


def dress(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    take: Take,
    video: Path | None,
    audio: Path | None,
    start: int,
    audio_offset_s: float,
) -> bool:
    """Camera, light, footage and sound around a baked character; whether there is sound."""
    movie = video if video is not None and video.is_file() else None
    add_camera(scene, obj, take, movie, start)
    add_lights(scene, obj)
    if movie is not None:
        add_plate(scene, obj, movie, take.image_size, start, take=take)
    strip = None
    if audio is not None and audio.is_file():
        strip = add_audio(scene, audio, start_frame=start, offset_s=audio_offset_s)
    frame_views(scene, obj)
    return strip is not None


def open_character(request: dict[str, Any]) -> tuple[bpy.types.Object, list[str], list[str]]:
    """Open the .blend of a request and find its character.

    Returns the object, what to say of the choice if none was named, and the names of other meshes that it might be.
    """
    _know_mappings()
    path = Path(request["blend"])
    if not path.is_file():
        raise FacecapError(f"There is no file {path}.", "Check the path of the character's .blend file.")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=True, use_scripts=False)
    except RuntimeError as error:
        raise FacecapError(
            f"Blender {bpy.app.version_string} cannot open {path.name} ({str(error).strip()}).",
            "Check that it is a .blend file, not newer than this Blender.",
        ) from error
    view_layer_in(bpy.context).update()
    name = request.get("object")
    if name:
        obj = bpy.data.objects.get(name)
        if obj is None:
            meshes = [o.name for o in bpy.data.objects if o.type == "MESH"]
            raise FacecapError(
                f"{path.name} has no object called “{name}”.", f"Its meshes are: {', '.join(meshes[:12]) or 'none'}."
            )
        return obj, [], []
    return most_likely_character(path, bare=bool(request.get("bare", False)))


def most_likely_character(path: Path, *, bare: bool = False) -> tuple[bpy.types.Object, list[str], list[str]]:
    """The mesh that is most like a head, what to say about the choice, and the names of the next likely ones.

    Args:
        bare: whether a mesh without shape keys will do.
    """
    every = [o for o in bpy.data.objects if o.type == "MESH"]
    meshes = [o for o in every if len(key_blocks_of(o)) > 1]
    if not meshes:
        meshes = [o for o in every if len(mesh_of(o).polygons) and (bare or is_moved_by_controls(o))]
    if not meshes:
        raise FacecapError(
            f"No mesh in {path.name} has shape keys or bones, so there is nothing to animate.",
            "Choose a file whose head has facial shape keys, or bones that move its face.",
        )
    ranked = rank_heads(meshes)
    others = [obj.name for obj, like in ranked[1:] if like.seen and (like.keys or not ranked[0][1].keys)]
    notes = [choice_note(ranked)] if len(ranked) > 1 and ranked[0][1].keys else []
    return ranked[0][0], notes, others[:MOST_OTHERS]


def save_blend(path: Path) -> None:
    """Save a copy of the open file. Raises FacecapError if it cannot be written."""
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, check_existing=False)
    except RuntimeError as error:
        raise FacecapError(
            f"The .blend file could not be written ({str(error).strip()}).", "Check the folder and the free space."
        ) from error


def _scene_of(obj: bpy.types.Object) -> bpy.types.Scene:
    """The scene to bake in: the active one if the object is in it."""
    present = scene_in(bpy.context)
    if present in obj.users_scene:
        return present
    for scene in bpy.data.scenes:
        if scene in obj.users_scene:
            window = bpy.context.window
            if window is not None:
                window.scene = scene
            return scene
    return present


def _rate(take: Take, request: dict[str, Any]) -> Fraction:
    """The footage's frame rate: as given, else as the take says, else from its timestamps."""
    given = request.get("fps") or take.provenance.get("fps")
    if given:
        return Fraction(str(given)).limit_denominator(100_000)
    if take.frame_count < 2:
        return Fraction(24)
    span = float(take.time_s[-1] - take.time_s[0])
    return Fraction((take.frame_count - 1) / span).limit_denominator(1001)


def _error(what: str, way_out: str, exit_code: int) -> dict[str, Any]:
    return {"event": "error", "what": what, "way_out": way_out, "exit_code": exit_code, "report": None}
