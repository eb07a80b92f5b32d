"""The training of a generator: sequences of one expression in, a network that continues them out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...generate.authored.synthesis import make_actor, synthesise_set
from ...generate.bu4dfe import read_bnd_folder
from ...generate.from_take import make_take_sequence
from ...generate.learned.window import cut_to_window
from ...generate.sequence import ENDING, LandmarkSequence, load_sequence, prepare_sequence
from ...generate.statistics import measure_extrapolation
from ...landmarks.probes import save_probe
from ...landmarks.registry import open_landmarker
from ...settings_schema import to_json
from ...takes.npz import load_take
from ..runtime.blender_process import BlenderHook
from ..runtime.progress import Progress, Steps
from ..runtime.require_torch import check_torch
from ..runtime.threaded_progress import OnProgress, run_threaded, run_threaded_stages
from ..settings.generate import TrainGeneratorSettings
from ..steps.character import character_source, embedding_of, read_rig

_NETWORK = "bilinear"
"""What an older version's training, of a network without that part, cannot go on as."""
_FREE = ("out", "threads", "tensorboard", "device", "precision", "blender")


@dataclass(frozen=True)
class TrainGeneratorResult:
    """A trained generator.

    Attributes:
        generator: the .onnx.  picture: how the training went, and a free run.  lines: what there is to say.
    """

    generator: Path
    picture: Path
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able facts."""
        return {"generator": str(self.generator), "picture": str(self.picture), "lines": list(self.lines)}


def run(settings: TrainGeneratorSettings, *, blender_hook: BlenderHook | None = None) -> Steps[TrainGeneratorResult]:
    """Train a generator; a training that was stopped goes on.

    Raises:
        FacecapError: torch is missing, the data is damaged or too little.
    """
    check_torch()
    yield Progress("open", 0, 1)
    rig, _ = yield from read_rig(character_source(None), blender=None, hook=blender_hook, folder=settings.out)
    landmarker = open_landmarker(threads=settings.threads)
    embedding = yield from run_threaded(
        "character", lambda on_progress: embedding_of(rig, landmarker, settings.out, on_progress)
    )
    actor = make_actor(rig, embedding)

    theirs = rig if settings.source is None else None
    if theirs is None:
        source = character_source(settings.source)
        theirs, _ = yield from read_rig(source, blender=settings.blender, hook=blender_hook, folder=settings.out)

    notes: list[str] = []

    def read_sequences(on_progress: Callable[[int, int], None]) -> list[LandmarkSequence]:
        if settings.data is None:
            return synthesise_set(actor, settings.expression, settings.subjects, on_progress)
        paths = sorted(settings.data.glob(f"*{ENDING}"))
        own = [(path.name, load_sequence(path)) for path in paths]
        takes = [(path.name, load_take(path)) for path in sorted(settings.data.glob("*.take.npz"))]
        if takes:
            placed = embedding_of(theirs, landmarker, settings.out)
            own += [(name, make_take_sequence(take, theirs, placed)) for name, take in takes]
        found = [(name, prepare_sequence(sequence)) for name, sequence in own] or [
            (f"{sequence.facts['subject']}/{sequence.name}", sequence)
            for sequence in read_bnd_folder(settings.data, settings.expression, actor.rest)
        ]
        cut: list[LandmarkSequence] = []
        for name, sequence in found:
            kept, said = cut_to_window(sequence, name)
            cut.append(kept)
            notes.extend(said)
        return cut

    found = yield from run_threaded("data", read_sequences)
    for note in notes:
        yield Progress("data", 1, 1, note)
    splits = split_subjects(found, settings.validation_subjects, settings.test_subjects)
    result = yield from run_threaded_stages(lambda on_progress: _train(settings, splits, on_progress))
    return replace(result, lines=(*notes, *result.lines))


@dataclass(frozen=True)
class SubjectSplits:
    """Sequences of different subjects: to learn from, to choose the checkpoint by, and to measure on."""

    train: list[LandmarkSequence]
    validation: list[LandmarkSequence]
    test: list[LandmarkSequence]


def split_subjects(found: list[LandmarkSequence], validation: int, test: int) -> SubjectSplits:
    """Subjects in three parts; where there are few, those kept back are fewer.

    Raises FacecapError if there are too few to learn from.
    """
    if len(found) < 3:
        raise FacecapError(f"There are {len(found)} sequences; three are the least to learn from.", "Add more.")
    # At least two remain to learn from; of what can be kept back, both parts have their share.
    spare = len(found) - 2
    if validation + test > spare:
        validation, test = min(validation, (spare + 1) // 2), min(test, spare // 2)
    train = len(found) - validation - test
    return SubjectSplits(found[:train], found[train : train + validation], found[train + validation :])


def _train(settings: TrainGeneratorSettings, splits: SubjectSplits, on_progress: OnProgress) -> TrainGeneratorResult:
    # Here, after check_torch: what needs PyTorch.
    from ...generate.learned.training import (
        BATCH,
        CLIP,
        FREE_BATCH,
        FREE_SCHEDULE,
        PAPER_BATCH,
        PAPER_SCHEDULE,
        PASSES,
        SCHEDULE,
        FreeRunTask,
        NextStepTask,
        export_generator,
        make_probe,
        seed_torch,
    )
    from ...learn.engine.logger import PICTURE, TrainingLogger
    from ...learn.engine.trainer import Options, train
    from ...render.device import device_of, use_threads

    use_threads(settings.threads)
    seed_torch(settings.seed)
    device = device_of(settings.device)
    as_paper = settings.free_epochs == 0
    schedule = PAPER_SCHEDULE if as_paper else SCHEDULE
    wanted = schedule.epochs if settings.epochs is None else settings.epochs
    passes, seconds_free = min(PASSES, wanted), 0.0
    batch = settings.batch or (PAPER_BATCH if as_paper else BATCH)
    task = NextStepTask(splits.train, splits.validation, passes, device, as_paper=as_paper)
    folder = settings.out / f".{settings.expression}.training"
    folder.mkdir(parents=True, exist_ok=True)
    counts = f"{len(splits.train)} sequences, {len(splits.validation)} for validation, {len(splits.test)} for the test"
    title = f"{settings.expression}: {counts}, {passes} passes an epoch"
    logger = TrainingLogger(folder, title, tensorboard=settings.tensorboard)
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if device == "cuda" else "fp32"
    options = Options(
        batch,
        settings.seed,
        300.0,
        -(-settings.patience // passes),
        precision,
        clip=0.0 if as_paper else CLIP,
    )
    rounds = max(1, wanted // passes)
    key = _key(settings, splits.train)
    try:
        epochs = train(
            task,
            replace(schedule, epochs=rounds, decay_epochs=rounds),
            options,
            folder,
            lambda done, total, _: on_progress("train", done, total),
            lambda so_far: logger.log_epochs(task, so_far),
            device=device,
            key=key,
        )
        if not as_paper:
            task = FreeRunTask(
                splits.train, splits.validation, 1, device, monitor="energy_distance", initial_network=task.network
            )
            free = folder / "free"
            free.mkdir(exist_ok=True)
            freely = train(
                task,
                replace(FREE_SCHEDULE, epochs=settings.free_epochs, decay_epochs=settings.free_epochs),
                replace(options, batch=FREE_BATCH, patience=0),
                free,
                lambda done, total, _: on_progress("free", done, total),
                lambda so_far: logger.log_epochs(task, epochs + so_far),
                device=device,
                key=key,
            )
            seconds_free = sum(epoch.seconds for epoch in freely)
    finally:
        logger.close()
    on_progress("export", 0, 1)
    seconds = sum(epoch.seconds for epoch in epochs)
    errors = task.evaluate()
    # Chosen on the validation subjects, measured on those that chose nothing.
    test_error = task.measure_error(splits.test) if splits.test else float("nan")
    facts: dict[str, Any] = {
        "data": "authored by code" if settings.data is None else "the user's own",
        "sequences": len(splits.train),
        "validation_sequences": len(splits.validation),
        "test_sequences": len(splits.test),
        "epochs": len(epochs) * passes,
        "free_epochs": settings.free_epochs,
        "relative_error": round(errors["relative_error"], 6) if errors else None,
        "test_error": round(test_error, 6) if splits.test else None,
    }
    model, difference = export_generator(task, settings.expression, facts)
    target = settings.out / f"{settings.expression}.onnx"
    with atomic_path(target) as temporary:
        temporary.write_bytes(model)
    save_probe(target, make_probe(model))
    log = settings.out / f"{settings.expression}.log.jsonl"
    with atomic_path(log) as temporary:
        temporary.write_bytes((folder / "log.jsonl").read_bytes())
    picture = settings.out / f"{settings.expression}.png"
    with atomic_path(picture) as temporary:
        temporary.write_bytes((folder / PICTURE).read_bytes())
    runs = f"{settings.free_epochs} of free runs in {seconds_free / 60:.1f} min"
    lines = [
        f"{len(epochs) * passes} epochs over {len(splits.train)} sequences in {seconds / 60:.1f} min, "
        + ("as the paper has it." if as_paper else f"and {runs}."),
        f"The file's network differs from the trained one by at most {difference:.2g} mm a step.",
        str(target),
    ]
    if splits.test:
        extrapolated = measure_extrapolation(task.read_steps(splits.test))
        lines.insert(
            1,
            f"Test subjects: squared error of the next step 1/{1 / test_error:.0f} of predicting no motion; "
            f"extrapolation, straight: 1/{1 / extrapolated[0]:.0f}, curved: 1/{1 / extrapolated[1]:.0f}.",
        )
    return TrainGeneratorResult(target, picture, tuple(lines))


def _key(settings: TrainGeneratorSettings, train_sequences: list[LandmarkSequence]) -> str:
    """Changes with everything that changes what is learned."""
    # Under their first names: a training goes on after one was changed.
    given = to_json(settings, former_names=True)
    facts = {name: value for name, value in given.items() if name not in _FREE}
    digest = hashlib.sha256(json.dumps([_NETWORK, facts], sort_keys=True).encode())
    for sequence in train_sequences:
        digest.update(np.ascontiguousarray(sequence.displacements).data)
    return digest.hexdigest()[:24]
