"""Bake: put the latest take on the character again, with other settings, without solving."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ....errors import FacecapError
from ... import session
from ...edits import edited, edits_text
from ...present import scene_in, settings_in, settings_of, window_manager_in
from ...properties.declare import EnumProperty, StringProperty, with_properties
from ...properties.derive import choice_label, values_of
from ...scene.objects import key_blocks_of, keys_of
from ...takes import (
    action_name,
    add_take,
    choose_take,
    home_folder,
    kept_path,
    label_of,
    lines_about,
    made_from,
    take_file,
)
from ...translations import phrase
from ..base import FacecapOperator, OperatorReturn, TakeNeeded

if TYPE_CHECKING:
    from ....takes.take import Take
    from ...properties.settings import FACECAP_PG_scene
    from ...scene.animation.bake_settings import BakeSettings
    from ...scene.animation.curves import Animated

_SAME_RATE = 1e-4
"""Rates this near are one; 29.97 and 30 are not: after half a minute keys lie a frame apart."""
_ITEMS: list[tuple[str, str, str]] = []


class FACECAP_OT_bake(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.bake"
    bl_label = "Bake"
    bl_description = "Bake the take onto the character again with the settings above, without solving again"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        bake_and_tell(scene_in(context))
        return {"FINISHED"}


def bake_and_tell(scene: bpy.types.Scene) -> None:
    """Key a scene's take on its character, and say what was done. Raises FacecapError."""
    settings = settings_of(scene)
    session.outcome = session.Outcome(True, bake_result(scene, settings.character), settings.result.take)


def bake_result(scene: bpy.types.Scene, character: bpy.types.Object | None, path: Path | None = None) -> list[str]:
    """Key a take on a character; returns what to tell the user; the rest as in `bake_take`."""
    return bake_take(scene, character, path)[0]


def bake_take(
    scene: bpy.types.Scene, character: bpy.types.Object | None, path: Path | None = None
) -> tuple[list[str], list[Animated]]:
    """Key a take on a character; returns what to tell the user, and whatever got keys. Raises FacecapError.

    Args:
        path: of the take; None: the one that the scene has chosen.
    """
    from ....takes.merge import solved_range
    from ....takes.npz import load_take
    from ...mapping import end_tests
    from ...scene.animation.bake import apply_take
    from ...scene.animation.show_take import EDITS
    from ...scene.controls.stored_mapping import mapping_of
    from ...scene.footage import frame_of_time

    end_tests()
    settings = settings_of(scene)
    if character is None:
        raise FacecapError("There is no character to key.", "Pick the mesh that was solved, and bake.")
    take = load_take(take_file(settings.result) if path is None else path)
    if path is None:
        settings.result.not_observed = "\n".join(take.not_observed)
    bake = settings.bake
    take, renamed = fitted(settings, character, take)
    # What was keyed around a range that was solved anew stays as it is.
    within_s = solved_range(take) if bake.mode == "mix" else None
    solve, take = take, edited(scene, take, character, path)
    if take.time_s is not solve.time_s:  # another time is another range
        within_s = None
    wanted = replace(chosen_bake(settings), within_s=within_s, name=action_name(settings, take))
    report = apply_take(character, take, wanted, scene=scene)
    if report.action is not None:
        report.action[EDITS] = edits_text(scene)
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    lines = [phrase("{keys} shape keys keyed over {frames} frames", keys=len(report.keyed), frames=report.frames)]
    if report.controls:
        lines.append(phrase("{count} bones and properties keyed", count=len(report.controls)))
    if report.unknown:
        names = ", ".join(report.unknown[:4]) + (" …" if len(report.unknown) > 4 else "")
        mapped = mapping_of(character) is not None
        lines.append(
            phrase("No link in the mapping for {names}", names=names)
            if mapped
            else phrase("No shape key for {names}", names=names)
        )
    if report.locked:
        lines.append(phrase("Locked curves left as they were: {names}", names=", ".join(report.locked[:4])))
    lines += rate_remark(take, scene, whole=bake.whole_frames)
    last = frame_of_time(scene, float(take.time_s[-1]))
    if last > scene.frame_end + 1:
        frame = f"{last:.0f}"
        lines.append(
            phrase("The take ends at frame {frame}, after the scene's range; Match Scene sets it", frame=frame)
        )
    if scene.use_preview_range and last > scene.frame_preview_end + 1:
        lines.append(phrase("The preview range plays only a part of the keys; Match Scene switches it off"))
    return lines + renamed + report.remarks, report.animated


def fitted(settings: FACECAP_PG_scene, character: bpy.types.Object, take: Take) -> tuple[Take, list[str]]:
    """A take with the names that a character's keys have, by the table or by what names mean; and what to say of it.

    Where the character has a mapping, the take keeps its channels.
    """
    from ....takes.channel_map import map_by_names, map_channels
    from ...scene.controls.stored_mapping import mapping_of

    if mapping_of(character) is not None:
        return take, []
    listed = settings.take_list
    if listed.use_mapping and listed.mapping:
        return map_channels(take, [(row.source, row.key) for row in listed.mapping]), []
    take, renamed = map_by_names(take, [block.name for block in key_blocks_of(character)[1:]])
    if not renamed:
        return take, []
    said = ", ".join(f"{channel} → {key}" for channel, key in renamed[:2]) + (" …" if len(renamed) > 2 else "")
    return take, [phrase("{count} channels go to keys of other names ({said})", count=len(renamed), said=said)]


def chosen_bake(settings: FACECAP_PG_scene) -> BakeSettings:
    """How the panel asks for takes to be baked, whole."""
    from ...scene.animation.bake_settings import BakeSettings
    from ...scene.animation.layer import LayerSettings

    bake = settings.bake
    return BakeSettings(
        mode=bake.mode,
        influence=bake.influence if bake.mode == "mix" else 1.0,
        gain=bake.gain,
        head=bake.head,
        head_location=bake.head_location,
        neck_share=bake.neck_share,
        armature=bake.armature,
        bone=bake.bone,
        start_frame=settings.start_frame,
        whole_frames=bake.whole_frames,
        keep=bake.keep_hand_keys,
        reduce=bake.reduce_keys,
        layer=LayerSettings(bake.layer_blend, bake.blend_in, bake.blend_out),
    )


def bake_spans(scene: bpy.types.Scene, character: bpy.types.Object) -> list[str]:
    """Key what was last solved into the scene's take on a character, in place of those keys; all others stay.

    A character without keys gets the whole take. Returns what to tell the user; raises FacecapError.
    """
    from ....takes.npz import load_take
    from ...scene.animation.bake import animated_with
    from ...scene.animation.curves import present_action
    from ...scene.animation.layer import REPLACE, opened_strips
    from ...scene.animation.own_action import TAKE
    from ...scene.animation.signature import versions_of
    from ...scene.controls.mapped_take import mapped_controls
    from ...scene.head.parts import parts_of

    settings = settings_of(scene)
    keys = keys_of(character)
    present = None if keys is None else present_action(keys)
    take = load_take(take_file(settings.result))
    if settings.bake.mode == "layer" and (present is None or present.get(TAKE) not in versions_of(take)):
        # What plays is above the layer: the take's keys are in a strip. A head that is added is keyed by differences.
        if settings.bake.layer_blend != REPLACE and settings.bake.head != "none":
            return bake_result(scene, character)
        may_be_keyed = animated_with(character, parts_of(character, scene), mapped_controls(character, scene))
        with opened_strips(may_be_keyed, versions_of(take)) as there:
            lines = _key_spans(scene, character, take) if there else None
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        return bake_result(scene, character) if lines is None else lines
    lines = None if present is None else _key_spans(scene, character, take)
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    return bake_result(scene, character) if lines is None else lines


def _key_spans(scene: bpy.types.Scene, character: bpy.types.Object, take: Take) -> list[str] | None:
    """Key what was last solved into a take in a character's present action; None where edits give it other times."""
    from ....takes.merge import solved_spans
    from ...scene.animation.bake import apply_take

    settings = settings_of(scene)
    settings.result.not_observed = "\n".join(take.not_observed)
    take, _ = fitted(settings, character, take)
    wanted = replace(chosen_bake(settings), mode="mix", influence=1.0)
    spans, solve = solved_spans(take), take
    take = edited(scene, take, character)
    if take.time_s is not solve.time_s:
        return None
    reports = [apply_take(character, take, replace(wanted, within_s=span), scene=scene) for span in spans]
    frames = sum(report.frames for report in reports)
    remarks = dict.fromkeys(remark for report in reports for remark in report.remarks)
    keyed = len(reports[-1].keyed)
    said = phrase("{keys} shape keys keyed anew over {frames} frames, all others kept", keys=keyed, frames=frames)
    return [said, *remarks]


def rate_remark(take: Take, scene: bpy.types.Scene, *, whole: bool) -> list[str]:
    """What to say where a take has another rate than the scene."""
    from ....takes.between import frame_rate
    from ...scene.footage import scene_rate

    own, rate = frame_rate(take), scene_rate(scene)
    if abs(own - rate) <= _SAME_RATE * rate:
        return []
    keys = (
        phrase("keys were resampled to whole frames")
        if whole
        else phrase("keys lie between frames; Whole Frames resamples them")
    )
    return [
        phrase(
            "The take runs at {own:.4g} frames per second, the scene at {rate:.4g}: {keys}",
            **{"own": own, "rate": rate, "keys": keys},
        )
    ]


def list_takes(_: object, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """The scene's takes, latest first; Blender wants the texts to be kept alive."""
    takes = settings_in(context).takes if context is not None else ()
    _ITEMS[:] = [
        (str(index), label_of(takes[index]), "\n".join((*lines_about(takes[index]), takes[index].clip)))
        for index in reversed(range(len(takes)))
    ]
    return _ITEMS


@with_properties()
class FACECAP_OT_choose_take(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.choose_take"
    bl_label = "Choose Take"
    bl_description = "Choose which of the scene's takes Bake Again, Filter, Refine and the exports use"
    bl_options = {"REGISTER", "UNDO"}

    take: str = EnumProperty(name="Take", items=list_takes)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        choose_take(scene_in(context), int(self.take))
        return {"FINISHED"}


class FACECAP_OT_filter(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.filter"
    bl_label = "Filter and Bake"
    bl_description = "Smooth the take and bake it; lips and lids stay closed, and the solve itself is not changed"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....jobs.settings.filter import ENDING
        from ....jobs.settings.live import CurveFilterSettings
        from ....settings_schema import from_json
        from ....takes.filters.take_filter import filter_take
        from ....takes.npz import load_take, save_take
        from ....takes.versions import ID, add_id, home_of, keep

        scene, settings = scene_in(context), settings_in(context)
        # Filtered again, a take is filtered from the solve.
        path = made_from(take_file(settings.result), ENDING, "filtered")
        take = load_take(path)
        kinds = {entry.take: entry.kind for entry in settings.takes}
        choice = from_json(CurveFilterSettings, values_of(settings.filter, CurveFilterSettings)).choice()
        if choice.kind == "none":
            add_take(scene, path, take, kinds.get(kept_path(path), "solved"), choose=True)
        else:
            stem = f"{path.name.removesuffix('.take.npz')}{ENDING}"
            target = home_of(path) / f"{stem}.take.npz"
            keep(target.parent, stem, [target])
            facts = {"from": path.name, "id": take.provenance.get(ID, ""), "filter": choice.kind}
            after = filter_take(take, choice)
            after = add_id(replace(after, provenance={**after.provenance, "filtered": facts}))
            save_take(target, after)
            kept = keep(target.parent, stem, [target]) or target
            add_take(
                scene, kept, after, "filtered", choose=True, detail=f"Filter: {choice_label(settings.filter, 'filter')}"
            )
        lines = bake_result(scene, settings.character)
        lines.append(f"Bake Again bakes {label_of(settings.result)}")
        session.outcome = session.Outcome(True, lines, settings.result.take)
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_bake_points(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.bake_points"
    bl_label = "Bake Point Cache"
    bl_description = "Play the take as a point cache on the mesh; its shape keys stay free for corrections"
    bl_options = {"REGISTER", "UNDO"}

    cache_format: str = EnumProperty(
        name="Format", items=[("PC2", "PC2", "Point Cache 2"), ("MDD", "MDD", "Lightwave's, with times")]
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....takes.names import find_free_path
        from ....takes.npz import load_take
        from ...scene.animation.point_cache import bake_points

        settings = settings_in(context)
        if settings.character is None:
            raise FacecapError("There is no character to move.", "Pick the mesh that was solved, and bake.")
        path = take_file(settings.result)
        stem = path.name.removesuffix(".take.npz")
        solved = next((p for p in (path.with_name(f"{stem}.{kind}") for kind in ("pc2", "mdd")) if p.is_file()), None)
        # A cache that plays already is another take's, or was wished otherwise: it stays.
        name = f"{stem}.{bpy.path.clean_name(settings.character.name)[:40]}.{self.cache_format.lower()}"
        target = find_free_path(home_folder(settings.result) / name)
        start, take = settings.start_frame, load_take(path)
        solve, take = take, edited(scene_in(context), take, settings.character)
        if take is not solve or take.jaw.any():  # the cache on disk holds the jaw's motion, which the bone makes here
            solved = None
        count = bake_points(settings.character, take, target, start_frame=start, scene=scene_in(context), solved=solved)
        session.outcome = session.Outcome(True, [f"{count} frames as a point cache: {target.name}"])
        return {"FINISHED"}


@with_properties()
class FACECAP_OT_export_points(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.export_points"
    bl_label = "Export Alembic or USD"
    bl_description = "Write the animated mesh, as it plays in the scene's range, with Blender's own exporter"

    filepath: str = StringProperty(subtype="FILE_PATH")
    filter_glob: str = StringProperty(default="*.abc;*.usd;*.usda;*.usdc", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if settings_in(context).character is None:
            cls.poll_message_set("No character was chosen")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        result = settings_in(context).result
        name = Path(bpy.path.abspath(result.take)).with_suffix("").with_suffix(".abc").name
        self.filepath = str(home_folder(result) / name) if result.take else "face.abc"
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.animation.point_cache import export_mesh

        character = settings_in(context).character
        if character is None:
            raise FacecapError("There is no character to export.", "Pick the mesh that was solved.")
        export_mesh(context, character, Path(bpy.path.abspath(self.filepath)))
        return {"FINISHED"}


CLASSES = (FACECAP_OT_bake, FACECAP_OT_choose_take, FACECAP_OT_filter, FACECAP_OT_bake_points, FACECAP_OT_export_points)
