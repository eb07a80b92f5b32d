"""Runs inside a Blender with a window: long work while files are switched, heads deleted, the add-on switched off.

    blender --window-geometry 0 0 1600 900 --python tests/gui/drive_jobs.py -- REQUEST.json

The request: {"root": checkout, "head": .blend, "other": .blend, "video": …, "reply": file to write}, and to look at it
"shoot": a folder; for each picture a file NAME.wanted appears there, and the script waits until it is gone. What was
seen goes into the reply. An installed FaceCap is used where there is one, else the checkout.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path

import bpy

REQUEST = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
PATIENCE_S = 600.0
seen: dict[str, object] = {"blender": bpy.app.version_string}
state: dict[str, object] = {"until": None, "since_s": time.monotonic()}
Wait = Callable[[], bool]


def module(name: str):
    """A module of the add-on, under whichever name it was loaded."""
    return next(one for full, one in sys.modules.items() if full.endswith(f"facecap_addon.{name}"))


def session():
    return module("blender.session")


def view3d() -> dict[str, object]:
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def press(name: str, **options: object) -> list[str]:
    """A button of the panel."""
    with bpy.context.temp_override(**view3d()):
        return sorted(getattr(bpy.ops.facecap, name)("INVOKE_DEFAULT", **options))


def open_file(path: str) -> None:
    with bpy.context.temp_override(**view3d()):
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)


def head() -> bpy.types.Object:
    return next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)


def action_name() -> str:
    animation = head().data.shape_keys.animation_data
    return animation.action.name if animation and animation.action else ""


def solve(smoothness: float) -> list[str]:
    bpy.context.scene.facecap.solve.smoothness = smoothness
    return press("solve")


def idle() -> bool:
    return session().job is None and not session().waiting


def at_work() -> bool:
    return session().job is not None and session().job.fraction > 0.02


def shoot(name: str) -> Generator[Wait, None, None]:
    if REQUEST.get("shoot"):
        wanted = Path(REQUEST["shoot"]) / f"{name}.wanted"
        for area in view3d()["window"].screen.areas:
            area.tag_redraw()
        wanted.write_text("")
        yield lambda: not wanted.exists()


def open_sidebar() -> Generator[Wait, None, None]:
    area = view3d()["area"]
    area.spaces.active.show_region_ui = True
    area.tag_redraw()
    sidebar = next(region for region in area.regions if region.type == "UI")

    def turned() -> bool:
        try:
            sidebar.active_panel_category = "FaceCap"
        except AttributeError:  # read-only until it has been drawn once
            return False
        return True

    yield turned


def scenario() -> Generator[Wait, None, None]:
    if not hasattr(bpy.types.Scene, "facecap"):
        sys.path.insert(0, REQUEST["root"])
        from facecap_addon import addon

        addon.register()
    bpy.context.preferences.view.show_splash = False
    open_file(REQUEST["head"])
    yield lambda: True
    yield from open_sidebar()
    with bpy.context.temp_override(**view3d()):
        bpy.ops.facecap.import_footage(filepath=REQUEST["video"], show_beside=False)
    settings = bpy.context.scene.facecap
    settings.character, settings.solve.preview = head(), False
    with bpy.context.temp_override(**view3d()):
        bpy.ops.wm.save_mainfile()
        bpy.ops.ed.undo_push(message="Footage and character chosen")

    # One runs, one waits; the result is one undo step, and nothing modal is left running.
    seen["pressed"] = [solve(1.0), solve(2.0)]
    yield at_work
    seen["waiting"] = len(session().waiting)
    seen["modal"] = [one.bl_idname for one in getattr(view3d()["window"], "modal_operators", ())]
    yield from shoot("running")
    yield lambda: session().job is not None and not session().waiting
    seen["action"] = action_name()
    with bpy.context.temp_override(**view3d()):
        bpy.ops.ed.undo()
        seen["action_after_undo"] = action_name()
        bpy.ops.ed.redo()
        seen["action_after_redo"] = action_name()

    # Another file is open when the second is done.
    with bpy.context.temp_override(**view3d()):
        bpy.ops.wm.save_mainfile()
    open_file(REQUEST["other"])
    yield idle
    seen["offered_elsewhere"] = [job.reason for job in session().finished]
    yield from open_sidebar()
    yield from shoot("offered")
    open_file(REQUEST["head"])
    yield lambda: True
    before = len(bpy.context.scene.facecap.takes)
    seen["used"] = press("use_result", job=session().finished[0].id)
    seen["takes"] = [before, len(bpy.context.scene.facecap.takes)]

    # The add-on is switched off in mid-job, and on again.
    solve(3.0)
    yield at_work
    pid = session().job.runner.pid
    addon = module("addon")
    addon.unregister()
    seen["worker_ended"] = not Path(f"/proc/{pid}").exists()
    addon.register()
    yield lambda: bool(session().stopped)
    yield lambda: hasattr(bpy.context.scene, "facecap")
    seen["stopped"] = [job.reason for job in session().stopped]
    yield from open_sidebar()
    yield from shoot("stopped")
    press("continue_job", job=session().stopped[0].id)
    yield idle
    seen["takes_after_continue"] = len(bpy.context.scene.facecap.takes)

    # Esc over the sidebar and the character deleted in mid-job.
    solve(4.0)
    yield at_work
    bpy.data.objects.remove(head())
    yield idle
    seen["offered_without_head"] = [job.reason for job in session().finished]
    seen["status_bar_is_blenders"] = not module("blender.queue.status_bar")._shown


steps = scenario()


def run() -> float | None:
    """Go on as soon as what was waited for has come; in the end, or on an error, write the reply and quit."""
    try:
        waited = time.monotonic() - float(str(state["since_s"]))
        until = state["until"]
        if callable(until) and not until():
            if waited > PATIENCE_S:
                raise TimeoutError(f"line {steps.gi_frame.f_lineno if steps.gi_frame else 0} of {__file__}")
            return 0.1
        state["until"], state["since_s"] = next(steps), time.monotonic()
        return 0.3
    except StopIteration:
        pass
    except Exception:
        seen["error"] = traceback.format_exc()
    Path(REQUEST["reply"]).write_text(json.dumps(seen, indent=1), encoding="utf-8")
    os._exit(0)  # quit_blender would ask whether to save


bpy.app.timers.register(run, first_interval=1.5, persistent=True)
