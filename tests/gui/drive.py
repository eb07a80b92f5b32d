"""Runs inside a Blender with a window: opens the sample head, presses Solve, watches, undoes, and writes what it saw.

    blender --window-geometry 0 0 1600 900 --python tests/gui/drive.py -- REQUEST.json

The request: {"root": checkout, "head": .blend, "video": …, "reply": file to write, "cancel_after_s": null or seconds,
"last_frame": null or where to stop, "preview": whether to write one, "press": false to leave Solve alone, "live_s":
seconds of live capture of the video instead of a solve, "stay": true to leave the window open}. If the extension is
installed and enabled it is used, else the checkout is.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy

REQUEST = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
seen: dict[str, object] = {"gaps_s": [], "stages": [], "blender": bpy.app.version_string}
state = {"began_s": 0.0, "tick_s": 0.0, "cancelled": False}


def session():
    """The add-on's session module, under whichever name it was loaded."""
    return next(module for name, module in sys.modules.items() if name.endswith("facecap_addon.blender.session"))


def view3d() -> dict[str, object]:
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def open_scene() -> None:
    if not hasattr(bpy.types.Scene, "facecap"):
        sys.path.insert(0, REQUEST["root"])
        from facecap_addon import addon

        addon.register()
    bpy.context.preferences.view.show_splash = False
    bpy.ops.wm.open_mainfile(filepath=REQUEST["head"], load_ui=False)


def show_tab() -> None:
    area = view3d()["area"]
    space = area.spaces.active
    with bpy.context.temp_override(**view3d()):  # after a file was loaded, a timer has no window: Blender would crash
        space.show_region_ui = True
    space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.overlay.show_cursor = False
    space.clip_start = 0.01
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    low = [min(corner[i] for corner in head.bound_box) for i in range(3)]
    high = [max(corner[i] for corner in head.bound_box) for i in range(3)]
    space.shading.color_type = "VERTEX" if len(head.data.color_attributes) else "MATERIAL"
    view = space.region_3d
    view.view_location = head.matrix_world.translation + (head.matrix_world.to_3x3() @ _middle(low, high))
    view.view_rotation = (0.7071068, 0.7071068, 0.0, 0.0)
    view.view_perspective = "PERSP"
    view.view_distance = 0.75


def _middle(low: list[float], high: list[float]):
    from mathutils import Vector

    return (Vector(low) + Vector(high)) / 2


def fill_in() -> None:
    area = view3d()["area"]
    with bpy.context.temp_override(**view3d()):
        bpy.ops.facecap.import_footage(filepath=REQUEST["video"])
        settings = bpy.context.scene.facecap
        settings.character = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
        if REQUEST.get("last_frame") is not None:
            settings.use_trim, settings.trim_end = True, REQUEST["last_frame"]
        settings.solve.preview = bool(REQUEST.get("preview"))
        bpy.ops.ed.undo_push(message="Footage and character chosen")
    area.tag_redraw()


def press_solve() -> float | None:
    if session().job is not None or session().waiting:  # the footage is still being looked at
        return 0.1
    with bpy.context.temp_override(**view3d()):
        seen["pressed"] = sorted(bpy.ops.facecap.solve("INVOKE_DEFAULT"))
    state["began_s"] = state["tick_s"] = time.monotonic()
    bpy.app.timers.register(watch, first_interval=0.05)
    return None


def watch() -> float | None:
    now_s = time.monotonic()
    seen["gaps_s"].append(round(now_s - state["tick_s"], 3))
    state["tick_s"] = now_s
    job = session().job
    if job is None and session().waiting:
        return 0.05
    if job is not None:
        if job.stage not in seen["stages"]:
            seen["stages"].append(job.stage)
        cancel_s = REQUEST.get("cancel_after_s")
        if cancel_s is not None and now_s - state["began_s"] > cancel_s and not state["cancelled"]:
            state["cancelled"] = True
            with bpy.context.temp_override(**view3d()):
                bpy.ops.facecap.cancel()
        return 0.05
    seen["seconds"] = round(now_s - state["began_s"], 2)
    bpy.app.timers.register(guarded(look, last=True), first_interval=0.5)
    return None


def press_live() -> None:
    """Start live capture of the footage; in the middle call it neutral, record and stop recording."""
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    state["before"] = [block.value for block in head.data.shape_keys.key_blocks]
    state["drawn"], state["first_s"], state["told"] = 0, None, []
    bpy.types.SpaceView3D.draw_handler_add(count_drawing, (), "WINDOW", "POST_PIXEL")
    with bpy.context.temp_override(**view3d()):
        bpy.context.scene.facecap.live.kind = "video"
        seen["pressed"] = sorted(bpy.ops.facecap.live("INVOKE_DEFAULT"))
    bpy.app.timers.register(guarded(watch_live), first_interval=0.05)


def count_drawing() -> None:
    state["drawn"] += 1


def watch_live() -> None:
    live, now_s = session().live, time.monotonic()
    if live is None:
        head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
        seen["taken_back"] = state["before"] == [block.value for block in head.data.shape_keys.key_blocks]
        seen["action"] = action_name()
        seen["lines"] = session().outcome.lines if session().outcome else []
        bpy.app.timers.register(guarded(lambda: None, last=True), first_interval=0.2)
        return
    if live.face is not None and live.face.weights:
        if state["first_s"] is None:
            state["first_s"], state["drawn"] = now_s, 0
        into = (now_s - state["first_s"]) / REQUEST["live_s"]
        head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
        seen.setdefault("values", []).append(round(head.data.shape_keys.key_blocks["jawOpen"].value, 4))
        for share, name in ((0.2, "live_neutral"), (0.4, "live_record"), (0.7, "live_record"), (1.0, "live_stop")):
            if into >= share and (share, name) not in state["told"]:
                if share == 1.0:
                    seen["redraws_per_s"] = round(state["drawn"] / (now_s - state["first_s"]), 1)
                    seen["latency_ms"] = [round(v, 1) for v in live.latency_ms]
                    seen["dropped"] = live.face.dropped
                    if REQUEST.get("stay"):
                        return
                state["told"].append((share, name))
                with bpy.context.temp_override(**view3d()):
                    getattr(bpy.ops.facecap, name)()
    bpy.app.timers.register(guarded(watch_live), first_interval=0.05)


def look() -> None:
    outcome = session().outcome
    seen["ok"], seen["lines"] = outcome.ok, outcome.lines
    seen["action"] = action_name()
    if outcome.ok and not REQUEST.get("stay"):
        with bpy.context.temp_override(**view3d()):
            bpy.ops.ed.undo()
            seen["action_after_undo"] = action_name()
            bpy.ops.ed.redo()
            seen["action_after_redo"] = action_name()


def action_name() -> str:
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    animation = head.data.shape_keys.animation_data
    return animation.action.name if animation and animation.action else ""


def guarded(step, *, last: bool = False):
    """The step as a timer: what it raises is written down, and after the last one Blender quits.

    A step that answers with seconds is called again then.
    """

    def run() -> float | None:
        again_s = None
        try:
            again_s = step()
        except Exception:
            seen["error"] = traceback.format_exc()
        if last or "error" in seen:
            reply = Path(REQUEST["reply"])
            reply.write_text(json.dumps(seen, indent=1), encoding="utf-8")
            if not REQUEST.get("stay"):
                os._exit(0)  # quit_blender would ask whether to save
        return again_s

    return run


def open_tab() -> float | None:
    """Turn to the FaceCap tab, as soon as the sidebar has been drawn once."""
    area = view3d()["area"]
    sidebar = next(region for region in area.regions if region.type == "UI")
    area.tag_redraw()
    try:
        sidebar.active_panel_category = "FaceCap"
    except AttributeError:  # read-only until then
        return 0.5
    return None


bpy.app.timers.register(guarded(open_scene), first_interval=1.0, persistent=True)
bpy.app.timers.register(guarded(show_tab), first_interval=2.5, persistent=True)
bpy.app.timers.register(open_tab, first_interval=3.5, persistent=True)
bpy.app.timers.register(guarded(fill_in), first_interval=4.5, persistent=True)
if REQUEST.get("live_s"):
    bpy.app.timers.register(guarded(press_live), first_interval=6.0, persistent=True)
elif REQUEST.get("press") is not False:
    bpy.app.timers.register(guarded(press_solve), first_interval=6.0, persistent=True)
