"""The edit job: a take and a stack of edits in, an edited take out; the solve stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..fit.contact_pass import find_gaps
from ..landmarks.registry import open_landmarker
from ..rig.channels import match_channels
from ..takes.edits.contacts import Gaps
from ..takes.edits.evaluate import evaluate, find_active
from ..takes.edits.stack_file import read_stack, shipped_presets
from ..takes.formats.performance import read_performance
from ..takes.formats.recording import notes_of
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.edit import ENDING, EditSettings
from .steps.character import character_source, characters_in, find_character
from .steps.results.derived_take import DerivedTake, write_derived_take

EditResult = DerivedTake
"""An edited take."""


def run(settings: EditSettings, *, blender_hook: BlenderHook | None = None) -> Steps[EditResult]:
    """Edit a take.

    Raises:
        FacecapError: take, stack or character cannot be read, or an edit's numbers do not fit.
    """
    yield Progress("open", 0, 1)
    stack = read_stack(shipped_presets().get(settings.stack) or Path(settings.stack))
    before = read_performance(settings.take)
    notes = list(notes_of(before))
    gaps: Gaps | None = None
    limits = np.tile(np.array([0, 1], np.float32), (len(before.channels), 1))
    if settings.character is not None:
        landmarker = open_landmarker(threads=settings.threads)
        character = yield from find_character(
            character_source(settings.character),
            landmarker,
            blender=settings.blender,
            hook=blender_hook,
            folder=characters_in(settings.take.parent),
        )
        notes += character.notes
        gaps = find_gaps(character.rig, character.embedding)
        (columns, keys), _ = match_channels(character.rig.channels, before.channels)
        limits[columns] = character.rig.ranges[keys]
    yield Progress("edit", 0, 1)
    after = evaluate(before, stack, limits=limits, gaps=gaps)
    active = find_active(stack)
    notes.append(f"{len(active)} of {len(stack)} edits: {', '.join(edit.label for edit in active) or 'none counts'}")
    written = write_derived_take(before, after, settings, ending=ENDING, made="edited", plot="edit.svg", notes=notes)
    yield Progress("edit", 1, 1)
    return written
