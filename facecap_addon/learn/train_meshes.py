"""Laine et al.'s training, from the set to the bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from .bundle import save_bundle
from .diary import PICTURE, Diary
from .meshes import mesh_bundle, plan_mesh
from .presets import Preset
from .trainer import Epoch, Options, train
from .training_set import TrainingSet
from .workers import Workers


def train_meshes(
    settings: Any,
    training_set: TrainingSet,
    preset: Preset,
    folder: Path,
    out: Path,
    key: str,
    say: Any,
    *,
    device: str,
    workers: Workers,
) -> list[str]:
    """Train and export; returns what there is to say.

    Args:
        settings: a `TrainSettings`.  folder: of the training.  out: the bundle.  key: of settings and data.
        say: told (stage, done, total); it may raise to cancel.
    """
    plan = plan_mesh(
        training_set, settings.network, preset, say,
        seed=settings.seed, affine=settings.affine, stabilise=settings.stabilise, device=device,
    )  # fmt: skip
    task = plan.task
    lines = [f"{len(plan.basis.components)} components explain {plan.basis.explained:.2%} of what moves."]
    recipe = preset.recipe if settings.epochs is None else replace(
        preset.recipe, epochs=settings.epochs, last_epochs=min(preset.recipe.last_epochs, max(1, settings.epochs // 3))
    )  # fmt: skip
    options = options_of(settings, preset.batch, device)
    title = f"{settings.network}, {settings.preset}: loss (cm2) and held-out error (mm)"
    diary = Diary(folder, title, tensorboard=settings.tensorboard and workers.first)

    def watch(done: int, total: int, epochs: list[Epoch]) -> None:
        say("train", done, total)

    try:
        epochs = train(
            task,
            recipe,
            options,
            folder,
            watch,
            lambda e: diary.write(task, e),
            device=device,
            workers=workers,
            key=key,
        )
    finally:
        diary.close()
    if not workers.first:
        return []
    lines += report_lines(epochs)
    report: dict[str, object] = {"network": settings.network, "preset": settings.preset, "epochs": len(epochs)}
    if task.held is not None:
        found = task.judge()["rmse_mm"]
        mean = task.mean_pose_mm()
        report |= {"rmse_mm": found, "mean_pose_mm": mean}
        lines.append(f"Held-out shots: {found:.2f} mm; the mean pose has {mean:.2f} mm ({mean / found:.1f} times).")
    say("export", 0, 1)
    bundle, more = mesh_bundle(training_set, plan, preset, out.stem, report, int8=settings.int8)
    picture = (folder / PICTURE).read_bytes() if (folder / PICTURE).is_file() else b""
    save_bundle(out, replace(bundle, picture=picture))
    return [*lines, *more]


def options_of(settings: Any, batch: int, device: str) -> Options:
    """How to train, of the settings."""
    precision = settings.precision
    if precision == "auto":  # on processors the small networks are no faster in bf16
        precision = "bf16" if device == "cuda" else "fp32"
    return Options(
        settings.batch or batch, settings.seed, 60 * settings.checkpoint_minutes, settings.patience, precision
    )


def report_lines(epochs: list[Epoch]) -> list[str]:
    """How long it took, and what share of the time went into waiting for data."""
    seconds = sum(e.seconds for e in epochs)
    waiting = sum(e.waiting * e.seconds for e in epochs) / max(seconds, 1e-9)
    return [f"{len(epochs)} epochs in {seconds / 60:.1f} min; {waiting:.1%} of the time waiting for data."]
