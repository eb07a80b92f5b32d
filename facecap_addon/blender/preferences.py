"""Preferences: which Python the worker runs, and whether everything it needs is there."""

from __future__ import annotations

import bpy

from . import session
from .paths import ADDON
from .properties.declare import StringProperty, with_properties


@with_properties()
class FACECAP_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python: str = StringProperty(
        name="Python for Solving",
        description="Python environment with the packages that FaceCap needs; leave empty to use Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if layout is None:
            return
        layout.use_property_split = True
        layout.prop(self, "python")
        row = layout.row(align=True)
        row.operator("facecap.check_installation", icon="CHECKMARK")
        row.operator("facecap.report_problem", icon="TEXT")
        for number, line in enumerate(session.installation_report):  # the verdict comes first
            icon = "BLANK1" if number else "INFO"
            layout.label(text=line, icon=icon)


CLASSES = (FACECAP_AP_preferences,)
