"""What corrected frames teach: the actor's gains for later solves, and a shot for networks trained on this actor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...errors import FacecapError
from .. import session
from ..corrections import corrections_in, take_of
from ..present import scene_in, settings_in, settings_of
from ..takes import home_folder, kept_path, take_file
from .base import OperatorReturn
from .corrections import CorrectionNeeded
from .learn import SetOperator

_ENDING = ".actor.json"


class FACECAP_OT_teach_actor(CorrectionNeeded, bpy.types.Operator):
    bl_idname = "facecap.teach_actor"
    bl_label = "Send to Actor"
    bl_description = (
        "Let the actor learn from corrected poses how far each of her channels goes; later solves use what was learned"
    )
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from dataclasses import replace

        from ...fit.actor.channel_gains import learn_from_corrections
        from ...takes.actor import load_actor, save_actor
        from ...takes.corrections import seen_and_wanted
        from ...takes.names import find_free_path

        scene = scene_in(context)
        settings = settings_of(scene)
        pairs = seen_and_wanted(corrections_in(scene))
        if not pairs:
            raise FacecapError(
                "There is no corrected pose to learn from.", "Set shape keys on some frames and press Keep This Pose."
            )
        file = Path(bpy.path.abspath(settings.solve.actor_file)) if settings.solve.actor_file else None
        known = file is not None and file.suffix.lower() == ".json"
        actor = load_actor(file) if file is not None and known else take_of(scene).actor
        if actor is None:
            raise FacecapError("The take does not know its actor.", "Solve again.")
        gains = learn_from_corrections(actor.gains, pairs)
        changed = sorted(name for name, gain in gains.items() if gain != actor.gains.get(name))
        # Her former file stays: undo goes back to it.
        stem = Path(bpy.path.abspath(settings.result.take)).name.removesuffix(".take.npz")
        wished = file if file is not None and known else home_folder(settings.result) / f"{stem}{_ENDING}"
        path = find_free_path(wished, _ENDING)
        save_actor(path, replace(actor, gains=gains))
        settings.solve.actor_file = kept_path(path)
        said = [f"{name} ×{gains[name].gain:.2f}" for name in changed[:4]]
        session.outcome = session.Outcome(
            True,
            [f"Learned {', '.join(said) or 'nothing new'}{' …' if len(changed) > 4 else ''}", f"Saved {path.name}"],
        )
        return {"FINISHED"}


class FACECAP_OT_send_to_set(SetOperator, bpy.types.Operator):
    bl_idname = "facecap.send_to_set"
    bl_label = "Send to Training Set"
    bl_description = "Add the corrected take and its footage to the training set, as a shot of its own"

    needs_take = "Solve first, and correct what is wrong"

    @classmethod
    def asked(cls, context: bpy.types.Context, folder: Path) -> dict[str, Any]:
        """The scene's take, if its corrections are in it. Raises FacecapError."""
        from ...takes.corrections import changed_spans, corrections_of

        scene = scene_in(context)
        take = take_of(scene)
        if not corrections_of(take) or changed_spans(corrections_of(take), corrections_in(scene)):
            raise FacecapError(
                "The chosen take does not have all corrections of the list.", "Press Re-Solve Range, then send it."
            )
        return {"take": str(take_file(settings_in(context).result))}


CLASSES = (FACECAP_OT_teach_actor, FACECAP_OT_send_to_set)
