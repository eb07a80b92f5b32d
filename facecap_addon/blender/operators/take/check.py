"""Check a take: a workspace that shows footage and head, and the way from one bad frame to the next."""

from __future__ import annotations

import bpy

from ....errors import FacecapError
from ... import session
from ...check import go_to_stretch, list_bad_frames, neighbouring_stretch
from ...present import scene_in, settings_in
from ...properties.declare import BoolProperty, with_properties
from ..base import FacecapOperator, OperatorReturn, TakeNeeded

_SOON_S, _TRIES = 0.05, 100


class FACECAP_OT_check_view(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.check_view"
    bl_label = "Check View"
    bl_description = (
        "Show the footage with its landmarks, the head over the footage, the curves and the timeline in a workspace of "
        "their own; again: go back to where you were"
    )
    bl_options = {"UNDO"}  # of camera and footage that are made for it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and context.window is not None

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene import check_workspace
        from ..viewport.show_footage import show_if_ready

        window, scene = context.window, scene_in(context)
        if window is None:
            raise FacecapError("There is no window to show it in.", "Start Blender with its window.")
        if check_workspace.is_open(window):
            check_workspace.go_back(window)
            return {"FINISHED"}
        if settings_in(context).video and not show_if_ready(context):
            session.outcome = session.Outcome(
                False, ["This footage has to be copied for Blender first.", "Press Show Footage and Camera, then this."]
            )
        before, there = window.workspace.name, check_workspace.find_workspace()
        if there is not None:
            window.workspace = there
            _later(window, before, scene, arrange=False)
        else:
            bpy.ops.workspace.duplicate()
            _later(window, before, scene, arrange=True)
        return {"FINISHED"}


def _later(window: bpy.types.Window, before: str, scene: bpy.types.Scene, *, arrange: bool) -> None:
    """Arrange the workspace as soon as Blender shows it: it does so only after an operator has ended."""
    from ...scene import check_workspace

    window_handle, scene_handle = window.as_pointer(), session.Handle.of(scene)
    steps = [check_workspace.arrange] if arrange else []
    steps += [check_workspace.show_footage_and_head, check_workspace.settle]
    tries = iter(range(_TRIES))

    def step() -> float | None:
        manager = bpy.context.window_manager
        shown = next((one for one in manager.windows if one.as_pointer() == window_handle), None) if manager else None
        present = scene_handle.find(bpy.data.scenes)
        if shown is None or present is None or next(tries, None) is None:
            return None
        if shown.workspace.name == before:
            return _SOON_S
        try:
            with bpy.context.temp_override(window=shown):  # a timer has none, and Blender would crash
                shown.workspace.name = check_workspace.NAME
                shown.workspace[check_workspace.BEFORE] = before
                steps.pop(0)(shown, present)
        except RuntimeError as error:
            said = [f"The workspace could not be arranged ({error}).", "Split it yourself."]
            session.outcome = session.Outcome(False, said, of="facecap.check_view")
            return None
        return _SOON_S if steps else None  # an editor has to be drawn once before it is given something to show

    bpy.app.timers.register(step, first_interval=_SOON_S)


@with_properties()
class FACECAP_OT_go_to_bad_frame(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.go_to_bad_frame"
    bl_label = "Go to Bad Frame"
    bl_description = "Go to the next stretch of frames that somebody should look at, or to the one before"
    bl_options = {"REGISTER", "UNDO_GROUPED"}

    forward: bool = BoolProperty(name="Forward", description="To the next one, not to the one before", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(settings_in(context).check.stretches):
            cls.poll_message_set("The take has no bad frames")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        scene = scene_in(context)
        index = neighbouring_stretch(scene, forward=self.forward)
        if index is None:
            self.report({"INFO"}, f"No bad frames {'after' if self.forward else 'before'} this one")
            return {"CANCELLED"}
        settings_in(context).check["active"] = index
        go_to_stretch(scene, index)
        self.report({"INFO"}, settings_in(context).check.stretches[index].text)
        return {"FINISHED"}


class FACECAP_OT_find_bad_frames(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.find_bad_frames"
    bl_label = "Find Bad Frames"
    bl_description = "List the stretches of the take that somebody should look at, each with its reason"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.npz import load_take
        from ...takes import take_file

        scene = scene_in(context)
        list_bad_frames(scene, load_take(take_file(settings_in(context).result)))
        return {"FINISHED"}


CLASSES = (FACECAP_OT_check_view, FACECAP_OT_go_to_bad_frame, FACECAP_OT_find_bad_frames)
