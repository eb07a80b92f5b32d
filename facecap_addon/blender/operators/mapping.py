"""The mapping of the character: filled, edited, checked, kept as presets and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...errors import FacecapError
from .. import session
from ..present import settings_in, window_manager_in
from ..properties.declare import IntProperty, StringProperty, with_properties
from ..translations import phrase
from .base import FacecapOperator, OperatorReturn

if TYPE_CHECKING:
    from ...rig.mapping.mapping import Mapping

_PRESETS = "presets/facecap/mappings"
_ENDING = ".mapping.json"
_SHARE = 0.5
"""A preset fits a rig that has at least this part of its targets."""


def user_mappings() -> dict[str, Path]:
    """The mappings that the user has kept, by their names."""
    folder = Path(bpy.utils.user_resource("SCRIPTS", path=_PRESETS))
    return {path.name.removesuffix(_ENDING): path for path in sorted(folder.glob(f"*{_ENDING}"))}


class _CharacterNeeded(FacecapOperator):
    """Mixin: an operator on the chosen character's mapping."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        character = settings_in(context).character
        if character is None or character.library is not None:
            cls.poll_message_set("First choose a character that is not linked from another file")
            return False
        return True

    def character(self, context: bpy.types.Context) -> bpy.types.Object:
        """The character. Raises FacecapError without one."""
        found = settings_in(context).character
        if found is None:
            raise FacecapError("There is no character.", "Choose one, above.")
        return found


class _LinkNeeded(_CharacterNeeded):
    """Mixin: an operator on the chosen link."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from ..scene.controls.stored_mapping import group_of

        character = settings_in(context).character
        if character is None or not len(group_of(character).links):
            cls.poll_message_set("Add a link first")
            return False
        return True


class FACECAP_OT_auto_fill_mapping(_CharacterNeeded, bpy.types.Operator):
    bl_idname = "facecap.auto_fill_mapping"
    bl_label = "Auto-Fill the 52"
    bl_description = (
        "Find what each of ARKit's 52 channels moves, by names and by the presets that come along; what is not certain "
        "is marked"
    )
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...rig.channels import ARKIT_CHANNELS
        from ..mapping import give_mapping

        obj = self.character(context)
        mapping, notes = _guess(obj)
        if not mapping.links:
            raise FacecapError(
                f"No name among the shape keys, bones and properties of “{obj.name}” says what it does.",
                "Press Fill by Motion beside it, load a preset, or add links by hand.",
            )
        give_mapping(obj, mapping)
        found = len({link.channel for link in mapping.links} & set(ARKIT_CHANNELS))
        unsure = sum(not link.sure for link in mapping.links)
        lines = [phrase("{found} of 52 channels found", found=found)]
        lines += [phrase("{count} links are not certain: look at them", count=unsure)] if unsure else []
        session.outcome = session.Outcome(True, lines + notes)
        return {"FINISHED"}


def _guess(obj: bpy.types.Object) -> tuple[Mapping, list[str]]:
    """The most likely mapping of a character by names: guessed, or a preset of bones that links more."""
    from ...rig.mapping.guess import guess_mapping
    from ...rig.mapping.mapping_file import load_mapping
    from ...rig.mapping.presets import shipped_presets
    from ..scene.controls.face_size import scale_to_character
    from ..scene.controls.targets import keep_found, read_targets

    targets = read_targets(obj)
    found = guess_mapping(obj.name, [target for target in targets if target.kind != "bone"])
    best, notes = found.mapping, list(found.notes)
    channels = {link.channel for link in best.links}
    for path in shipped_presets().values():
        preset = load_mapping(path)
        kept, _ = keep_found(obj, scale_to_character(obj, preset))
        reached = {link.channel for link in kept.links}
        if len(kept.targets) > _SHARE * len(preset.targets) and len(reached) > len(channels):
            best, channels, notes = kept, reached, [f"as in the preset {preset.name}"]
    return best, notes


class FACECAP_OT_add_link(_CharacterNeeded, bpy.types.Operator):
    bl_idname = "facecap.add_link"
    bl_label = "Add Link"
    bl_description = "Add a link below the chosen one, from the same channel: a channel may move several targets"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..mapping import quietly
        from ..scene.controls.stored_mapping import group_of

        group = group_of(self.character(context))
        before = group.links[group.active] if 0 <= group.active < len(group.links) else None
        channel, kind, axis = (
            ("", "key", "rotation.x") if before is None else (before.channel, before.kind, before.axis)
        )
        with quietly():
            added = group.links.add()
            added.channel, added.kind, added.axis = channel, kind, axis
        place = min(group.active + 1, len(group.links) - 1)
        group.links.move(len(group.links) - 1, place)
        group.active = place
        return {"FINISHED"}


class FACECAP_OT_remove_link(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.remove_link"
    bl_label = "Remove Link"
    bl_description = "Take the chosen link off the table"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..mapping import end_test
        from ..scene.controls.stored_mapping import group_of

        obj = self.character(context)
        group = group_of(obj)
        end_test(obj)
        group.links.remove(group.active)
        group.active = max(0, min(group.active, len(group.links) - 1))
        return {"FINISHED"}


class FACECAP_OT_clear_mapping(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.clear_mapping"
    bl_label = "Remove Mapping"
    bl_description = "Take all links off: takes go onto shape keys of the same name again"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...rig.mapping.mapping import Mapping
        from ..mapping import give_mapping

        give_mapping(self.character(context), Mapping("", ()))
        return {"FINISHED"}


class FACECAP_OT_check_mapping(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.check_mapping"
    bl_label = "Check Mapping"
    bl_description = "Say what keeps links from being keyed: missing, locked, driven or linked targets"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..scene.controls.check import check_targets
        from ..scene.controls.stored_mapping import read_mapping

        obj = self.character(context)
        mapping = read_mapping(obj)
        problems = check_targets(obj, mapping)
        problems.refuse(mapping.name)
        session.outcome = session.Outcome(True, ["All targets can be keyed", *problems.notes])
        return {"FINISHED"}


class FACECAP_OT_clean_mapping(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.clean_mapping"
    bl_label = "Remove What Does Not Fit"
    bl_description = "Take off the links whose targets are missing, locked, driven or linked from another file"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..mapping import end_test
        from ..scene.controls.check import check_targets
        from ..scene.controls.stored_mapping import group_of, read_mapping, target_of

        obj = self.character(context)
        end_test(obj)
        bad, group = check_targets(obj, read_mapping(obj)).targets, group_of(obj)
        gone = [k for k, link in enumerate(group.links) if target_of(link) in bad]
        for k in reversed(gone):
            group.links.remove(k)
        group.active = max(0, min(group.active, len(group.links) - 1))
        session.outcome = session.Outcome(True, [phrase("{count} links removed", count=len(gone))])
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_link_point(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.link_point"
    bl_label = "Add or Remove Point of Curve"
    bl_description = "Add a point to the end of the chosen link's curve, or remove one; without points it is straight"
    bl_options = {"REGISTER", "UNDO"}

    remove: int = IntProperty(name="Remove", description="Number of the point to remove; -1 adds one", default=-1)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..mapping import quietly
        from ..scene.controls.stored_mapping import group_of

        group = group_of(self.character(context))
        points = group.links[group.active].points
        if self.remove >= 0:
            points.remove(self.remove)
            return {"FINISHED"}
        with quietly():
            wanted = [(0.0, 0.0), (1.0, 1.0)] if not len(points) else [(points[-1].x + 0.5, points[-1].y)]
            for x, y in wanted:
                added = points.add()
                added.x, added.y = x, y
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_load_mapping(_CharacterNeeded, bpy.types.Operator):
    bl_idname = "facecap.load_mapping"
    bl_label = "Load Mapping"
    bl_description = "Replace the links by those of a preset or a file that the character has the targets of"
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
        from ...rig.mapping.mapping_file import load_mapping
        from ..mapping import give_mapping
        from ..scene.controls.check import name_of_target
        from ..scene.controls.face_size import scale_to_character
        from ..scene.controls.targets import keep_found

        obj = self.character(context)
        mapping = scale_to_character(obj, load_mapping(Path(bpy.path.abspath(self.filepath))))
        kept, gone = keep_found(obj, mapping)
        lacking = ", ".join(name_of_target(target) for target in gone)
        if not kept.links:
            raise FacecapError(
                f"“{mapping.name}” is for another rig: “{obj.name}” has none of its targets ({lacking}).",
                "Choose another preset, or press Auto-Fill.",
            )
        give_mapping(obj, kept)
        lines = [phrase("{count} links from {name}", count=len(kept.links), name=mapping.name)]
        lines += [phrase("Left out, as the character lacks them: {names}", names=lacking)] if gone else []
        session.outcome = session.Outcome(True, lines)
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_save_mapping(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.save_mapping"
    bl_label = "Save Mapping"
    bl_description = "Write the links to a file, for other characters and for the command line"

    filepath: str = StringProperty(subtype="FILE_PATH")
    filter_glob: str = StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        self.filepath = self.filepath or f"{bpy.path.clean_name(self.character(context).name)}{_ENDING}"
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...rig.mapping.mapping_file import save_mapping

        save_mapping(Path(bpy.path.abspath(self.filepath)), _named(self.character(context), ""))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_keep_mapping_preset(_LinkNeeded, bpy.types.Operator):
    bl_idname = "facecap.keep_mapping_preset"
    bl_label = "Add Mapping Preset"
    bl_description = "Keep the links under a name, for other characters with such a rig"

    title: str = StringProperty(name="Name", description="What the preset is called", default="My Rig")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return window_manager_in(context).invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...rig.mapping.mapping_file import save_mapping

        name = bpy.path.clean_name(self.title.strip(), replace=" ").strip()
        if not name:
            raise FacecapError("The preset has no name.", "Type one.")
        folder = Path(bpy.utils.user_resource("SCRIPTS", path=_PRESETS, create=True))
        save_mapping(folder / f"{name}{_ENDING}", _named(self.character(context), name))
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_remove_mapping_preset(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.remove_mapping_preset"
    bl_label = "Remove Mapping Preset"
    bl_description = "Delete a preset of a mapping that you have kept"

    title: str = StringProperty(name="Name", description="Which preset")

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        path = user_mappings().get(self.title)
        if path is None:
            raise FacecapError(f"There is no preset “{self.title}” of yours.", "Those that came along stay.")
        path.unlink()
        return {"FINISHED"}


def _named(obj: bpy.types.Object, name: str) -> Mapping:
    """The character's mapping under a name; "" leaves its own, or gives it the character's."""
    from dataclasses import replace

    from ..scene.controls.stored_mapping import read_mapping

    mapping = read_mapping(obj)
    return replace(mapping, name=name or mapping.name or obj.name)


@bpy.app.handlers.persistent
def _end_tests(*_: object) -> None:
    from ..mapping import end_tests

    end_tests()


def register() -> None:
    for handlers in _handlers():
        handlers.append(_end_tests)


def unregister() -> None:
    _end_tests()
    for handlers in _handlers():
        handlers.remove(_end_tests)


def _handlers() -> list[list[Any]]:
    every = bpy.app.handlers
    return [every.undo_post, every.redo_post, every.save_pre, every.load_post]


CLASSES = (
    FACECAP_OT_auto_fill_mapping,
    FACECAP_OT_add_link,
    FACECAP_OT_remove_link,
    FACECAP_OT_clear_mapping,
    FACECAP_OT_check_mapping,
    FACECAP_OT_clean_mapping,
    FACECAP_OT_link_point,
    FACECAP_OT_load_mapping,
    FACECAP_OT_save_mapping,
    FACECAP_OT_keep_mapping_preset,
    FACECAP_OT_remove_mapping_preset,
)
