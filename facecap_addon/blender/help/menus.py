"""FaceCap in Blender's own menus, where its users look and F3 searches: File › Import, Object › Animation, Help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .manual import TROUBLE
from .subjects import operator_classes

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

# What an animator does every day; None is a line between. Every other operator is in the menu below them.
EVERY_DAY: tuple[tuple[str, IconItems] | None, ...] = (
    ("facecap.solve", "PLAY"),
    ("facecap.bake", "ACTION"),
    ("facecap.filter", "SMOOTHCURVE"),
    None,
    ("facecap.use_current_frame", "EYEDROPPER"),
    ("facecap.match_scene", "TIME"),
    ("facecap.show_footage", "IMAGE_PLANE"),
    ("facecap.open_report", "URL"),
    None,
    ("facecap.check_view", "WORKSPACE"),
    ("facecap.go_to_bad_frame", "TRIA_RIGHT"),
    ("facecap.solve_range", "FILE_REFRESH"),
)
HELP = ("facecap.open_manual", "facecap.check_installation", "facecap.report_problem")
ELSEWHERE = ("facecap.import_footage", "facecap.load_take", "facecap.cancel", "facecap.choose_take")
"""The first two are in File › Import; of use only in the panel; a list of its own in the panel."""


def other_operators() -> list[str]:
    """All that no menu names by itself, so that F3 finds them, too."""
    named = {entry[0] for entry in EVERY_DAY if entry} | {*HELP, *ELSEWHERE}
    return [
        cls.bl_idname
        for cls in operator_classes()
        if cls.bl_idname not in named and "INTERNAL" not in getattr(cls, "bl_options", ())
    ]


class FACECAP_MT_animation(bpy.types.Menu):
    bl_label = "FaceCap"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if layout is None:
            return
        for entry in EVERY_DAY:
            if entry is None:
                layout.separator()
            else:
                layout.operator(entry[0], icon=entry[1])
        layout.separator()
        layout.menu("FACECAP_MT_more")


class FACECAP_MT_more(bpy.types.Menu):
    bl_label = "More"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if layout is None:
            return
        for name in other_operators():
            layout.operator(name)


class FACECAP_MT_help(bpy.types.Menu):
    bl_label = "FaceCap"

    def draw(self, context: bpy.types.Context) -> None:
        if self.layout is not None:
            draw_help(self.layout)


def draw_help(layout: bpy.types.UILayout) -> None:
    """What helps: the manual, and what to do when something is wrong."""
    layout.operator("facecap.open_manual", text="First Lesson", icon="HELP")
    layout.operator("facecap.open_manual", text="Troubleshooting", icon="QUESTION").page = TROUBLE
    layout.operator("facecap.check_installation", icon="CHECKMARK")
    layout.operator("facecap.report_problem", icon="TEXT")


def _draw_import(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    if menu.layout is not None:
        menu.layout.operator("facecap.import_footage", text="Face Video (FaceCap)")
        menu.layout.operator("facecap.load_take", text="Live Link Face CSV or Take (FaceCap)")


def _draw_animation(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    if menu.layout is not None:
        menu.layout.separator()
        menu.layout.menu("FACECAP_MT_animation", icon="USER")


def _draw_help(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    if menu.layout is not None:
        menu.layout.separator()
        menu.layout.menu("FACECAP_MT_help", icon="USER")


CLASSES = (FACECAP_MT_more, FACECAP_MT_animation, FACECAP_MT_help)
IN_MENUS = (
    ("TOPBAR_MT_file_import", _draw_import),
    ("VIEW3D_MT_object_animation", _draw_animation),
    ("TOPBAR_MT_help", _draw_help),
)
"""Blender's menus, and what draws FaceCap's part of each."""


def register() -> None:
    for menu, draw in IN_MENUS:
        getattr(bpy.types, menu).append(draw)


def unregister() -> None:
    for menu, draw in IN_MENUS:
        getattr(bpy.types, menu).remove(draw)
