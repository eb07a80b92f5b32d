"""Presets of a solve's options, of baking and of filters, in Blender's own preset menus; some come with the add-on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bl_ui.utils import PresetPanel

from ..properties.bake import FACECAP_PG_bake, FACECAP_PG_filter
from ..properties.solve import FACECAP_PG_solve

if TYPE_CHECKING:

    class AddPresetBase:
        """Its stubs say that its methods return nothing."""

else:
    from bl_operators.presets import AddPresetBase

SHIPPED = Path(__file__).parent / "shipped"
"""Where Blender finds those that come with the add-on, below `presets/`."""
_OF_ONE_CLIP = ("mirror", "use_fps", "fps", "use_neutral_frame", "neutral_frame", "neutral_scene_frame")
_OF_ONE_CHARACTER = ("armature", "bone")
_FOLLOWS = ("smoothing",)  # shows what another one stores


def preset_names(group: type, *, but: tuple[str, ...] = ()) -> list[str]:
    """Which of a group's settings a preset holds: not files, and not what belongs to one clip or one character."""
    left_out = (*_OF_ONE_CLIP, *_OF_ONE_CHARACTER, *_FOLLOWS, *but)
    return [name for name in group.__annotations__ if name not in left_out and not name.endswith("_file")]


CAN_SHIP = hasattr(bpy.utils, "register_preset_path")
"""Before 4.3 Blender does not find an extension's own presets: the menu lists them itself."""


def draw_shipped(layout: bpy.types.UILayout, subdir: str, menu: str) -> None:
    """Buttons for the presets that come with the add-on.

    Args:
        subdir: as "facecap/solve".  menu: name of the menu's class.
    """
    layout.emboss = "PULLDOWN_MENU"
    column = layout.column(align=True)
    column.operator_context = "EXEC_DEFAULT"
    for path in sorted((SHIPPED / "presets" / subdir).glob("*.py")):
        title = bpy.path.display_name(path.name, title_case=False)
        button: Any = column.operator("script.execute_preset", text=title, translate=False)
        button.filepath, button.menu_idname = str(path), menu


class FacecapPresets(PresetPanel):
    """Mixin: a menu of presets. Give `bl_label`, `preset_subdir` and `preset_add_operator`."""

    preset_operator = "script.execute_preset"
    if not CAN_SHIP:

        def draw(self, context: bpy.types.Context) -> None:
            """The presets that come along, then the user's."""
            own: Any = self
            draw_shipped(own.layout, own.preset_subdir, type(self).__name__)
            super().draw(context)


class AddFacecapPreset(AddPresetBase):
    """Mixin: adds or removes a preset. Give `preset_menu`, `preset_subdir`, `preset_values`."""


class FACECAP_PT_solve_presets(FacecapPresets, bpy.types.Panel):
    bl_label = "Solve Presets"
    preset_subdir = "facecap/solve"
    preset_add_operator = "facecap.add_solve_preset"


class FACECAP_OT_add_solve_preset(AddFacecapPreset, bpy.types.Operator):
    bl_idname = "facecap.add_solve_preset"
    bl_label = "Add Solve Preset"
    bl_description = "Keep these options under a name, for other clips and files"
    preset_menu = "FACECAP_PT_solve_presets"
    preset_subdir = "facecap/solve"
    preset_values = tuple(f"bpy.context.scene.facecap.solve.{name}" for name in preset_names(FACECAP_PG_solve))


class FACECAP_PT_bake_presets(FacecapPresets, bpy.types.Panel):
    bl_label = "Bake Presets"
    preset_subdir = "facecap/bake"
    preset_add_operator = "facecap.add_bake_preset"


class FACECAP_OT_add_bake_preset(AddFacecapPreset, bpy.types.Operator):
    bl_idname = "facecap.add_bake_preset"
    bl_label = "Add Bake Preset"
    bl_description = "Keep how takes are baked under a name, for other characters and files"
    preset_menu = "FACECAP_PT_bake_presets"
    preset_subdir = "facecap/bake"
    preset_values = tuple(f"bpy.context.scene.facecap.bake.{name}" for name in preset_names(FACECAP_PG_bake))


class FACECAP_PT_filter_presets(FacecapPresets, bpy.types.Panel):
    bl_label = "Filter Presets"
    preset_subdir = "facecap/filter"
    preset_add_operator = "facecap.add_filter_preset"


class FACECAP_OT_add_filter_preset(AddFacecapPreset, bpy.types.Operator):
    bl_idname = "facecap.add_filter_preset"
    bl_label = "Add Filter Preset"
    bl_description = "Keep how takes are smoothed under a name, for other takes and files"
    preset_menu = "FACECAP_PT_filter_presets"
    preset_subdir = "facecap/filter"
    preset_values = tuple(f"bpy.context.scene.facecap.filter.{name}" for name in preset_names(FACECAP_PG_filter))


CLASSES: tuple[Any, ...] = (
    FACECAP_PT_solve_presets,
    FACECAP_OT_add_solve_preset,
    FACECAP_PT_bake_presets,
    FACECAP_OT_add_bake_preset,
    FACECAP_PT_filter_presets,
    FACECAP_OT_add_filter_preset,
)


def register() -> None:
    if CAN_SHIP:
        bpy.utils.register_preset_path(str(SHIPPED))


def unregister() -> None:
    if CAN_SHIP:
        bpy.utils.unregister_preset_path(str(SHIPPED))
