"""Mapping by what moves: keys of any name compared with those of FaceCap's own head."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from ...json_types import Decoded
from .. import session
from ..paths import work_folder
from ..present import settings_in
from ..scene.objects import key_blocks_of
from ..translations import phrase
from .create import exported
from .job_operator import JobOperator


class FACECAP_OT_fill_by_motion(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.fill_mapping_by_motion"
    bl_label = "Fill by Motion"
    bl_description = (
        "Find what the remaining channels move by what each shape key does to the face, whatever it is called; what is "
        "not certain is marked, and links that are there stay"
    )

    use_label = "Fill"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """A guess for the scene's character. Raises FacecapError."""
        from ...jobs.settings.map import MapSettings

        character = settings_in(context).character
        if character is None or len(key_blocks_of(character)) < 2:
            raise FacecapError("There is no character with shape keys.", "Choose one, above.")
        out = work_folder("mappings")
        rig = exported(character, out)
        target = rig.with_name(rig.name.removesuffix(".rig.npz") + ".mapping.json")
        return cls.describe(context, "map", MapSettings(character=str(rig), out=target), character)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        from ...rig.channels import ARKIT_CHANNELS
        from ...rig.mapping.guess import add_links
        from ...rig.mapping.mapping import Mapping
        from ...rig.mapping.mapping_file import load_mapping
        from ..mapping import give_mapping
        from ..scene.controls.stored_mapping import read_mapping

        if character is None:
            raise FacecapError("The character is gone.", "Choose it again.")
        before = read_mapping(character)
        mapping = add_links(
            before if before.links else Mapping(character.name, ()), load_mapping(Path(str(facts["mapping"])))
        )
        give_mapping(character, mapping)
        found = len({link.channel for link in mapping.links} & set(ARKIT_CHANNELS))
        unsure = sum(not link.sure for link in mapping.links)
        lines = [phrase("{found} of 52 channels found", found=found)]
        lines += [phrase("{count} links are not certain: look at them", count=unsure)] if unsure else []
        return session.Outcome(True, lines)


CLASSES = (FACECAP_OT_fill_by_motion,)
