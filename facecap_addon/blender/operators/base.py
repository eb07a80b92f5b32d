"""What all of FaceCap's operators share: every failure ends in words, an unexpected one also in a report file."""

from __future__ import annotations

import platform
import time

import bpy

from ...errors import FacecapError
from ..package import user_folder


class FacecapOperator:
    """Mixin: implement `run(context)`; raise FacecapError for what the user can mend."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.guarded(self.run, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        raise NotImplementedError

    def guarded(self, step, context: bpy.types.Context) -> set[str]:
        """Call `step(context)`; an exception becomes a message and {"CANCELLED"}."""
        try:
            return step(context)
        except FacecapError as error:
            self.report({"ERROR"}, f"{error.what} {error.way_out}".strip())
        except Exception as error:  # the user gets a file to send; Blender goes on
            self.report({"ERROR"}, fault_message(error, self.bl_idname))
        return {"CANCELLED"}


def fault_message(error: Exception, during: str) -> str:
    """What to say about an exception that nobody expected; its details go into a report file."""
    import traceback  # here and in the operators: enabling the add-on must take no time, so imports wait for use

    what = f"FaceCap met a fault of its own: {type(error).__name__}: {error}."
    try:
        path = user_folder("reports") / f"{time.strftime('%Y%m%d-%H%M%S')}-{during.rpartition('.')[2]}.txt"
        details = "".join(traceback.format_exception(error))
        system = f"Blender {bpy.app.version_string}, Python {platform.python_version()}, {platform.platform()}"
        path.write_text(f"{during}\n{system}\n\n{details}", encoding="utf-8")
    except OSError:
        traceback.print_exception(error)
        return f"{what} No report could be written; the details are in the system console."
    return f"{what} Details are in {path}; please send it to us."
