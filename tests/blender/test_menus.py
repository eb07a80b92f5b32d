"""Where Blender's users look: its menus, F3, its keymap; what a section says that has nothing yet."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from unittest.mock import MagicMock

import bpy
import pytest

from facecap_addon import addon
from facecap_addon.blender.help import keymap, menus, presets
from facecap_addon.blender.help.subjects import operator_classes, panel_classes

FIRST = {
    "footage": "A video of one face",
    "character": "sample head",
    "solve": "No footage was chosen",
    "result": "No take yet",
    "actor": "Solve first",
    "bake": "when it is done",
    "filter": "First solve",
    "refine": "First solve",
    "learn": "First solve",
    "live": "First choose a character",
    "generate": "First choose a character",
    "retarget": "First solve",
}


def drawn_by(menu: str) -> list[tuple[str, str]]:
    """Operators and sub-menus that FaceCap adds to one of Blender's menus, with the text they have there."""
    layout = MagicMock()
    for name, draw in menus.IN_MENUS:
        if name == menu:
            draw(MagicMock(layout=layout), bpy.context)
    calls = [*layout.operator.call_args_list, *layout.menu.call_args_list]
    return [(call.args[0], call.kwargs.get("text", "")) for call in calls]


def drawn_in(menu: type) -> set[str]:
    """Operators that one of FaceCap's menus and those below it draw."""
    layout = MagicMock()
    menu.draw(MagicMock(layout=layout), bpy.context)
    below = [getattr(bpy.types, call.args[0]) for call in layout.menu.call_args_list]
    names = {call.args[0] for call in layout.operator.call_args_list}
    return names.union(*(drawn_in(one) for one in below))


def test_footage_and_faces_are_where_blender_users_look() -> None:
    assert drawn_by("TOPBAR_MT_file_import") == [
        ("facecap.import_footage", "Face Video (FaceCap)"),
        ("facecap.load_take", "Live Link Face CSV or Take (FaceCap)"),
    ]
    assert drawn_by("VIEW3D_MT_object_animation") == [("FACECAP_MT_animation", "")]
    assert drawn_by("TOPBAR_MT_help") == [("FACECAP_MT_help", "")]
    assert {"facecap.solve", "facecap.bake", "facecap.go_to_bad_frame"} <= drawn_in(bpy.types.FACECAP_MT_animation)


def test_f3_finds_every_operator_because_each_is_in_a_menu() -> None:
    """But those of no use outside the panel."""
    there = drawn_in(bpy.types.FACECAP_MT_animation) | drawn_in(bpy.types.FACECAP_MT_help) | set(menus.ELSEWHERE)
    hidden = {cls.bl_idname for cls in operator_classes() if "INTERNAL" in getattr(cls, "bl_options", ())}
    assert {cls.bl_idname for cls in operator_classes()} == there | hidden
    assert all(hasattr(bpy.types, menu) for menu, _ in menus.IN_MENUS)


def test_menus_and_keys_leave_with_the_add_on() -> None:
    def ours() -> list[str]:
        functions = [f for menu, _ in menus.IN_MENUS for f in getattr(bpy.types, menu)._dyn_ui_initialize()]
        return [f.__name__ for f in functions if "facecap" in f.__module__]

    assert len(ours()) == len(menus.IN_MENUS)
    addon.unregister()
    try:
        assert not ours() and not hasattr(bpy.types, "FACECAP_MT_animation")
    finally:
        addon.register()
    assert len(ours()) == len(menus.IN_MENUS)


def test_every_key_runs_an_operator_that_is_there() -> None:
    for key in keymap.KEYS:
        module, _, name = key.operator.partition(".")
        assert getattr(bpy.ops, module) and name in dir(getattr(bpy.ops, module)), key
        if key.operator == "wm.call_menu":
            assert hasattr(bpy.types, key.options["name"])
    assert len({(key.keymap, key.key, key.ctrl, key.alt, key.shift) for key in keymap.KEYS}) == len(keymap.KEYS)


@pytest.mark.parametrize("name", FIRST)
def test_a_section_with_nothing_in_it_says_the_next_step(name: str) -> None:
    panel = next(cls for cls in panel_classes() if cls.__name__ == f"FACECAP_PT_{name}")
    assert not hasattr(panel, "poll") or panel.poll(bpy.context)
    layout = MagicMock()
    for nested in (layout.column, layout.row):
        nested.return_value = layout
    panel.draw_section(MagicMock(), layout, bpy.context)
    said = " ".join(call.kwargs["text"] for call in layout.label.call_args_list if "text" in call.kwargs)
    assert FIRST[name] in said


def offered(name: str) -> list[str]:
    """Files of the presets that a menu lists where Blender does not find them."""
    buttons: list[MagicMock] = []
    layout = MagicMock()
    layout.column.return_value.operator.side_effect = lambda *_, **__: buttons.append(MagicMock()) or buttons[-1]
    presets.draw_shipped(layout, f"facecap/{name}", f"FACECAP_PT_{name}_presets")
    return [button.filepath for button in buttons]


SHIPPED = sorted(presets.SHIPPED.glob("presets/facecap/*/*.py"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_preset_that_comes_along_sets_what_it_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    menu = f"FACECAP_PT_{path.parent.name}_presets"
    if presets.CAN_SHIP:
        assert str(path.parent) in bpy.utils.preset_paths(f"facecap/{path.parent.name}")
    else:
        assert "draw" in vars(presets.FacecapPresets)
    assert str(path) in offered(path.parent.name)
    assert bpy.ops.script.execute_preset(filepath=str(path), menu_idname=menu) == {"FINISHED"}
    group = getattr(bpy.context.scene.facecap, path.parent.name)
    given = re.findall(r"^\w+\.(\w+) = (.+)$", text, flags=re.MULTILINE)
    assert given
    for name, value in given:
        assert getattr(group, name) == pytest.approx(ast.literal_eval(value)), name


@pytest.mark.parametrize("name", ["solve", "bake", "filter"])
def test_a_preset_of_ones_own_brings_back_what_was_set(name: str) -> None:
    group = getattr(bpy.context.scene.facecap, name)
    changed = {"solve": ("smoothness", 3.25), "bake": ("gain", 1.75), "filter": ("cutoff_hz", 5.5)}[name]
    setattr(group, *changed)
    assert getattr(bpy.ops.facecap, f"add_{name}_preset")(name="Mine of Today") == {"FINISHED"}
    made = Path(bpy.utils.preset_find("Mine_of_Today", f"facecap/{name}"))
    try:
        text = made.read_text(encoding="utf-8")
        assert "_file" not in text and "neutral" not in text and "armature" not in text
        bpy.ops.wm.read_homefile(use_empty=True)
        group = getattr(bpy.context.scene.facecap, name)
        assert getattr(group, changed[0]) != changed[1]
        menu = f"FACECAP_PT_{name}_presets"
        bpy.ops.script.execute_preset(filepath=str(made), menu_idname=menu)
        assert getattr(group, changed[0]) == pytest.approx(changed[1])
    finally:
        getattr(bpy.ops.facecap, f"add_{name}_preset")(name="Mine of Today", remove_name=True)
    assert not made.exists()
