"""What all of FaceCap's operators share: every failure ends in words, an unexpected one also in a report file."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import bpy

from ...errors import FacecapError
from .. import session
from ..paths import user_folder
from ..present import settings_in

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    _Operator = bpy.types.Operator  # what the classes are that mix it in
else:
    _Operator = object

OperatorReturn: TypeAlias = "set[OperatorReturnItems]"
"""How an operator's call ended."""


class FacecapOperator(_Operator):
    """Mixin: implement `run(context)`; raise FacecapError for what the user can mend.

    Where somebody pressed a button, a failure is told in the button's section of the panel and in the status bar: error
    windows would pile up, and take the keys that are pressed meanwhile. To a script it is an error.
    """

    pressed = False
    """Whether a user started it, not a script."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        return self.guarded(self.run, context)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        raise NotImplementedError

    def guarded(
        self, step: Callable[[bpy.types.Context], OperatorReturn], context: bpy.types.Context
    ) -> OperatorReturn:
        """Call `step(context)`; an exception becomes a message and {"CANCELLED"}."""
        try:
            before = session.outcome
            verdict = step(context)
            if session.outcome is not None and session.outcome is not before:
                session.outcome.of = session.outcome.of or name_of(self)
            return verdict
        except FacecapError as error:
            self.fail(error.what, error.way_out)
        except Exception as error:  # the user gets a file to send; Blender goes on
            self.fail(fault_message(error, self.bl_idname))
        return {"CANCELLED"}

    def fail(self, *lines: str) -> None:
        """Tell that it failed, and why."""
        session.outcome = session.Outcome(False, [line for line in lines if line], of=name_of(self))
        self.report({"WARNING"} if self.pressed else {"ERROR"}, " ".join(session.outcome.lines))
        session.redraw()


class TakeNeeded(FacecapOperator):
    """Mixin: an operator on the scene's take."""

    needs_take = "Solve first"
    """What is said where there is none."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).result.take:
            cls.poll_message_set(cls.needs_take)
            return False
        return True


def name_of(operator: object) -> str:
    """What scripts call an operator: "facecap.solve"; Blender changes it on instances to FACECAP_OT_solve."""
    return str(getattr(operator, "bl_idname", "")).lower().replace("_ot_", ".")


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
