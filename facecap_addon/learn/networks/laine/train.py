"""Laine et al.'s training, from the set to the bundle."""

from __future__ import annotations

from ...data.frames import read_judges
from ...data.region_weights import weigh_vertices
from ...data.training_set import TrainingSet
from ...engine.training_run import TrainingRun, describe_training
from ..presets import Preset
from .bundle import MeshOptions, MeshPlan, make_mesh_bundle, plan_mesh


def train_meshes(run: TrainingRun, training_set: TrainingSet, preset: Preset) -> list[str]:
    """Train and export; returns what there is to say."""
    settings = run.settings
    weights = None
    if run.embedding is not None and settings.lip_lid_weight > 1:
        weights = weigh_vertices(training_set.rig, run.embedding, settings.lip_lid_weight)
    options = MeshOptions(settings.affine, settings.stabilise, settings.mirror, settings.cutmix, weights)
    plan = plan_mesh(
        training_set, settings.network, preset, run.on_progress, options, seed=settings.seed, device=run.device
    )
    task = plan.task
    lines = [f"{len(plan.basis.components)} components explain {plan.basis.explained:.2%} of what moves."]
    if settings.stabilise and plan.task.targets.from_weights:
        lines.append("--stabilise: without effect, shape keys do not move the head.")
    if plan.task.targets.mirror is not None:
        lines.append("The character is symmetric: mirrored pictures are learned from, too.")
    if task.cutmix is not None:
        lines.append("Upper and lower halves of faces are joined across frames, too.")
    if task.weights is not None:
        lines.append(f"Lips and lids count {settings.lip_lid_weight:g} times as much as the rest of the face.")
    title = "loss (cm2) and validation error (mm)"
    epochs = run.train(task, preset.schedule, run.make_options(preset.batch), "train", title)
    if not run.process_group.is_main:
        return []
    lines += describe_training(epochs)
    return [*lines, *judge_and_save(run, training_set, preset, plan, run.make_report(epochs))]


def judge_and_save(
    run: TrainingRun, training_set: TrainingSet, preset: Preset, plan: MeshPlan, report: dict[str, object]
) -> list[str]:
    """Say how good the network is, and write the solver; returns what there is to say.

    Args:
        report: what the solver tells of its training; figures are added.
    """
    task, lines = plan.task, list[str]()
    for judge in read_judges(training_set, preset.picture, run.on_progress):
        found, mean = task.measure_error_mm(judge.frames), task.measure_mean_pose_mm(judge.frames)
        report |= judge.name_figures({"rmse_mm": found, "mean_pose_mm": mean}, report)
        lines.append(f"{judge.label}: {found:.2f} mm; the mean pose has {mean:.2f} mm ({mean / found:.1f} times).")
    run.on_progress("export", 0, 1)
    bundle, more = make_mesh_bundle(training_set, plan, preset, run.out.stem, report, int8=run.settings.int8)
    run.save(bundle)
    return [*lines, *more]
