"""Report a Problem: a file with all that helps to find out what is wrong. Nothing is sent."""

from __future__ import annotations

import bpy

from ...errors import FacecapError
from .. import session
from .base import FacecapOperator, OperatorReturn


class FACECAP_OT_report_problem(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.report_problem"
    bl_label = "Report a Problem"
    bl_description = (
        "Write a file with the versions, your settings and the latest fault, without names of folders, and show it; "
        "nothing is sent"
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..help.problem_report import write_report
        from ..worker_python import worker_python
        from .installation import describe, probe

        try:
            checks = describe(probe(worker_python()))[0]
        except FacecapError as error:  # that the worker does not start belongs into the report
            checks = [f"{error.what} {error.way_out}"]
        path = write_report(context, checks)
        session.outcome = session.Outcome(True, ["The report is written, and nothing was sent", str(path)])
        self.report({"INFO"}, f"The report is {path}; nothing was sent")
        if self.pressed and not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path.parent))
        return {"FINISHED"}


CLASSES = (FACECAP_OT_report_problem,)
