"""A day at the desk, inside a Blender window: solve, check, drag a landmark, solve its range again, edit, bake, with
undo and redo after each, save and reload. Writes what it saw to the reply that the request names.

    blender --enable-event-simulate --python tests/gui/desk.py -- request.json
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

REQUEST = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
FRAMES = (5, 20, 50)
"""Frames at which evaluated vertices are compared; 20 is corrected."""
seen: dict[str, Any] = {"blender": bpy.app.version_string, "moved": {}}


def package() -> str:
    for name in list(sys.modules):
        if name.endswith("facecap_addon.blender.session"):
            return name.removesuffix(".blender.session")
    sys.path.insert(0, REQUEST["root"])
    importlib.import_module("facecap_addon.addon").register()
    return "facecap_addon"


def module(name: str) -> Any:
    return importlib.import_module(f"{package()}.{name}")


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def view() -> dict[str, Any]:
    area = next(area for area in window().screen.areas if area.type == "VIEW_3D")
    return {"window": window(), "area": area, "region": next(r for r in area.regions if r.type == "WINDOW")}


def head() -> bpy.types.Object:
    return next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys and len(o.data.vertices) > 1000)


def shape() -> dict[int, list[float]]:
    """Evaluated vertices of the head, every 97th, at some frames; in its own space."""
    scene, found = bpy.context.scene, {}
    before = scene.frame_current
    for frame in FRAMES:
        scene.frame_set(frame)
        mesh = head().evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        found[frame] = [float(v) for i in range(0, len(mesh.vertices), 97) for v in mesh.vertices[i].co]
    scene.frame_set(before)
    return found


def distance(one: dict[int, list[float]], other: dict[int, list[float]]) -> list[float]:
    """The largest difference at each frame, mm."""
    return [1e3 * max(abs(a - b) for a, b in zip(one[frame], other[frame], strict=True)) for frame in FRAMES]


def note(step: str, before: dict[int, list[float]]) -> dict[int, list[float]]:
    """Write down how far a step, undoing it and redoing it moved the head."""
    after = shape()
    run("ed.undo")
    undone = shape()
    run("ed.redo")
    seen["moved"][step] = {
        "done": distance(before, after),
        "undone": distance(before, undone),
        "redone": distance(after, shape()),
    }
    return after


def run(name: str, how: str = "EXEC_DEFAULT", **options: Any) -> list[str]:
    """Call an operator as a button does: what it changes is an undo step."""
    group, _, operator = name.partition(".")
    with bpy.context.temp_override(**view()):
        return sorted(getattr(getattr(bpy.ops, group), operator)(how, not name.startswith("ed."), **options))


def while_busy() -> Iterator[float]:
    """Until the job is done, and Blender had a moment after it."""
    yield 0.3
    session, until_s = module("blender.session"), time.monotonic() + REQUEST["patience_s"]
    while (session.job is not None or session.waiting) and time.monotonic() < until_s:
        yield 0.2
    yield 0.5


def drag(landmark: int, by_px: tuple[float, float]) -> Iterator[float]:
    """Drag a landmark by the mouse, as a person does."""
    scene = bpy.context.scene
    corrections = module("blender.corrections")
    take = corrections.take_of(scene)
    where = view()
    with bpy.context.temp_override(**where):
        picture = module("blender.overlay.picture_in_view").find_picture(bpy.context, take.image_size)
    points = corrections.landmarks_at(scene, take, corrections.row_of(scene, take, scene.frame_current))
    at, to = picture.to_region(points[landmark : landmark + 1])[0], None
    to = picture.to_region(points[landmark : landmark + 1] + by_px)[0]
    region = where["region"]

    def event(kind: str, value: str, place: Any) -> None:
        window().event_simulate(
            type=kind, value=value, x=round(region.x + float(place[0])), y=round(region.y + float(place[1]))
        )

    event("MOUSEMOVE", "NOTHING", at + 20)
    yield 0.2
    event("MOUSEMOVE", "NOTHING", at)
    yield 0.2
    event("LEFTMOUSE", "PRESS", at)
    yield 0.2
    for share in (0.5, 1.0):
        event("MOUSEMOVE", "NOTHING", at + share * (to - at))
        yield 0.2
    event("LEFTMOUSE", "RELEASE", to)
    yield 0.5
    event("ESC", "PRESS", to)
    event("ESC", "RELEASE", to)
    yield 0.5


def day() -> Iterator[float]:
    bpy.context.preferences.view.show_splash = False
    package()
    bpy.ops.wm.open_mainfile(filepath=REQUEST["head"], load_ui=False)
    yield 1.0
    run("facecap.import_footage", filepath=REQUEST["video"])
    yield from while_busy()
    settings = bpy.context.scene.facecap
    settings.character = head()
    run("facecap.match_scene")
    run("ed.undo_push", message="Footage and character chosen")
    rest = shape()

    seen["pressed"] = run("facecap.solve", "INVOKE_DEFAULT")
    yield from while_busy()
    seen["solved"] = module("blender.session").outcome.lines
    solved = note("solve", rest)

    run("facecap.show_footage", "INVOKE_DEFAULT")
    yield from while_busy()
    seen["workspace_before"] = window().workspace.name
    run("facecap.check_view")
    yield 3.0
    seen["workspace"] = window().workspace.name
    seen["editors"] = sorted(area.ui_type for area in window().screen.areas)
    yield 0.5

    bpy.context.scene.frame_current = 20
    run("ed.undo_push", message="Frame chosen")
    yield 0.5
    seen["dragging"] = run("facecap.correct_landmarks", "INVOKE_DEFAULT")
    yield 0.5
    yield from drag(0, (0.0, -6.0))
    seen["corrections"] = len(bpy.context.scene.facecap.corrections.frames)
    run("ed.undo")
    seen["corrections_undone"] = len(bpy.context.scene.facecap.corrections.frames)
    run("ed.redo")
    seen["corrections_redone"] = len(bpy.context.scene.facecap.corrections.frames)
    seen["pressed_range"] = run("facecap.solve_range", "INVOKE_DEFAULT")
    yield from while_busy()
    seen["range_lines"] = module("blender.session").outcome.lines
    corrected = note("solve range", solved)

    run("facecap.compare_takes", take="0")
    yield 1.0
    seen["difference"] = module("blender.session").outcome.lines
    run("facecap.end_difference")

    run("facecap.add_edit", kind="gain")
    edit = bpy.context.scene.facecap.edits.stack[0]
    edit.gain_factor = 0.5
    run("ed.undo_push", message="Gain set")
    yield 2.0
    shown = shape()
    run("facecap.bake")
    seen["baked_as_shown"] = distance(shown, shape())
    edited = note("edit and bake", corrected)
    run("facecap.check_view")
    yield 1.0
    seen["workspace_after"] = window().workspace.name

    saved = str(Path(REQUEST["head"]).with_name("saved.blend"))
    bpy.ops.wm.save_as_mainfile(filepath=saved)
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=saved, load_ui=False)
    yield 1.0
    seen["moved"]["reload"] = distance(edited, shape())
    settings = bpy.context.scene.facecap
    seen["kept"] = [len(settings.corrections.frames), len(settings.edits.stack), len(settings.takes)]


def step() -> float | None:
    try:
        return next(_day)
    except StopIteration:
        pass
    except Exception:
        seen["error"] = traceback.format_exc()
    Path(REQUEST["reply"]).write_text(json.dumps(seen, indent=1), encoding="utf-8")
    if not REQUEST.get("stay"):
        os._exit(0)  # quit_blender would ask whether to save
    return None


_day = day()
bpy.app.timers.register(step, first_interval=2.0, persistent=True)
