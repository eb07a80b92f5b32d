"""Runs inside a Blender with a window: drags a landmark over the footage and one over the mesh, as a hand would.

    blender --enable-event-simulate --window-geometry 0 0 1600 900 --python tests/gui/drive_corrections.py -- REQUEST

The request: {"root": checkout, "scene": .blend with a solved head, "embedding": its landmarks, "reply": file to write}.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import bpy
from mathutils import Vector

REQUEST = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
CORNER, BROW, WAY_PX = 61, 105, (24.0, -32.0)
seen: dict[str, object] = {"blender": bpy.app.version_string}
state: dict[str, tuple[float, float]] = {}


def view3d() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def in_view(call: Callable[[], object]) -> object:
    window, area, region = view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        return call()


def simulate(kind: str, value: str, away: tuple[float, float] = (0.0, 0.0)) -> None:
    window, _, region = view3d()
    x, y = state["at"]
    window.event_simulate(type=kind, value=value, x=int(region.x + x + away[0]), y=int(region.y + y + away[1]))


def open_scene() -> None:
    sys.path.insert(0, REQUEST["root"])
    from facecap_addon import addon

    addon.register()
    bpy.context.preferences.view.show_splash = False
    bpy.ops.wm.open_mainfile(filepath=REQUEST["scene"], load_ui=False)


def begin_correcting() -> None:
    settings = bpy.context.scene.facecap
    settings.result.embedding, settings.corrections.grip = REQUEST["embedding"], "lip_corner"
    bpy.context.scene.frame_set(10)
    seen["begun"] = list(in_view(lambda: bpy.ops.facecap.correct_landmarks("INVOKE_DEFAULT")))


def look_at_corner() -> None:
    from facecap_addon.blender.corrections import landmarks_at, row_of, take_of
    from facecap_addon.blender.overlay.picture_in_view import find_picture

    scene = bpy.context.scene
    take = take_of(scene)
    points = landmarks_at(scene, take, row_of(scene, take, scene.frame_current))
    picture = in_view(lambda: find_picture(bpy.context, take.image_size))
    state["at"] = tuple(picture.to_region(points[[CORNER]])[0].tolist())
    simulate("MOUSEMOVE", "NOTHING")


def begin_editing() -> None:
    _, area, _ = view3d()
    view = area.spaces.active.region_3d
    area.spaces.active.clip_start = 0.01
    view.view_perspective = "PERSP"
    view.view_location = bpy.context.scene.facecap.character.matrix_world.translation
    view.view_rotation, view.view_distance = (0.7071068, 0.7071068, 0.0, 0.0), 0.6
    in_view(lambda: bpy.ops.facecap.edit_landmarks("INVOKE_DEFAULT"))


def look_at_brow() -> None:
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    from facecap_addon.blender.operators.viewport.edit_landmarks import read_surface

    _, area, region = view3d()
    place = read_surface(bpy.context).landmarks()[BROW].tolist()
    state["at"] = tuple(location_3d_to_region_2d(region, area.spaces.active.region_3d, Vector(place)))
    simulate("MOUSEMOVE", "NOTHING")


def press() -> None:
    simulate("LEFTMOUSE", "PRESS")


def drag() -> None:
    for step in range(1, 9):
        simulate("MOUSEMOVE", "NOTHING", (WAY_PX[0] * step / 8, WAY_PX[1] * step / 8))


def release() -> None:
    simulate("LEFTMOUSE", "RELEASE", WAY_PX)


def take_back() -> None:
    simulate("RIGHTMOUSE", "PRESS", WAY_PX)
    simulate("RIGHTMOUSE", "RELEASE", WAY_PX)
    release()


def leave() -> None:
    simulate("ESC", "PRESS")


def undo() -> None:
    in_view(bpy.ops.ed.undo)


def redo() -> None:
    in_view(bpy.ops.ed.redo)


def note(name: str) -> Callable[[], None]:
    """Keep what there is: corrections with the way of the corner, and how many landmarks were moved on the mesh."""

    def write() -> None:
        from facecap_addon.blender.corrections import corrections_in
        from facecap_addon.blender.scene.head.edited_landmarks import edits_of

        scene = bpy.context.scene
        offsets = [dict(zip(c.landmarks.tolist(), c.offsets_px.tolist(), strict=True)) for c in corrections_in(scene)]
        edits = edits_of(scene.facecap.character)
        seen[name] = {
            "corner_px": [each.get(CORNER) for each in offsets],
            "edited": [] if edits is None else edits.landmark.tolist(),
        }

    return write


def done() -> None:
    seen["modal"] = [operator.bl_idname for operator in bpy.context.window_manager.windows[0].modal_operators]
    Path(REQUEST["reply"]).write_text(json.dumps(seen), encoding="utf-8")
    os._exit(0)


HAND = [press, drag, release]
STEPS = [
    *(open_scene, begin_correcting, look_at_corner, *HAND, note("dragged"), look_at_corner, press, drag, take_back),
    *(note("taken_back"), undo, note("undone"), redo, note("redone"), leave),
    *(begin_editing, look_at_brow, *HAND, note("edited"), undo, note("edit_undone"), leave, done),
]


def tick() -> float:
    try:
        STEPS.pop(0)()
    except BaseException:
        seen["error"] = traceback.format_exc()
        done()
    return 1.5


bpy.app.timers.register(tick, first_interval=2.0, persistent=True)
