"""The stack of edits: add, order, copy and drop them, keep stacks as presets and files, and bake them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ....errors import FacecapError
from ....takes.edits.kinds import KIND_OF, KINDS
from ...edits import catch_up, edit_of, follow_undo, put_edit, put_stack, quietly, show_edits, stack_in
from ...present import scene_in, settings_in, window_manager_in
from ...properties.declare import EnumProperty, IntProperty, StringProperty, with_properties
from ...properties.edits import as_frames
from ..base import FacecapOperator, OperatorReturn, TakeNeeded
from .bake import bake_and_tell

if TYPE_CHECKING:
    from ...properties.edits import FACECAP_PG_edit, FACECAP_PG_edits

_PRESETS = "presets/facecap/edits"


def edits_in(context: bpy.types.Context) -> FACECAP_PG_edits:
    """The open scene's edits."""
    return settings_in(context).edits


def chosen_edit(context: bpy.types.Context) -> FACECAP_PG_edit | None:
    """The edit that is chosen on the list."""
    edits = edits_in(context)
    return edits.stack[edits.active] if 0 <= edits.active < len(edits.stack) else None


def user_presets() -> dict[str, Path]:
    """The stacks that the user has kept, by their names."""
    from ....takes.edits.stack_file import ENDING

    folder = Path(bpy.utils.user_resource("SCRIPTS", path=_PRESETS))
    return {path.name.removesuffix(ENDING): path for path in sorted(folder.glob(f"*{ENDING}"))}


class _EditNeeded(FacecapOperator):
    """Mixin: an operator on the chosen edit."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if chosen_edit(context) is None:
            cls.poll_message_set("Add an edit first")
            return False
        return True

    def chosen(self, context: bpy.types.Context) -> FACECAP_PG_edit:
        """The chosen edit. Raises FacecapError if there is none."""
        found = chosen_edit(context)
        if found is None:
            raise FacecapError("No edit is chosen.", "Click one on the list.")
        return found


@with_properties()
class FACECAP_OT_add_edit(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.add_edit"
    bl_label = "Add Edit"
    bl_description = "Add an edit below the chosen one; the take itself is never changed"
    bl_options = {"REGISTER", "UNDO"}

    kind: str = EnumProperty(
        name="Kind", items=[(cls.kind, cls.label, cls.about) for cls in KINDS], description="What the edit does"
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edits = edits_in(context)
        with quietly():
            added = edits.stack.add()
            put_edit(added, KIND_OF[self.kind]())
            added.name = KIND_OF[self.kind].label
        place = min(edits.active + 1, len(edits.stack) - 1)
        edits.stack.move(len(edits.stack) - 1, place)
        edits.active = place
        show_edits(scene_in(context))
        return {"FINISHED"}


class FACECAP_OT_remove_edit(_EditNeeded, bpy.types.Operator):
    bl_idname = "facecap.remove_edit"
    bl_label = "Remove Edit"
    bl_description = "Take the chosen edit off the list; what it did is undone"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edits = edits_in(context)
        edits.stack.remove(edits.active)
        edits.active = max(0, min(edits.active, len(edits.stack) - 1))
        show_edits(scene_in(context))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_move_edit(_EditNeeded, bpy.types.Operator):
    bl_idname = "facecap.move_edit"
    bl_label = "Move Edit"
    bl_description = "Carry the chosen edit out earlier or later: the list is worked through from the top down"
    bl_options = {"REGISTER", "UNDO"}

    direction: str = EnumProperty(
        name="Direction",
        items=[("up", "Up", "Carry it out earlier"), ("down", "Down", "Carry it out later")],
        description="Which way it moves on the list",
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edits = edits_in(context)
        place = edits.active + (-1 if self.direction == "up" else 1)
        if 0 <= place < len(edits.stack):
            edits.stack.move(edits.active, place)
            edits.active = place
            show_edits(scene_in(context))
        return {"FINISHED"}


class FACECAP_OT_duplicate_edit(_EditNeeded, bpy.types.Operator):
    bl_idname = "facecap.duplicate_edit"
    bl_label = "Duplicate Edit"
    bl_description = "Add a copy of the chosen edit below it"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edits, edit = edits_in(context), edit_of(self.chosen(context))
        name = self.chosen(context).name
        with quietly():
            added = edits.stack.add()
            put_edit(added, edit)
            added.name = name
        edits.stack.move(len(edits.stack) - 1, edits.active + 1)
        edits.active += 1
        show_edits(scene_in(context))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_edit_point(_EditNeeded, bpy.types.Operator):
    bl_idname = "facecap.edit_point"
    bl_label = "Add or Remove Point"
    bl_description = "Add a point to the end of the chosen edit's curve, a retime's at the present frame, or remove one"
    bl_options = {"REGISTER", "UNDO"}

    remove: int = IntProperty(name="Remove", description="Number of the point to remove; -1 adds one", default=-1)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edit = self.chosen(context)
        points = edit.points
        if self.remove >= 0:
            points.remove(self.remove)
        else:
            with quietly():
                last = points[-1] if points else None
                x, y = (0.0, 0.0) if last is None else (last.x + 1.0, last.y + 1.0)
                added = points.add()
                added.x, added.y = x, y
                if edit.kind == "retime":  # what happens now happens now, until it is moved
                    added.x_frame = added.y_frame = scene_in(context).frame_current_final
                    if last is not None and (added.x <= last.x or added.y <= last.y):
                        added.x, added.y = x, y
        show_edits(scene_in(context))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_edit_frame_here(_EditNeeded, bpy.types.Operator):
    bl_idname = "facecap.edit_frame_here"
    bl_label = "Use Current Frame"
    bl_description = "Take the frame that is shown"
    bl_options = {"REGISTER", "UNDO"}

    setting: str = StringProperty(name="Setting", description="Which of the edit's times", options={"HIDDEN"})

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        edit = self.chosen(context)
        setattr(edit, as_frames(self.setting), scene_in(context).frame_current_final)
        if hasattr(edit, f"use_{self.setting}"):
            setattr(edit, f"use_{self.setting}", True)
        return {"FINISHED"}


class FACECAP_OT_apply_edits(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.apply_edits"
    bl_label = "Apply"
    bl_description = "Bake the take with these edits onto the character, its head, too; they stay on the list"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        bake_and_tell(scene_in(context))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_load_edits(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.load_edits"
    bl_label = "Load Edits"
    bl_description = "Replace the edits on the list by those of a file or a preset"
    bl_options = {"REGISTER", "UNDO"}

    filepath: str = StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: str = StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        if self.filepath:
            return self.execute(context)
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.edits.stack_file import read_stack

        path = Path(bpy.path.abspath(self.filepath))
        put_stack(scene_in(context), read_stack(path))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_save_edits(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.save_edits"
    bl_label = "Save Edits"
    bl_description = "Write the edits on the list to a file, for other scenes and for the command line"

    filepath: str = StringProperty(subtype="FILE_PATH")
    filter_glob: str = StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        from ....takes.edits.stack_file import ENDING

        self.pressed = True
        self.filepath = self.filepath or f"face{ENDING}"
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.edits.stack_file import write_stack

        write_stack(Path(bpy.path.abspath(self.filepath)), stack_in(scene_in(context)))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_keep_edit_preset(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.keep_edit_preset"
    bl_label = "Add Edit Preset"
    bl_description = "Keep the edits on the list under a name, for other scenes and files"

    title: str = StringProperty(name="Name", description="What the preset is called", default="My Edits")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return window_manager_in(context).invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.edits.stack_file import ENDING, write_stack

        name = bpy.path.clean_name(self.title.strip(), replace=" ")
        if not name.strip():
            raise FacecapError("The preset has no name.", "Type one.")
        folder = Path(bpy.utils.user_resource("SCRIPTS", path=_PRESETS, create=True))
        write_stack(folder / f"{name}{ENDING}", stack_in(scene_in(context)))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_remove_edit_preset(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.remove_edit_preset"
    bl_label = "Remove Edit Preset"
    bl_description = "Delete a preset that you have kept"

    title: str = StringProperty(name="Name", description="Which preset")

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        path = user_presets().get(self.title)
        if path is None:
            raise FacecapError(f"There is no preset “{self.title}” of yours.", "Those that came along stay.")
        path.unlink()
        return {"FINISHED"}


@bpy.app.handlers.persistent
def _undone(scene: bpy.types.Scene, *_: object) -> None:
    follow_undo(scene)


@bpy.app.handlers.persistent
def _before_saving(*_: object) -> None:
    catch_up()


def register() -> None:
    for handlers, handler in _handlers():
        handlers.append(handler)


def unregister() -> None:
    catch_up()
    for handlers, handler in _handlers():
        handlers.remove(handler)


def _handlers() -> list[tuple[list[Any], Any]]:
    every = bpy.app.handlers
    return [(every.undo_post, _undone), (every.redo_post, _undone), (every.save_pre, _before_saving)]


CLASSES = (
    FACECAP_OT_add_edit,
    FACECAP_OT_remove_edit,
    FACECAP_OT_move_edit,
    FACECAP_OT_duplicate_edit,
    FACECAP_OT_edit_point,
    FACECAP_OT_edit_frame_here,
    FACECAP_OT_apply_edits,
    FACECAP_OT_load_edits,
    FACECAP_OT_save_edits,
    FACECAP_OT_keep_edit_preset,
    FACECAP_OT_remove_edit_preset,
)
