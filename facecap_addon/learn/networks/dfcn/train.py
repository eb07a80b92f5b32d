"""FACEGOOD's training, from the set to the bundle: the student alone, or a teacher, what it says, then the student."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ....errors import FacecapError
from ....solvers.bundle import SolverBundle, SolverFacts
from ....solvers.probes import make_solver_probes, pick_probe_rows
from ....solvers.solver import TrainedSolver
from ...data.crops import describe_framing, frame_shot
from ...data.frames import Frames, fit_whitening, read_judges, sample_calibration_pictures, split_frames
from ...data.mirror import find_mirror
from ...data.training_set import TrainingSet
from ...engine.augment import fit_augmentation
from ...engine.mesh_targets import MeshTargets
from ...engine.training_run import TrainingRun, describe_training
from ...export.onnx_export import check_parity, measure_parity, quantise, to_onnx
from ..meng.task import measure_weights_rmse_mm
from ..presets import Preset
from .distillation import Distillation, estimate_gap, estimate_tolerance, find_suspicious, measure_distances
from .inception_resnet import InceptionResNet
from .mobilenet import MobileNet
from .task import POINTS, FaceTask, compute_scales

_EVALUATED_FRAMES, _NAMED, _NAMED_KEYS, _NAMED_SHARE = 400, 12, 4, 0.1


def train_faces(run: TrainingRun, training_set: TrainingSet, preset: Preset) -> list[str]:
    """Train the student, with a teacher where that is asked for, and export it; returns what there is to say.

    Raises:
        FacecapError: targets are point caches, a second camera, or a set that knows no landmarks.
    """
    settings, sizes = run.settings, preset.faces
    train_frames, validation_frames = split_frames(training_set, preset.picture, run.on_progress)
    if train_frames.pictures[0][0].shape[0] != preset.picture.channels:
        raise FacecapError("This network sees one camera.", "Make the set without --side-video, or train laine.")
    if train_frames.points.shape[1] != POINTS or (
        validation_frames is not None and validation_frames.points.shape[1] != POINTS
    ):
        raise FacecapError(
            "The training set was made before sets kept landmarks, which this network learns.", "Add its shots again."
        )
    mirror = find_mirror(training_set.rig) if settings.mirror else None
    targets = MeshTargets(training_set, train_frames, mirror=mirror)
    if not targets.from_weights:
        raise FacecapError("This network learns weights, and the set has point caches.", "Train laine on it.")
    torch.manual_seed(settings.seed)
    colours = preset.picture.channels
    limits = replace(fit_augmentation(train_frames.face), padding=True)
    whitening = fit_whitening(train_frames)

    def make_task(network: nn.Module) -> FaceTask:
        return FaceTask(
            network, train_frames, validation_frames, targets, whitening, training_set.rig, limits, run.device
        )

    outputs = train_frames.weights.shape[1] + 2 * POINTS
    options = replace(run.make_options(preset.batch), micro_batch=sizes.micro_batch)
    lines: list[str] = []
    facts: dict[str, object] = {}
    teacher: FaceTask | None = None
    student = make_task(MobileNet(outputs, colours=colours, width=sizes.student_width))
    begin_at_mean(student)
    if settings.distil:
        teacher = make_task(InceptionResNet(outputs, colours=colours, blocks=sizes.blocks, width=sizes.teacher_width))
        begin_at_mean(teacher)
        epochs = run.train(teacher, preset.schedule, options, "teach", "teacher", within="teacher", key="teach")
        lines += [f"Teacher: {line}" for line in describe_training(epochs)]
        said, facts = distil(student, teacher, settings.emphasis, settings.outlier, settings.gap)
        lines += said
    if run.device == "cpu" and settings.precision == "auto":  # processors filter map by map no faster in 16 bits
        options = replace(options, precision="fp32")
    epochs = run.train(student, sizes.student_schedule or preset.schedule, options, "train", "student", key="train")
    if not run.process_group.is_main:
        return []
    lines += [f"Student: {line}" for line in describe_training(epochs)]
    report = run.make_report(epochs) | facts
    for judge in read_judges(training_set, preset.picture, run.on_progress):
        found = student.measure_errors(judge.frames)
        line = f"{judge.label}: {found['rmse_mm']:.2f} mm, landmarks {found['landmarks_percent']:.2f} percent"
        if teacher is not None:
            errors = teacher.measure_errors(judge.frames)
            found |= {"teacher_rmse_mm": errors["rmse_mm"]}
            line += f"; teacher {errors['rmse_mm']:.2f} mm, {errors['landmarks_percent']:.2f} percent"
        report |= judge.name_figures(found, report)
        lines.append(f"{line} of the picture.")
    run.on_progress("export", 0, 1)
    bundle, more = make_face_bundle(training_set, student, preset, run.out.stem, report, int8=settings.int8)
    run.save(bundle)
    return [*lines, *more]


def distil(
    student: FaceTask, teacher: FaceTask, emphasis: float, outlier: float | None, gap: float | None
) -> tuple[list[str], dict[str, object]]:
    """Let a student learn from a trained teacher; returns what there is to say, and facts for the report.

    Args:
        outlier: the paper's μ, of the whole face; None: each number is judged by what the teacher is usually off in it.
        gap: b; None: estimated.
    """
    frames = teacher.train_frames
    every, keys = np.arange(frames.count), frames.weights.shape[1]
    labels = teacher.make_labels(frames, every)
    said = np.stack([teacher.predict(frames, every, mirrored=side) for side in (False, True)])
    apart = measure_distances(labels, said[0])
    distillation = Distillation(
        float("inf") if outlier is None else outlier, emphasis, estimate_gap(apart) if gap is None else gap
    )
    if outlier is None:
        tolerance = estimate_tolerance(labels, said[0], keys, compute_scales(keys)[0])
        student.wrong, rated = tolerance.find_outliers(labels, said[0]), tolerance.rate(labels, said[0])[:, :keys]
        suspicious = find_suspicious(rated)
    else:
        student.wrong = distillation.find_outliers(labels, said[0])
        suspicious = student.wrong.any(1)
    student.teacher_outputs, student.distillation = said, distillation
    facts: dict[str, object] = {"gap": distillation.gap, "outliers": int(suspicious.sum())}
    if outlier is not None:
        facts["outlier"] = outlier
    lines = describe_outliers(frames, teacher.rig.channels, student.wrong[:, :keys], suspicious)
    return lines, facts


def describe_outliers(
    frames: Frames, channels: tuple[str, ...], wrong: NDArray[np.bool_], suspicious: NDArray[np.bool_]
) -> list[str]:
    """Which labels look wrong, so that someone can look at them.

    Args:
        wrong: (N, K) which of their keys are outliers.  suspicious: (N,) which are worth a look.
    """
    lines = [f"{int(suspicious.sum())} of {frames.count} labels look wrong to the teacher."]
    for number, shot in enumerate(frames.shots):
        of_shot = wrong[frames.shot == number]
        share = of_shot.mean(0)
        worst = np.argsort(-share)[:_NAMED_KEYS]
        if len(of_shot) and share[worst[0]] > _NAMED_SHARE:
            named = ", ".join(f"{channels[k]} in {share[k]:.0%}" for k in worst if share[k] > _NAMED_SHARE)
            lines.append(f"{shot.name}: {named} of its frames.")
    furthest = np.argsort(-wrong.sum(1), kind="stable")
    furthest = furthest[suspicious[furthest]][:_NAMED]
    if len(furthest):
        named = ", ".join(f"{frames.shots[frames.shot[i]].name} at {frames.time_s[i]:.2f} s" for i in furthest)
        lines.append(f"The most keys look wrong in: {named}.")
    return lines


def make_face_bundle(
    training_set: TrainingSet, task: FaceTask, preset: Preset, name: str, report: dict[str, object], *, int8: bool
) -> tuple[SolverBundle, list[str]]:
    """The trained student as a bundle, and what there is to say about it; FacecapError if it differs from torch."""
    example = torch.zeros(1, preset.picture.channels, preset.picture.height, preset.picture.width)
    network = Unscaled(task.network, len(training_set.rig.channels))
    model = to_onnx(network, {"picture": example}, ("weights", "landmarks"))
    difference = measure_parity(network, model, {"picture": torch.randn_like(example)})
    check_parity(difference, "")
    lines = [f"The exported network differs from the trained one by at most {difference:.1g}."]
    facts = SolverFacts(
        name,
        "weights",
        frame_shot(training_set, training_set.shots[0], preset.picture),
        None,
        preset.picture,
        task.whitening.mean,
        task.whitening.deviation,
        training_set.rig.channels,
        training_set.rig.vertex_count,
        {**report, "parity": difference},
        framing=describe_framing(training_set, preset.picture),
    )
    networks = {"face": model}
    if int8:
        seen = sample_calibration_pictures(task.train_frames.read_pictures, task.train_frames.count, task.whitening)
        networks["face.int8"] = quantise(model, seen)
    probed = task.train_frames.read_pictures(pick_probe_rows(task.train_frames.count))
    probes = make_solver_probes(networks, probed, facts.whitening.make_table())
    neutral = training_set.rig.neutral.astype(np.float32)
    bundle = SolverBundle(facts, networks, np.zeros(0, np.int32), neutral, probes=probes)
    if int8:
        solvers = [TrainedSolver(bundle, threads=2, precision=precision) for precision in ("fp32", "int8")]
        plain, small = (_measure_solver_error(task, solver) for solver in solvers)
        lines += [f"Validation error {plain:.3f} mm, quantised to 8 bits {small:.3f} mm.", *solvers[1].notes]
        facts.report["rmse_mm_int8"] = small
    return bundle, lines


class Unscaled(nn.Module):
    """A network of `FaceTask` that gives weights, and landmarks in parts of the crop."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network, self.channels, self.scales = network, channels, compute_scales(channels)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K) weights and (B, 136) landmarks of whitened pictures (B, C, H, W)."""
        found = self.network(pictures)
        keys, points = self.scales
        return found[:, : self.channels] / keys, found[:, self.channels :] / points


def begin_at_mean(task: FaceTask) -> None:
    """Let the output layer begin at the mean of the labels."""
    output = task.network.output
    assert isinstance(output, nn.Linear)
    rows = np.unique(np.linspace(0, task.train_frames.count - 1, 2000).astype(np.intp))
    with torch.no_grad():
        output.bias.copy_(torch.from_numpy(task.make_labels(task.train_frames, rows).mean(0)))


def _measure_solver_error(task: FaceTask, solver: TrainedSolver) -> float:
    """RMSE in mm of a solver at work on some validation frames."""
    frames = task.validation_frames or task.train_frames
    some = np.unique(np.linspace(0, frames.count - 1, _EVALUATED_FRAMES).astype(np.intp))
    found = np.stack([solver.solve_crop(frames.read_pictures(some[i : i + 1])[0]) for i in range(len(some))])
    return measure_weights_rmse_mm(task.targets, found, frames.weights[some])
