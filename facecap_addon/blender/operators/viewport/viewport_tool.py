"""What operators share that stay open over a 3D view: what they draw there, their keys in the status bar, their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ....errors import FacecapError
from ... import session
from ...present import window_manager_in
from ..base import FacecapOperator, OperatorReturn, fault_message


class ViewportTool(FacecapOperator):
    """Mixin: an operator that listens to the mouse over a 3D view until it is done.

    Implement `begin`, which ends with `open_over`, `handle`, which ends with `close`, and `draw_over`.
    """

    help = ""
    """What the status bar says meanwhile."""

    if TYPE_CHECKING:  # Blender takes annotations for properties
        _region: bpy.types.Region
        _drawing: Any

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return self.guarded(self.begin, context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        try:
            if not _is_open(self._region):
                return self.close(context)
            return self.handle(context, event)
        except FacecapError as error:
            self.fail(error.what, error.way_out)
        except Exception as error:  # what is drawn must never be left behind
            self.fail(fault_message(error, self.bl_idname))
        return self.close(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator by itself when a file is loaded or it quits."""
        self.close(context)

    def begin(self, context: bpy.types.Context) -> OperatorReturn:
        """Prepare. Raises FacecapError."""
        raise NotImplementedError

    def handle(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Take in an event. Raises FacecapError."""
        raise NotImplementedError

    def draw_over(self) -> None:
        """Draw over the view."""
        raise NotImplementedError

    def open_over(self, context: bpy.types.Context) -> OperatorReturn:
        """Draw and listen from now on."""
        self._drawing = bpy.types.SpaceView3D.draw_handler_add(self.draw_over, (), "WINDOW", "POST_PIXEL")
        window_manager_in(context).modal_handler_add(self)
        if context.workspace is not None:
            context.workspace.status_text_set(self.help)
        session.redraw(viewport=True)
        return {"RUNNING_MODAL"}

    def close(self, context: bpy.types.Context) -> OperatorReturn:
        """Draw and listen no longer; each change was an undo step of its own."""
        drawing, self._drawing = getattr(self, "_drawing", None), None
        if drawing is not None:
            bpy.types.SpaceView3D.draw_handler_remove(drawing, "WINDOW")
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        session.redraw(viewport=True)
        return {"CANCELLED"}


def _is_open(region: bpy.types.Region) -> bool:
    """Whether a region is still there: areas can be closed meanwhile, and what is left of one must not be read."""
    manager = bpy.context.window_manager
    windows = () if manager is None else manager.windows
    return any(one == region for window in windows for area in window.screen.areas for one in area.regions)


def main_region(context: bpy.types.Context) -> bpy.types.Region:
    """The view that an operator was called in. Raises FacecapError in another editor."""
    area = context.area
    region = next((one for one in area.regions if one.type == "WINDOW"), None) if area is not None else None
    if area is None or region is None or area.type != "VIEW_3D":
        raise FacecapError("This works in a 3D view.", "Press the button in a 3D view's sidebar.")
    return region
