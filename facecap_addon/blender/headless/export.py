"""A take on a character, written for another program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from ...rig.mapping.mapping_file import load_mapping
from ...takes.channel_map import map_by_names
from ...takes.formats.curves import Curves, mapped_take
from ...takes.take import Take
from ..scene.animation.bake import BakeSettings, apply_take, gained
from ..scene.controls.stored_mapping import mapping_of
from ..scene.exporters import export_meshes
from ..scene.head.parts import parts_of
from ..scene.objects import key_blocks_of


def export_take(
    obj: bpy.types.Object, take: Take, settings: BakeSettings, path: Path, scene: bpy.types.Scene, mapping: Path | None
) -> list[str]:
    """Bake a take on a character and write what plays; returns what there is to say.

    Args:
        mapping: a mapping's file; None: the character's own, where it has one.
    Raises:
        FacecapError: the take does not fit the character, or the file cannot be written.
    """
    meshes = [obj, *parts_of(obj, scene)]
    names = list(dict.fromkeys(block.name for mesh in meshes for block in key_blocks_of(mesh)[1:]))
    moves = mapping_of(obj) if mapping is None else load_mapping(mapping)
    if moves is not None:
        report = apply_take(obj, take, replace(settings, mapping=moves), scene=scene)
        keyed = mapped_take(take, moves)
    else:
        keyed, _ = map_by_names(take, names)
        report = apply_take(obj, keyed, settings, scene=scene)
    seen = [column for column, name in enumerate(keyed.channels) if name not in keyed.not_observed]
    # As the keys are, so that what plays is what is written.
    values = gained(obj, keyed, 1.0)[:, seen].astype(np.float32)
    curves = Curves(tuple(keyed.channels[column] for column in seen), keyed.time_s, values, keyed.solved)
    scene.frame_set(scene.frame_start)
    notes = export_meshes(meshes, path, curves=curves, name=path.stem)
    return [*report.remarks, *notes]
