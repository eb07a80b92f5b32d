"""Runs inside a Blender with a window: puts up a scene and the panel as asked, and takes a picture of the window.

    blender --window-geometry 0 0 1600 900 --python tests/gui/show.py -- REQUEST.json

The request: {"root": checkout, "picture": PNG to write, "reply": file to write, "head": .blend, "video": … or null,
"take": solved .take.npz or null, "open" and "closed": names of panels, as "solve_options", "settings":
{"solve.smoothness": 2.0, …}, "edits": kinds in the stack, "scale": of the interface, "theme": "light" or "",
"language": as "de_DE" or "",
"beside": whether the footage is shown beside the head, "frame": number, "press": null or
the operator whose start is to be seen, "wait_s": seconds between that and the picture}.

The reply names the rectangles (x, y, width, height from the top left) of the 3D view and its sidebar, and what of the
help is there. FACECAP_SCREENSHOT is a command that takes the picture, `{}` stands for the file; without it Blender
does, which on a machine without a graphics card is black.
"""

from __future__ import annotations

import importlib
import json
import os
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import bpy

REQUEST = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
state = {"tries": 0}
_TRIES = 5
SLOW_S = 1.2  # between steps: on software GL a redraw takes most of it


def facecap(name: str):
    """A module of the add-on, under whichever name it was loaded."""
    root = next(key for key in sys.modules if key.endswith("facecap_addon.blender")).removesuffix(".blender")
    return importlib.import_module(f"{root}.{name}")


def view3d() -> dict[str, object]:
    window = bpy.context.window_manager.windows[0]
    area = max((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return {"window": window, "area": area, "region": next(r for r in area.regions if r.type == "WINDOW")}


def sidebar():
    return next(region for region in view3d()["area"].regions if region.type == "UI")


def set_up() -> None:
    """The interface as asked, and the add-on."""
    if not hasattr(bpy.types.Scene, "facecap"):
        sys.path.insert(0, REQUEST["root"])
        importlib.import_module("facecap_addon.addon").register()
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.view.ui_scale = REQUEST.get("scale", 1.0)
    if REQUEST.get("language"):
        preferences.view.language = REQUEST["language"]
        preferences.view.use_translate_interface = preferences.view.use_translate_tooltips = True
        facecap("blender.translations").load(REQUEST["language"])
    if REQUEST.get("theme") == "light":
        folder = next(Path(p) for p in bpy.utils.preset_paths("interface_theme"))
        light = next(path for path in folder.iterdir() if "light" in path.name.lower())
        bpy.ops.script.execute_preset(filepath=str(light), menu_idname="USERPREF_MT_interface_theme_presets")
    for cls in facecap("blender.help.subjects").panel_classes():
        name = cls.__name__.removeprefix("FACECAP_PT_")
        options = set(getattr(cls, "bl_options", ()))
        if name in REQUEST.get("open", ()):
            _declare_anew(cls, options - {"DEFAULT_CLOSED"})
        elif name in REQUEST.get("closed", ()):
            _declare_anew(cls, options | {"DEFAULT_CLOSED"})


def _declare_anew(cls: type, options: set[str]) -> None:
    """A panel that is open, or closed, at first: afterwards only a click changes it."""
    family = [cls]  # parents first
    registered = [one for one in bpy.types.Panel.__subclasses__() if getattr(one, "is_registered", False)]
    for parent in family:
        family += [one for one in registered if getattr(one, "bl_parent_id", "") == parent.__name__]
    for one in reversed(family):
        bpy.utils.unregister_class(one)
    cls.bl_options = options
    for one in family:
        bpy.utils.register_class(one)


def open_scene() -> None:
    bpy.ops.wm.open_mainfile(filepath=REQUEST["head"], load_ui=False)


def show_head() -> None:
    view = view3d()
    space = view["area"].spaces.active
    with bpy.context.temp_override(**view):  # after a file was loaded, a timer has no window: Blender would crash
        space.show_region_ui = True
    overlay = space.overlay
    overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = overlay.show_cursor = False
    space.clip_start = 0.01
    head = _head()
    space.shading.color_type = "VERTEX" if len(head.data.color_attributes) else "MATERIAL"
    with bpy.context.temp_override(**view):
        bpy.ops.object.select_all(action="DESELECT")
        head.select_set(True)
        bpy.context.view_layer.objects.active = head
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
        bpy.ops.object.select_all(action="DESELECT")


def fill_in() -> None:
    """Footage, character and take, as after the steps that give them; jobs of other Blenders are not shown."""
    session = facecap("blender.session")
    session.stopped.clear()
    session.finished.clear()
    with bpy.context.temp_override(**view3d()):
        if REQUEST.get("video"):
            bpy.ops.facecap.import_footage(filepath=REQUEST["video"], show_beside=bool(REQUEST.get("beside")))
        settings = bpy.context.scene.facecap
        if REQUEST.get("character", True):
            settings.character = _head()
        if REQUEST.get("take"):
            path = Path(REQUEST["take"])
            take = facecap("takes.npz").load_take(path)
            facecap("blender.takes").add_take(bpy.context.scene, path, take, "solved", choose=True)
            lines = facecap("blender.operators.take.bake").bake_result(bpy.context.scene, settings.character)
            session.outcome = session.Outcome(True, lines, settings.result.take, of="facecap.solve")
        for kind in REQUEST.get("edits", ()):
            bpy.ops.facecap.add_edit(kind=kind)
        for name, value in REQUEST.get("settings", {}).items():
            group = settings
            *groups, last = name.split(".")
            for one in groups:
                group = getattr(group, one)
            setattr(group, last, value)
        bpy.context.scene.frame_set(REQUEST.get("frame", 1))


def open_tab() -> None:
    """Turn to the FaceCap tab: possible once the sidebar has been drawn."""
    try:
        sidebar().active_panel_category = "FaceCap"
    except AttributeError:  # read-only until then
        state["tries"] += 1
        if state["tries"] > _TRIES:
            raise
        redraw()
        STEPS.insert(0, open_tab)


def frame_all() -> None:
    """Also the footage beside the head."""
    if REQUEST.get("beside"):
        with bpy.context.temp_override(**view3d()):
            bpy.ops.view3d.view_all()
        view = view3d()["area"].spaces.active.region_3d
        view.view_distance *= 0.6  # all of it leaves a wide margin
        view.view_location.x += 0.14  # out from behind the sidebar, m


def press() -> None:
    module, _, name = (REQUEST.get("press") or "").partition(".")
    if name:
        with bpy.context.temp_override(**view3d()):
            getattr(getattr(bpy.ops, module), name)("INVOKE_DEFAULT")


def redraw() -> None:
    for area in view3d()["window"].screen.areas:
        area.tag_redraw()


def take_picture() -> None:
    command = os.environ.get("FACECAP_SCREENSHOT", "")
    if command:
        subprocess.run([part.replace("{}", REQUEST["picture"]) for part in shlex.split(command)], check=True)
    else:
        with bpy.context.temp_override(**view3d()):
            bpy.ops.screen.screenshot(filepath=REQUEST["picture"])
    window = view3d()["window"]

    def rectangle(one) -> list[int]:
        return [one.x, window.height - one.y - one.height, one.width, one.height]

    answer = {"window": [0, 0, window.width, window.height], "view": rectangle(view3d()["area"])}
    answer["sidebar"] = rectangle(sidebar())
    answer["tab"] = sidebar().active_panel_category
    answer["words"] = bpy.app.translations.pgettext_iface("Bake Again")
    manual = importlib.import_module("bl_operators.wm").WM_OT_doc_view_manual
    answer["manual"] = manual._lookup_rna_url("bpy.ops.facecap.solve", verbose=False)
    keymap = bpy.context.window_manager.keyconfigs.user.keymaps["3D View"]
    answer["keys"] = [
        one.name
        for one in keymap.keymap_items
        if one.properties and "FACECAP_MT_animation" in str(getattr(one.properties, "name", ""))
    ]
    Path(REQUEST["reply"]).write_text(json.dumps(answer), encoding="utf-8")


def _head():
    return next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)


STEPS: list[Callable[[], None]] = [set_up, open_scene, show_head, redraw, open_tab, fill_in]
STEPS += [frame_all, redraw, press]
STEPS += [redraw] * max(1, round(REQUEST.get("wait_s", 2.0) / SLOW_S)) + [take_picture]


def step() -> float | None:
    try:
        STEPS.pop(0)()
    except Exception:
        Path(REQUEST["reply"]).write_text(json.dumps({"error": traceback.format_exc()}), encoding="utf-8")
        os._exit(1)
    if not STEPS:
        job = facecap("blender.session").job
        if job is not None:
            job.runner.close()
            facecap("blender.queue.kept").forget(job)
        os._exit(0)  # quit_blender would ask whether to save
    return SLOW_S


bpy.app.timers.register(step, first_interval=2.0, persistent=True)
