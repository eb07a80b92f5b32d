"""Two takes compared: as numbers, as strips and curves in the editors, as a plot, and side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ....errors import FacecapError
from ... import session
from ...difference import end_difference, shown_difference, start_difference, take_beside
from ...present import scene_in, settings_in, settings_of, view_layer_in
from ...properties.declare import EnumProperty, IntProperty, with_properties
from ...scene.footage import frame_of_time
from ...takes import home_folder, kept_path, label_of, take_file
from ..base import FacecapOperator, OperatorReturn, TakeNeeded
from .bake import chosen_bake, list_takes

if TYPE_CHECKING:
    from ....takes.measures.difference import TakeDifference
    from ...properties.settings import FACECAP_PG_scene
    from ...properties.take import FACECAP_PG_take
    from ...scene.animation.bake_settings import BakeSettings


@with_properties()
class FACECAP_OT_compare_takes(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.compare_takes"
    bl_label = "Difference"
    bl_description = (
        "Show where another take differs from the chosen one, both as edited: by region under the timeline, as thin "
        "curves in the Graph Editor, and by numbers; the chosen one itself is compared without its edits"
    )
    bl_options = {"REGISTER", "UNDO"}

    take: str = EnumProperty(name="Take", items=list_takes)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        scene, settings = scene_in(context), settings_in(context)
        other = settings.takes[int(self.take)]
        found = start_difference(scene, take_file(other)).summary
        lines = [f"Against {_called(settings, other)}, over {found.frames} frames"]
        most = [f"{name} {rms:.3f}" for name, rms in zip(found.channels, found.rms, strict=True) if rms > 0.0][:5]
        lines.append(f"Root mean square: {', '.join(most)}" if most else "The shape keys move alike")
        if found.head_degrees > 0.01:
            lines.append(f"The heads differ by {found.head_degrees:.1f}°")
        lines += [f"Frame {frame}: {what}" for frame, what in moments_of(scene, found)]
        session.outcome = session.Outcome(True, lines)
        return {"FINISHED"}


def moments_of(scene: bpy.types.Scene, found: TakeDifference) -> list[tuple[int, str]]:
    """The frames at which takes differ most, worst first, and what differs there."""
    return [
        (round(frame_of_time(scene, float(time))), f"{channel} by {off:.2f}")
        for time, channel, off in zip(found.time_s, found.channel_at, found.worst, strict=True)
    ]


def _called(settings: FACECAP_PG_scene, entry: FACECAP_PG_take) -> str:
    """What the other take is called."""
    itself = take_file(entry) == take_file(settings.result)
    return f"{label_of(entry)}, without edits" if itself else label_of(entry)


class _DifferenceShown(FacecapOperator):
    """Mixin: an operator on the difference that is looked at."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).take_list.against:
            cls.poll_message_set("No difference is shown")
            return False
        return True


class FACECAP_OT_end_difference(_DifferenceShown, bpy.types.Operator):
    bl_idname = "facecap.end_difference"
    bl_label = "End Difference"
    bl_description = "Show how sure the solve is under the timeline again, not where another take differs"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        end_difference(scene_in(context))
        return {"FINISHED"}


class FACECAP_OT_plot_difference(_DifferenceShown, bpy.types.Operator):
    bl_idname = "facecap.plot_difference"
    bl_label = "Open Plot"
    bl_description = "Draw the difference as a picture, the curves that differ most over each other, and open it"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        path = write_plot(scene_in(context))
        if not bpy.app.background:
            bpy.ops.wm.url_open(url=path.as_uri())
        session.outcome = session.Outcome(True, [f"Wrote {path.name} beside the take"])
        return {"FINISHED"}


def write_plot(scene: bpy.types.Scene) -> Path:
    """Write the picture of the difference that is shown beside the take. Raises FacecapError."""
    from ....atomic_file import atomic_path
    from ....reports.difference_plot import draw_difference

    settings = settings_of(scene)
    compared = shown_difference(scene)
    if compared is None:
        raise FacecapError("The takes cannot be compared any more.", "Choose Difference from… again.")
    against = Path(bpy.path.abspath(settings.take_list.against))
    entry = next((one for one in settings.takes if Path(bpy.path.abspath(one.take)) == against), None)
    other = against.stem if entry is None else _called(settings, entry)
    stem = Path(bpy.path.abspath(settings.result.take)).name.removesuffix(".take.npz")
    path = home_folder(settings.result) / f"{stem}.difference.svg"
    with atomic_path(path) as temporary:
        temporary.write_text(draw_difference(compared, (label_of(settings.result), other)), encoding="utf-8")
    return path


@with_properties()
class FACECAP_OT_go_to_difference(_DifferenceShown, bpy.types.Operator):
    bl_idname = "facecap.go_to_difference"
    bl_label = "Go to Frame"
    bl_description = "Go to a frame at which the takes differ most"
    bl_options = {"REGISTER", "UNDO_GROUPED"}

    frame: int = IntProperty(name="Frame", description="Scene frame to go to")

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        scene_in(context).frame_set(self.frame)
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_compare_beside(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.compare_beside"
    bl_label = "Side by Side"
    bl_description = (
        "Show another take, as edited, on a copy of the character beside it; the chosen one itself is shown without "
        "its edits there"
    )
    bl_options = {"REGISTER", "UNDO"}

    take: str = EnumProperty(name="Take", items=list_takes)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.comparison import remove_beside, show_beside

        scene, settings = scene_in(context), settings_in(context)
        if settings.character is None:
            raise FacecapError("There is no character to compare on.", "Pick the mesh that was solved.")
        remove_beside()
        view_layer_in(context).update()
        entry = settings.takes[int(self.take)]
        path = take_file(entry)
        settings.take_list.beside = False
        copy, _ = show_beside(scene, settings.character, take_beside(scene, path), _bake_beside(settings))
        settings.take_list.beside, settings.take_list.beside_take = True, kept_path(path)
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        session.outcome = session.Outcome(True, [f"“{copy.name}” plays {_called(settings, entry)}"])
        return {"FINISHED"}


def follow_beside(scene: bpy.types.Scene, *, head: bool) -> None:
    """Let the copy beside the character show the edits as they are now, with `head` where its head is, too."""
    from ...scene.animation.show_take import write_take
    from ...scene.comparison import copy_beside

    settings = settings_of(scene)
    copy, stored = copy_beside(), settings.take_list.beside_take
    if copy is None or not stored:
        return
    take = take_beside(scene, Path(bpy.path.abspath(stored)))
    write_take(copy, take, _bake_beside(settings), scene, "", head=head)


def _bake_beside(settings: FACECAP_PG_scene) -> BakeSettings:
    """How a take is put on the copy."""
    chosen = chosen_bake(settings)
    head = "none" if chosen.head == "none" else "object"
    return replace(chosen, mode="new", influence=1.0, head=head, armature=None, bone="", name="Beside")


class FACECAP_OT_end_comparison(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.end_comparison"
    bl_label = "End Comparison"
    bl_description = "Take away the copy that plays another take beside the character"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).take_list.beside:
            cls.poll_message_set("No take is shown beside the character")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.comparison import remove_beside

        remove_beside()
        settings_in(context).take_list.beside = False
        return {"FINISHED"}


CLASSES = (
    FACECAP_OT_compare_takes,
    FACECAP_OT_end_difference,
    FACECAP_OT_plot_difference,
    FACECAP_OT_go_to_difference,
    FACECAP_OT_compare_beside,
    FACECAP_OT_end_comparison,
)
