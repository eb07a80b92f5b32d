"""The dataset job: footage and what the face does in it, added to a training set; the set checked and shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...footage.footage import open_footage
from ...images.encode import write_image
from ...learn.data.contact_sheet import draw_contact_sheet
from ...learn.data.crops import propose_crop, propose_whole
from ...learn.data.labelled_images import find_labelled_images
from ...learn.data.training_set import TrainingSet, open_set, save_set
from ...learn.data.validation import check_set
from ...solvers.crop import Box, is_same_shape
from ...takes.npz import load_take
from ..runtime.blender_process import BlenderHook, ask_blender, await_blender
from ..runtime.progress import Progress, Steps
from ..runtime.threaded_progress import run_threaded
from ..settings.dataset import DatasetSettings
from ..steps.character import character_source, characters_in, read_rig
from ..steps.results.provenance import settings_of
from .dataset_shots import add_cache, add_curves, add_renders, add_take


@dataclass(frozen=True)
class DatasetResult:
    """A training set as it is now.

    Attributes:
        folder: of the set.  sheet: its contact sheet.  lines: what there is to say.
    """

    folder: Path
    sheet: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able facts."""
        return {
            "folder": str(self.folder),
            "sheet": None if self.sheet is None else str(self.sheet),
            "lines": list(self.lines),
        }


def run(settings: DatasetSettings, *, blender_hook: BlenderHook | None = None) -> Steps[DatasetResult]:
    """Add to a training set, or check it.

    Raises:
        FacecapError: sources do not fit together or the character, or cannot be read; the set stays as it was.
    """
    yield Progress("open", 0, 1)
    if settings.labelled_images is not None:
        return _describe_labelled_images(settings)
    training_set = (yield from _open(settings, blender_hook)).complete()
    before, notes = training_set.shots, list[str]()
    if settings.take is not None:
        training_set = yield from add_take(settings, training_set, settings.take)
    elif settings.draw_seconds is not None:
        training_set = yield from add_renders(settings, training_set, settings.draw_seconds)
    elif (video := settings.video) is not None:
        if (settings.curves is None) == (settings.cache is None):
            raise FacecapError("Footage needs curves or a point cache.", "Name one with --curves or --cache.")
        if settings.cache is not None and settings.cache.suffix.lower() == ".abc":
            settings = yield from _read_alembic(settings, training_set, video, blender_hook)
        adding = add_curves if settings.curves is not None else add_cache
        training_set = yield from adding(settings, training_set, video, notes)
    elif not (settings.folder / "set.json").is_file():
        raise FacecapError(f"{settings.folder} is no training set yet.", "Add something: a take, footage, or drawings.")
    training_set = choose_side_crop(choose_crop(training_set, settings.crop), settings.side_crop)
    save_set(training_set)
    picture = yield from run_threaded("sheet", lambda on_progress: draw_contact_sheet(training_set, on_progress))
    sheet = settings.folder / "sheet.png"
    with atomic_path(sheet) as temporary:
        write_image(temporary, picture)
    added = [shot.name for shot in training_set.shots if shot not in before]
    named = [f"Added {', '.join(added)}."] if added else []
    return DatasetResult(settings.folder, sheet, (*notes, *named, *describe(training_set), *check_set(training_set)))


def describe(training_set: TrainingSet) -> list[str]:
    """The shots and the crop, a sentence each."""
    splits, frames = training_set.split_shots(), sum(shot.frames for shot in training_set.shots)
    kept = [
        f"{len(shots)} shots, {sum(shot.frames for shot in shots)} frames for {use}"
        for use, shots in (("validation", splits.validation), ("test", splits.test))
    ]
    lines = [f"{len(training_set.shots)} shots, {frames} frames; {'; '.join(kept)}."]
    if training_set.crop is not None:
        lines.append("Crop: " + ",".join(f"{value:.4f}" for value in training_set.crop))
    if training_set.side_crop is not None:
        lines.append("Crop from the side: " + ",".join(f"{value:.4f}" for value in training_set.side_crop))
    for shot in training_set.shots[1:]:
        size, usual = shot.size_px, training_set.shots[0].size_px
        if size is not None and usual is not None and not is_same_shape(size, usual):
            lines.append(
                f"{shot.name} is {size[0]}×{size[1]}, {training_set.shots[0].name} {usual[0]}×{usual[1]}: it is seen "
                "about the face, as large as there."
            )
    return lines


def choose_crop(training_set: TrainingSet, text: str | None) -> TrainingSet:
    """The set with the crop that is asked for, or, where nobody drew one, with a proposed one."""
    if text is not None:
        return replace(training_set, crop=_parse_box(text), crop_is_own=True)
    if training_set.crop_is_own or not training_set.shots:
        return training_set
    size = training_set.shots[0].size_px
    if size is None:  # a set of an older version, whose footage is gone: the crop is what it was
        return training_set
    # Shots of another shape get the rectangle that shows their face alike, see `frame_shot`.
    alike = [shot for shot in training_set.shots if shot.size_px is not None and is_same_shape(shot.size_px, size)]
    boxes = np.concatenate([training_set.read_rows(shot).box for shot in alike])
    return replace(training_set, crop=propose_crop(boxes, size))


def choose_side_crop(training_set: TrainingSet, text: str | None) -> TrainingSet:
    """The same for the second camera; where no face is found from the side, its picture's middle, not squashed."""
    if text is not None:
        return replace(training_set, side_crop=_parse_box(text), side_crop_is_own=True)
    both = [shot for shot in training_set.shots if shot.side_video is not None]
    if training_set.side_crop_is_own or not both:
        return training_set
    size = both[0].side_size_px
    if size is None:
        return training_set
    alike = [shot for shot in both if shot.side_size_px is not None and is_same_shape(shot.side_size_px, size)]
    boxes = np.concatenate([training_set.read_rows(shot).side_box for shot in alike])
    seen = np.isfinite(boxes).all(1).any()
    return replace(training_set, side_crop=propose_crop(boxes, size) if seen else propose_whole(size))


def _open(settings: DatasetSettings, hook: BlenderHook | None) -> Steps[TrainingSet]:
    """The set, or a new one with the character that is named."""
    if (settings.folder / "set.json").is_file():
        return open_set(settings.folder)
    character = settings.character
    if character is None and settings.take is not None:
        character = settings_of(load_take(settings.take), settings.take).character
    rig, _ = yield from read_rig(
        character_source(character), blender=settings.blender, hook=hook, folder=characters_in(settings.folder)
    )
    return TrainingSet(settings.folder, rig)


def _read_alembic(
    settings: DatasetSettings, training_set: TrainingSet, video: Path, hook: BlenderHook | None
) -> Steps[DatasetSettings]:
    """The settings with an Alembic file's vertices as an MDD file in the set's folder, which Blender writes."""
    assert settings.cache is not None
    if not settings.cache.is_file():
        raise FacecapError(f"There is no file {settings.cache}.", "Check the path.")
    kept = settings.folder / ".alembic.facecap"
    target = kept / f"{settings.cache.stem}.mdd"
    request: dict[str, Any] = {"do": "read_mesh", "file": str(settings.cache.resolve())}
    request |= {"out": str(target.resolve()), "vertices": training_set.rig.vertex_count}
    # Blender plays Alembic by time: a frame of the footage is a frame of the scene.
    request["fps"] = settings.cache_fps or float(open_footage(video, fps=settings.fps).frame_rate)
    asking = ask_blender(request, blender=settings.blender, hook=hook, folder=kept)
    yield from await_blender(asking, "alembic")
    return replace(settings, cache=target)


def _describe_labelled_images(settings: DatasetSettings) -> DatasetResult:
    assert settings.labelled_images is not None
    images = find_labelled_images(settings.labelled_images)
    lines = [
        f"{len(images.paths)} images of {len(images.persons)} persons, {len(images.classes)} expressions: "
        + ", ".join(images.classes)
        + "."
    ]
    if len(images.persons) < 2:
        lines.append("They show one person only, so none can be kept back for validation.")
    return DatasetResult(settings.labelled_images, None, tuple(lines))


def _parse_box(text: str) -> Box:
    try:
        left, top, width, height = (float(part) for part in text.split(","))
    except ValueError:
        left = top = width = height = -1.0
    if not (0 < width <= 2 and 0 < height <= 2 and -1 <= left <= 1 and -1 <= top <= 1):
        raise FacecapError(
            f"The crop {text!r} is no rectangle.",
            "Write left,top,width,height in parts of the picture: 0.2,0.1,0.6,0.8.",
        )
    return left, top, width, height
