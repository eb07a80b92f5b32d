"""Look at what a solve left behind."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from ..present import settings_in
from ..takes import home_folder
from .base import FacecapOperator, OperatorReturn


class FACECAP_OT_open_report(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.open_report"
    bl_label = "Open Report"
    bl_description = "Show the report in the web browser: contact sheet, curves, errors"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).result.report:
            cls.poll_message_set("This take has no report: it was not solved from footage")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        path = _existing(settings_in(context).result.report, "report")
        bpy.ops.wm.url_open(url=path.as_uri())
        return {"FINISHED"}


class FACECAP_OT_open_folder(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.open_folder"
    bl_label = "Open Folder"
    bl_description = "Show the folder with the take, the Live Link CSV and the preview video"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        bpy.ops.wm.path_open(filepath=str(home_folder(settings_in(context).result)))
        return {"FINISHED"}


def _existing(stored: str, what: str) -> Path:
    path = Path(bpy.path.abspath(stored)) if stored else None
    if path is None or not path.is_file():
        raise FacecapError(f"The {what} of this solve is no longer there.", "Solve again.")
    return path


CLASSES = (FACECAP_OT_open_report, FACECAP_OT_open_folder)
