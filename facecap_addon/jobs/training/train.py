"""The train job: a training set in, a solver for the rest of the actor's footage out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...landmarks.protocol import Landmarker
from ...landmarks.registry import open_landmarker
from ...learn.data.crops import hash_footage, propose_crop
from ...learn.data.labelled_images import find_labelled_images
from ...learn.data.training_set import TrainingSet, open_set
from ...learn.networks.registry import NETWORKS, find_useless_settings
from ...settings_schema import fields_of, to_json
from ...solvers.face_keypoints import extract_face_keypoints
from ..runtime.blender_process import BlenderHook
from ..runtime.progress import Progress, Steps
from ..runtime.require_torch import check_torch
from ..runtime.threaded_progress import OnProgress, run_threaded_stages
from ..settings.train import TrainSettings
from ..steps.character import characters_in, embedding_of
from .train_evaluation import Comparison, compare_with_fit
from .train_report import write_train_report

if TYPE_CHECKING:
    from ...learn.engine.training_run import FindBox

FORMAT = 3
"""Raise it when the same set and settings would be learned from in another way."""
_FREE = ("folder", "out", "threads", "checkpoint_minutes", "tensorboard", "int8", "device", "compare")


@dataclass(frozen=True)
class TrainResult:
    """A trained solver.

    Attributes:
        solver: the .facecap.  picture: how the training went.  lines: what there is to say.
        report: an HTML page with all of it.
    """

    solver: Path
    picture: Path
    lines: tuple[str, ...]
    report: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-able facts."""
        report = None if self.report is None else str(self.report)
        facts = {"solver": str(self.solver), "picture": str(self.picture), "lines": list(self.lines)}
        return {**facts, "report": report}


def run(settings: TrainSettings, *, blender_hook: BlenderHook | None = None) -> Steps[TrainResult]:
    """Train a solver; a training that was stopped goes on.

    Raises:
        FacecapError: torch is missing, the set is damaged or too small, or a training with other settings lies there.
    """
    del blender_hook
    check_torch()
    yield Progress("open", 0, 1)
    training_set = open_set(settings.folder)
    if not training_set.shots and not NETWORKS[settings.network].uses_labelled_images:
        raise FacecapError("The training set has no shots yet.", "Add some with `facecap dataset`.")
    if any(shot.side_video is not None for shot in training_set.shots) and not NETWORKS[settings.network].two_cameras:
        raise FacecapError(
            f"The set has footage of two cameras, and {settings.network} sees one.",
            "Train laine or pointwise on it, or make a set of one camera.",
        )
    if settings.mining == "graded" and settings.labelled_images is not None and settings.network == "meng":
        raise FacecapError(
            "Labelled images do not say how far faces differ.", "Leave out --mining graded, or --labelled-images."
        )
    out = settings.out or settings.folder / f"{settings.network}-{settings.preset}.facecap"
    if out.suffix != ".facecap":
        raise FacecapError(f"A solver's file ends in .facecap, not {out.suffix or 'nothing'}.", "Name another --out.")
    result: TrainResult = yield from run_threaded_stages(
        lambda on_progress: _train(settings, training_set, out, on_progress)
    )
    if result.lines:
        result = replace(result, lines=(*describe_useless_settings(settings), *result.lines))
    comparison = Comparison(())
    if settings.compare and result.lines and training_set.choose_judges():
        comparison = yield from compare_with_fit(training_set, out, settings.threads)
        result = replace(result, lines=(*result.lines, *comparison.lines))
    if result.lines:
        report = out.with_suffix(".report.html")
        write_train_report(report, out.stem, result.lines, result.picture, comparison)
        result = replace(result, report=report)
    return result


def _train(settings: TrainSettings, training_set: TrainingSet, out: Path, on_progress: OnProgress) -> TrainResult:
    # Here, after check_torch: what needs PyTorch.
    from ...learn.engine.distributed import join_process_group
    from ...learn.engine.training_run import TrainingRun, get_training_folder
    from ...learn.networks.presets import get_preset
    from ...render.device import device_of, use_threads

    use_threads(settings.threads)
    process_group = join_process_group()
    network = NETWORKS[settings.network]
    with_images = network.uses_labelled_images and settings.labelled_images is not None
    landmarker = open_landmarker(threads=settings.threads) if with_images else None
    weighs_lips = "lip_lid_weight" in network.settings and settings.lip_lid_weight > 1 and not settings.affine
    embedding, remarks = None, list[str]()
    if weighs_lips:
        try:
            landmarks = landmarker or open_landmarker(threads=settings.threads)
            embedding = embedding_of(training_set.rig, landmarks, characters_in(settings.folder))
        except FacecapError as error:
            remarks.append(f"Lips and lids count like the rest of the face: {error.what}")
    folder = get_training_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    preset = get_preset(settings.preset, network.name)
    key = compute_training_key(settings, training_set, "" if landmarker is None else landmarker.model_version)
    run = TrainingRun(
        settings, folder, out, key, on_progress, device_of(settings.device), process_group,
        find_box=None if landmarker is None else _make_find_box(landmarker, preset.picture.aspect),
        embedding=embedding,
    )  # fmt: skip
    lines = network.train(run, training_set, preset)
    process_group.leave()
    return TrainResult(out, folder / "progress.png", (*remarks, *lines) if lines else ())


def describe_useless_settings(settings: TrainSettings) -> tuple[str, ...]:
    """What was asked for that the network has no use for, in a sentence; none if all is of use."""
    useless = find_useless_settings(settings.network)
    given = ((one, getattr(settings, one.name)) for one in fields_of(TrainSettings) if one.name in useless)
    asked = ((one, value) for one, value in given if value != one.default)
    flags = [one.flag.replace("--", "--no-") if value is False else one.flag for one, value in asked]
    return (f"{', '.join(flags)}: without effect, {settings.network} has no use for it.",) if flags else ()


def _make_find_box(landmarker: Landmarker, aspect: float) -> FindBox:
    """What finds the crop of a labelled image, of a width by height in pixels."""

    def find(picture: NDArray[np.uint8]) -> tuple[float, float, float, float] | None:
        faces = landmarker.find_faces(picture)
        if not len(faces):
            return None
        found = landmarker.landmarks_in_regions(picture, [landmarker.region_of_face(faces[0])])[0].landmarks_px
        size = (picture.shape[1], picture.shape[0])
        return propose_crop(extract_face_keypoints(found[None], size, landmarker.scheme)[1], size, aspect)

    return find


def compute_training_key(settings: TrainSettings, training_set: TrainingSet, landmarks: str = "") -> str:
    """Changes with the content of everything that is learned from: character, shots, their point caches and footage,
    labelled images, and with the settings that change what is learned.

    Args:
        landmarks: version of the network that finds the faces in labelled images, where there are any.
    """
    # Under their first names, and so below: a training that an older version began goes on.
    given = to_json(settings, former_names=True)
    facts: dict[str, Any] = {name: value for name, value in given.items() if name not in _FREE}
    folder = training_set.folder
    files = [folder / "set.json", folder / "rig.npz"]
    for shot in training_set.shots:
        files.append(folder / "shots" / f"{shot.name}.npz")
        if shot.has_vertices:
            files.append(folder / "shots" / f"{shot.name}.vertices.npy")
        for side in (False, True) if shot.side_video else (False,):
            facts[f"footage of {shot.name}, {side}"] = hash_footage(training_set, shot, side=side)
    if NETWORKS[settings.network].square or training_set.crop_is_own:
        facts["crop"] = "not squeezed"  # before, it was where its shape was not the picture's
    if settings.labelled_images is not None:  # their folders say what they show
        facts["names of stills"] = [
            str(p.relative_to(settings.labelled_images)) for p in find_labelled_images(settings.labelled_images).paths
        ]
        files += find_labelled_images(settings.labelled_images).paths
        facts["landmarks"] = landmarks
    facts["format"] = FORMAT
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:24]
