"""Learn: takes gathered in a training set, and a solver trained on it, in the worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...errors import FacecapError
from ...jobs.settings.dataset import DatasetSettings
from ...jobs.settings.train import TrainSettings
from ...json_types import Decoded
from ...learn.networks.registry import find_useless_settings
from ...settings_schema import from_json
from .. import session
from ..paths import work_folder
from ..present import settings_in, settings_of
from ..properties.derive import FILE_CHOICE, values_of
from .job_operator import JobOperator, lines_of
from .refine import show_picture
from .solve import character_with_keys

LIVE_IMAGE = "FaceCap training"


class SetOperator(JobOperator):
    """What changes a training set, or looks at it, and ends with its contact sheet.

    Operators share this rather than each other: Blender cannot find the class of one that another is derived from.
    """

    puts_on = "nothing"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """What is `asked` of the scene's set. Raises FacecapError."""
        folder = set_folder(context)
        request = {"folder": str(folder), **_crop(context), **cls.asked(context, folder)}
        return cls.describe(context, "dataset", from_json(DatasetSettings, request), None, f"({folder.name})")

    @classmethod
    def asked(cls, context: bpy.types.Context, folder: Path) -> dict[str, Any]:
        """Of `DatasetSettings`, what this operator adds. Raises FacecapError."""
        return {}

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        if facts.get("sheet") and job.is_here:
            show_picture(bpy.context, Path(str(facts["sheet"])), "FaceCap training set")
        return session.Outcome(True, lines_of(facts))


class FACECAP_OT_add_to_set(SetOperator, bpy.types.Operator):
    bl_idname = "facecap.add_to_set"
    bl_label = "Add Take"
    bl_description = "Add the take and its footage to the training set"

    needs_take = "Solve first, and correct what is wrong"

    @classmethod
    def asked(cls, context: bpy.types.Context, folder: Path) -> dict[str, Any]:
        """The scene's take."""
        return {"take": str(Path(bpy.path.abspath(settings_in(context).result.take)))}


class FACECAP_OT_draw_set(SetOperator, bpy.types.Operator):
    bl_idname = "facecap.draw_set"
    bl_label = "Add Renders"
    bl_description = "Render the character in varied expressions and add that to the training set (needs PyTorch)"

    needs_torch = True

    @classmethod
    def asked(cls, context: bpy.types.Context, folder: Path) -> dict[str, Any]:
        """Drawings of the scene's character. Raises FacecapError without one."""
        from .create import exported

        settings = settings_in(context)
        character = character_with_keys(settings)
        request: dict[str, Any] = {"draw_seconds": settings.learn.draw_seconds, "side": settings.learn.side}
        if not (folder / "set.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            request["character"] = str(exported(character, folder))
        return request


class FACECAP_OT_check_set(SetOperator, bpy.types.Operator):
    bl_idname = "facecap.check_set"
    bl_label = "Check"
    bl_description = "Check the training set and show its contact sheet, with the crop"


class FACECAP_OT_train(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.train"
    bl_label = "Train"
    bl_description = "Train a network on the training set (needs PyTorch); a training that was stopped continues"

    needs_torch = True

    puts_on, use_label = "scene", "Solve with It"

    @classmethod
    def watch(cls, job: session.Job) -> None:
        """Show the picture that a training keeps up to date."""
        show_picture(bpy.context, training_picture(from_json(TrainSettings, job.settings)), LIVE_IMAGE)

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """Training on the scene's set. Raises FacecapError."""
        folder = set_folder(context)
        if not (folder / "set.json").is_file():
            raise FacecapError("There is no training set yet.", "Add takes to it first.")
        return cls.describe(context, "train", training_asked(context), None, f"({folder.name})")

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        settings_of(scene).solve.method = FILE_CHOICE  # the next solve uses it
        settings_of(scene).solve.method_file = str(facts["solver"])
        return session.Outcome(True, lines_of(facts))


def _crop(context: bpy.types.Context) -> dict[str, str]:
    learn = settings_in(context).learn
    return {"crop": ",".join(f"{value:.4f}" for value in learn.crop)} if learn.use_crop else {}


def set_folder(context: bpy.types.Context) -> Path:
    """Where the scene's training set lies."""
    given = settings_in(context).learn.folder
    return Path(bpy.path.abspath(given)) if given else work_folder("training set")


def training_asked(context: bpy.types.Context) -> TrainSettings:
    """The training that the scene asks for, without what the panel does not offer for its network."""
    learn = settings_in(context).learn
    request: dict[str, Any] = values_of(learn, TrainSettings) | {"folder": str(set_folder(context))}
    if learn.labelled_images:
        request["labelled_images"] = bpy.path.abspath(learn.labelled_images)
    useless = find_useless_settings(learn.network)
    return from_json(TrainSettings, {name: value for name, value in request.items() if name not in useless})


def training_picture(asked: TrainSettings) -> Path:
    """The picture that a training keeps up to date."""
    return asked.folder / f".{asked.network}-{asked.preset}.training" / "progress.png"


CLASSES = (FACECAP_OT_add_to_set, FACECAP_OT_draw_set, FACECAP_OT_check_set, FACECAP_OT_train)
