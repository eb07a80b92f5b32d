"""The training of a generator: sequences of one expression in, a network that continues them out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..generate.bu4dfe import read_bnd_folder
from ..generate.from_take import make_take_sequence
from ..generate.sequence import ENDING, LandmarkSequence, load_sequence, prepare_sequence
from ..generate.synthesis import make_actor, synthesise_set
from ..landmarks.probes import save_probe
from ..landmarks.registry import open_landmarker
from ..settings_schema import to_json
from ..takes.npz import load_take
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.require_torch import check_torch
from .runtime.threaded_progress import OnProgress, run_threaded, run_threaded_stages
from .settings.generate import TrainGeneratorSettings
from .steps.character import character_source, embedding_of, read_rig

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
    embedding = yield from run_threaded("character", lambda _: embedding_of(rig, landmarker, settings.out))
    actor = make_actor(rig, embedding)

    theirs = rig if settings.source is None else None
    if theirs is None:
        source = character_source(settings.source)
        theirs, _ = yield from read_rig(source, blender=settings.blender, hook=blender_hook, folder=settings.out)

    def read_sequences(_: object) -> list[LandmarkSequence]:
        if settings.data is None:
            return synthesise_set(actor, settings.expression, settings.subjects)
        own = [load_sequence(path) for path in sorted(settings.data.glob(f"*{ENDING}"))]
        takes = [load_take(path) for path in sorted(settings.data.glob("*.take.npz"))]
        if takes:
            placed = embedding_of(theirs, landmarker, settings.out)
            own += [make_take_sequence(take, theirs, placed) for take in takes]
        if own:
            return [prepare_sequence(sequence) for sequence in own]
        return read_bnd_folder(settings.data, settings.expression, actor.rest)

    found = yield from run_threaded("data", read_sequences)
    kept_back = min(settings.validation_subjects, len(found) - 2)
    if len(found) < 3:
        raise FacecapError(f"There are {len(found)} sequences; three are the least to learn from.", "Add more.")
    # Subjects are kept for validation, never parts of a sequence; the last ones, so that more data keeps the split.
    train_sequences, validation_sequences = found[: len(found) - kept_back], found[len(found) - kept_back :]
    return (
        yield from run_threaded_stages(
            lambda on_progress: _train(settings, train_sequences, validation_sequences, on_progress)
        )
    )


def _train(
    settings: TrainGeneratorSettings,
    train_sequences: list[LandmarkSequence],
    validation_sequences: list[LandmarkSequence],
    on_progress: OnProgress,
) -> TrainGeneratorResult:
    # Here, after check_torch: what needs PyTorch.
    from ..generate.training import (
        FREE_BATCH,
        FREE_CLIP,
        FREE_SCHEDULE,
        PASSES,
        SCHEDULE,
        FreeRunTask,
        NextStepTask,
        export_generator,
        make_probe,
        seed_torch,
    )
    from ..learn.engine.logger import PICTURE, TrainingLogger
    from ..learn.engine.trainer import Options, train
    from ..render.device import device_of, use_threads

    use_threads(settings.threads)
    seed_torch(settings.seed)
    device = device_of(settings.device)
    passes, seconds_free = min(PASSES, settings.epochs), 0.0
    task = NextStepTask(train_sequences, validation_sequences, passes, device)
    folder = settings.out / f".{settings.expression}.training"
    folder.mkdir(parents=True, exist_ok=True)
    counts = f"{len(train_sequences)} sequences, {len(validation_sequences)} for validation"
    title = f"{settings.expression}: {counts}, {passes} passes an epoch"
    logger = TrainingLogger(folder, title, tensorboard=settings.tensorboard)
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if device == "cuda" else "fp32"
    options = Options(settings.batch, settings.seed, 300.0, -(-settings.patience // passes), precision)
    schedule = replace(SCHEDULE, epochs=max(1, settings.epochs // passes))
    try:
        epochs = train(
            task,
            schedule,
            options,
            folder,
            lambda done, total, _: on_progress("train", done, total),
            lambda so_far: logger.log_epochs(task, so_far),
            device=device,
            key=_key(settings, train_sequences),
        )
        if settings.free_epochs:
            task = FreeRunTask(
                train_sequences, validation_sequences, 1, device, monitor="end_mm", initial_network=task.network
            )
            free = folder / "free"
            free.mkdir(exist_ok=True)
            last = min(FREE_SCHEDULE.decay_epochs, max(1, settings.free_epochs // 2))
            freely = train(
                task,
                replace(FREE_SCHEDULE, epochs=settings.free_epochs, decay_epochs=last),
                replace(options, batch=FREE_BATCH, patience=0, clip=FREE_CLIP),
                free,
                lambda done, total, _: on_progress("free", done, total),
                lambda so_far: logger.log_epochs(task, epochs + so_far),
                device=device,
                key=_key(settings, train_sequences),
            )
            seconds_free = sum(epoch.seconds for epoch in freely)
    finally:
        logger.close()
    on_progress("export", 0, 1)
    seconds = sum(epoch.seconds for epoch in epochs)
    errors = task.evaluate()
    facts: dict[str, Any] = {
        "data": "authored by code" if settings.data is None else "the user's own",
        "sequences": len(train_sequences),
        "epochs": len(epochs) * passes,
        "relative_error": round(errors.get("relative_error", float("nan")), 6) if errors else None,
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
    lines = [
        f"{len(epochs) * passes} epochs over {len(train_sequences)} sequences in {seconds / 60:.1f} min, and "
        f"{settings.free_epochs} of free runs in {seconds_free / 60:.1f} min.",
        f"The file's network differs from the trained one by at most {difference:.2g} mm a step.",
        str(target),
    ]
    if errors:
        lines.insert(
            1, f"Validation subjects: squared error 1/{1 / errors['relative_error']:.0f} of predicting no motion."
        )
    return TrainGeneratorResult(target, picture, tuple(lines))


def _key(settings: TrainGeneratorSettings, train_sequences: list[LandmarkSequence]) -> str:
    """Changes with everything that changes what is learned."""
    # Under their first names: a training that an older version began goes on.
    given = to_json(settings, former_names=True)
    facts = {name: value for name, value in given.items() if name not in _FREE}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for sequence in train_sequences:
        digest.update(np.ascontiguousarray(sequence.displacements).data)
    return digest.hexdigest()[:24]
