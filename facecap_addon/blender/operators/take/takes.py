"""The list of takes: load, remove; keys reduced; channels mapped onto other names."""

from __future__ import annotations

from pathlib import Path

import bpy

from ....errors import FacecapError
from ... import session
from ...paths import work_folder
from ...present import scene_in, settings_in, settings_of, window_manager_in
from ...properties.declare import StringProperty, with_properties
from ...scene.objects import key_blocks_of, keys_of
from ...takes import add_take, chosen_index, label_of, remove_take, take_file
from ..base import FacecapOperator, OperatorReturn, TakeNeeded


def choose_from_list(scene: bpy.types.Scene, index: int) -> None:
    """Make a take of the list the chosen one; if its file is gone, say so and leave it."""
    from ...takes import choose_take

    try:
        choose_take(scene, index)
    except FacecapError as error:
        session.outcome = session.Outcome(False, [error.what, error.way_out], of="facecap.load_take")
        session.redraw()


@with_properties()
class FACECAP_OT_load_take(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.load_take"
    bl_label = "Load Take"
    bl_description = "Add a take from a file: a .take.npz of another session, or a CSV recorded by Live Link Face"
    bl_options = {"REGISTER", "UNDO"}

    filepath: str = StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: str = StringProperty(default="*.npz;*.csv;*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        if self.filepath and Path(bpy.path.abspath(self.filepath)).is_file():  # dropped
            return self.execute(context)
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        lines = load_into_list(scene_in(context), Path(bpy.path.abspath(self.filepath)))
        session.outcome = session.Outcome(True, lines)
        return {"FINISHED"}


def load_into_list(scene: bpy.types.Scene, path: Path) -> list[str]:
    """Add a take, or what another program recorded, to a scene's list and choose it; returns what to tell.

    Raises:
        NoCoefficientsError: it is a take folder with a video alone.  FacecapError: it cannot be read.
    """
    from ....takes.formats.performance import read_performance
    from ....takes.formats.recording import notes_of
    from ....takes.names import find_free_path
    from ....takes.npz import save_take
    from ....takes.versions import add_id

    if not path.exists():
        raise FacecapError("No file was chosen.", "Pick a .take.npz, or what another program recorded.")
    take = read_performance(path)
    if path.suffix.lower() != ".npz":
        take = add_id(take)
        folder = work_folder("loaded")
        folder.mkdir(parents=True, exist_ok=True)
        path = find_free_path(folder / f"{path.name if path.is_dir() else path.stem}.take.npz")
        save_take(path, take)
    add_take(scene, path, take, "loaded", choose=True)
    return [f"{label_of(settings_of(scene).result)}: {take.frame_count} frames; Bake puts it on", *notes_of(take)]


class FACECAP_OT_remove_take(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.remove_take"
    bl_label = "Remove Take"
    bl_description = "Take the chosen take off the list; its file and its keys stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).takes:
            cls.poll_message_set("There is no take")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        settings = settings_in(context)
        remove_take(settings, chosen_index(settings))
        return {"FINISHED"}


class FACECAP_OT_reduce_keys(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.reduce_keys"
    bl_label = "Reduce Keys"
    bl_description = (
        "Keep only the keys that the curves need to stay within a tolerance everywhere; hand-made ones stay"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from ...scene.controls.stored_mapping import has_mapping
        from ...scene.head.rest import carriers

        character = settings_in(context).character
        owners = [] if character is None else [keys_of(character), *carriers(character)]
        animations = [animation for one in owners if one is not None and (animation := one.animation_data) is not None]
        played = any(animation.action or animation.nla_tracks for animation in animations)
        if character is None or not (played or has_mapping(character)):  # what a mapping moves may lie anywhere
            cls.poll_message_set("The character has no keys: bake a take first")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.animation.bake import animated_with
        from ...scene.animation.reduce import KeyTolerance, count_text, reduce_keys
        from ...scene.controls.mapped_take import mapped_controls
        from ...scene.head.parts import parts_of

        settings = settings_in(context)
        listed = settings.take_list
        tolerance = KeyTolerance(listed.value_tolerance, listed.turn_tolerance, listed.place_tolerance)
        if settings.character is None:
            raise FacecapError("There is no character.", "Pick the mesh that was solved.")
        character, scene = settings.character, scene_in(context)
        animated = animated_with(character, parts_of(character, scene), mapped_controls(character, scene))
        count = reduce_keys(animated, tolerance, linear=listed.straight)
        if count.before == 0:
            raise FacecapError("The character has no keys that FaceCap wrote.", "Bake a take first.")
        if count.after == count.before:
            raise FacecapError(
                "No key can be taken away within this tolerance.", "Raise it, or Bake Again and reduce once more."
            )
        lines = [count_text(count), f"No shape key is off by more than {listed.value_tolerance:.4g}"]
        session.outcome = session.Outcome(True, lines)
        return {"FINISHED"}


class FACECAP_OT_fill_mapping(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.fill_mapping"
    bl_label = "Fill by Names"
    bl_description = "List the take's channels, each with the shape key that its name means, to be changed here"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.channel_map import guess_keys
        from ....takes.npz import load_take

        settings = settings_in(context)
        if settings.character is None:
            raise FacecapError("There is no character whose keys could be listed.", "Pick a mesh with shape keys.")
        keys = [block.name for block in key_blocks_of(settings.character)[1:]]
        listed, empty = settings.take_list, 0
        listed.mapping.clear()
        for channel in load_take(take_file(settings.result)).channels:
            found = guess_keys(channel, keys) or [""]
            empty += found == [""]
            for key in found:
                row = listed.mapping.add()
                row.source, row.key = channel, key
        listed.mapping_active, listed.use_mapping = 0, True
        said = f", {empty} without a shape key of their meaning" if empty else ""
        session.outcome = session.Outcome(True, [f"{len(listed.mapping)} channels listed{said}"])
        return {"FINISHED"}


class FACECAP_OT_copy_mapping(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.copy_mapping"
    bl_label = "Map to One More Key"
    bl_description = "Let the channel of this row move another shape key as well"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        listed = settings_in(context).take_list
        return 0 <= listed.mapping_active < len(listed.mapping)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        listed = settings_in(context).take_list
        source = listed.mapping[listed.mapping_active].source
        listed.mapping.add().source = source
        listed.mapping.move(len(listed.mapping) - 1, listed.mapping_active + 1)
        listed.mapping_active += 1
        return {"FINISHED"}


class FACECAP_FH_take(bpy.types.FileHandler):
    bl_idname = "FACECAP_FH_take"
    bl_label = "FaceCap Take"
    bl_import_operator = "facecap.load_take"
    bl_file_extensions = ".npz;.csv"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (
    FACECAP_OT_load_take,
    FACECAP_OT_remove_take,
    FACECAP_OT_reduce_keys,
    FACECAP_OT_fill_mapping,
    FACECAP_OT_copy_mapping,
    FACECAP_FH_take,
)
