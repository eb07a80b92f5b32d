"""Mesh solvers made: a training set in, a trained bundle out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import F32
from ....solvers.bundle import SolverBundle, SolverFacts
from ....solvers.probes import make_solver_probes, pick_probe_rows
from ....solvers.solver import TrainedSolver
from ...data.crops import describe_framing, frame_shot, frame_side
from ...data.cutmix import make_cutmix
from ...data.frames import Frames, fit_whitening, sample_calibration_pictures, split_frames
from ...data.mirror import find_mirror
from ...data.pca import PcaBasis
from ...data.training_set import TrainingSet
from ...engine.augment import fit_augmentation
from ...engine.losses import rmse_mm
from ...engine.mesh_targets import MeshTargets
from ...engine.training_run import OnProgress
from ...export.onnx_export import check_parity, measure_parity, quantise, to_onnx
from ..presets import Preset
from .convolutional import LaineNetwork
from .task import DenseTask, MeshTask

_EVALUATED_FRAMES = 400


@dataclass(frozen=True)
class MeshPlan:
    """A task with what was found on the way.

    Attributes:
        task: to train.  basis: of the targets.
    """

    task: MeshTask
    basis: PcaBasis


@dataclass(frozen=True)
class MeshOptions:
    """What of a training is the user's choice.

    Attributes:
        affine, stabilise: see `TrainSettings`.
        mirror: whether to learn from mirrored pictures, too, of a symmetric character that one camera sees.
        cutmix: whether to learn from joined halves of faces, too, of a character with ARKit's keys.
        vertex_weights: (V,) how much each vertex counts in the loss; None: alike.
    """

    affine: bool = False
    stabilise: bool = False
    mirror: bool = False
    cutmix: bool = False
    vertex_weights: F32 | None = None


PLAIN = MeshOptions()


def plan_mesh(
    training_set: TrainingSet,
    network: str,
    preset: Preset,
    on_progress: OnProgress,
    options: MeshOptions = PLAIN,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> MeshPlan:
    """Read the set and make the network.

    Args:
        network: "laine", "dense" or "pointwise".  on_progress: told (stage, done, total); it may raise to cancel.
    """
    train_frames, validation_frames = split_frames(training_set, preset.picture, on_progress)
    cameras = train_frames.pictures[0][0].shape[0] // preset.picture.channels
    both = find_mirror(training_set.rig) if options.mirror and cameras == 1 and network != "dense" else None
    targets = MeshTargets(training_set, train_frames, stabilise=options.stabilise, mirror=both)
    basis = targets.fit_basis(train_frames)
    whitening = fit_whitening(train_frames, whitened=preset.whitened)
    torch.manual_seed(seed)
    limits, rig = fit_augmentation(train_frames.face), training_set.rig
    if network == "dense":
        task = DenseTask(
            nn.Identity(), train_frames, validation_frames, targets, whitening, rig, limits, options.affine, device
        )
        task.prepare()
        task.make_network(basis, preset.widths, preset.most_pictures)
        return MeshPlan(task, basis)
    convolutions = LaineNetwork(
        basis,
        preset.maps,
        (preset.picture.height, preset.picture.width),
        cameras=cameras,
        colours=preset.picture.channels,
        first_kernel=1 if network == "pointwise" else 3,
        fixed=options.affine,
        narrow=preset.narrow,
    )
    mixing = make_cutmix(rig.channels, train_frames) if options.cutmix and targets.from_weights else None
    task = MeshTask(
        convolutions,
        train_frames,
        validation_frames,
        targets,
        whitening,
        rig,
        limits,
        options.affine,
        device,
        cutmix=mixing,
        cameras=cameras,
        weights=None if options.vertex_weights is None else _weigh_coordinates(options.vertex_weights[targets.moving]),
    )
    return MeshPlan(task, basis)


def _weigh_coordinates(vertex_weights: F32) -> Tensor:
    """(3 M,) of mean one from weights (M,) of vertices."""
    return torch.from_numpy(vertex_weights / vertex_weights.mean()).float().repeat_interleave(3)


def make_mesh_bundle(
    training_set: TrainingSet, plan: MeshPlan, preset: Preset, name: str, report: dict[str, object], *, int8: bool
) -> tuple[SolverBundle, list[str]]:
    """The trained network as a bundle, and what there is to say about it; FacecapError if it differs from torch."""
    task, lines = plan.task, []
    example = torch.zeros(
        1, len(task.train_frames.read_pictures(np.array([0]))[0]), preset.picture.height, preset.picture.width
    )
    frames = task.validation_frames or task.train_frames
    pictures = _load_whitened(task, frames, np.arange(min(4, frames.count)))
    model = to_onnx(task.network, {"picture": example}, ("vertices",))
    difference = measure_parity(task.network, model, {"picture": pictures})
    check_parity(difference, "m")
    lines.append(f"The exported network differs from the trained one by at most {difference * 1000:.2g} mm.")
    facts = SolverFacts(
        name,
        "mesh",
        frame_shot(training_set, training_set.shots[0], preset.picture),
        frame_side(training_set, preset.picture) if len(example[0]) > preset.picture.channels else None,
        preset.picture,
        task.whitening.mean,
        task.whitening.deviation,
        training_set.rig.channels,
        training_set.rig.vertex_count,
        {**report, "parity_mm": difference * 1000, "explained": plan.basis.explained},
        aligned_eyes=tuple((float(x), float(y)) for x, y in task.place) if isinstance(task, DenseTask) else None,
        framing=describe_framing(training_set, preset.picture),
    )
    networks = {"mesh": model}
    if int8:
        seen = sample_calibration_pictures(
            lambda rows: task.load_pictures(task.train_frames, rows), task.train_frames.count, task.whitening
        )
        networks["mesh.int8"] = quantise(model, seen)
    moving = task.targets.moving.astype(np.int32)
    probed = task.load_pictures(task.train_frames, pick_probe_rows(task.train_frames.count))
    probes = make_solver_probes(networks, probed, facts.whitening.make_table())
    neutral = training_set.rig.neutral.astype(np.float32)
    bundle = SolverBundle(facts, networks, moving, neutral, probes=probes)
    if int8:
        solvers = [TrainedSolver(bundle, threads=2, precision=precision) for precision in ("fp32", "int8")]
        plain, small = (_measure_solver_error(task, solver) for solver in solvers)
        lines += [f"Validation error {plain:.3f} mm, quantised to 8 bits {small:.3f} mm.", *solvers[1].notes]
        facts.report["rmse_mm_int8"] = small
    return bundle, lines


def _load_whitened(task: MeshTask, frames: Frames, which: NDArray[np.intp]) -> torch.Tensor:
    """(B, C, H, W) whitened, as the network gets them."""
    return task.whitening(torch.from_numpy(task.load_pictures(frames, which)).float() / 255)


def _measure_solver_error(task: MeshTask, solver: TrainedSolver) -> float:
    """RMSE, mm, of a solver on validation frames, through onnxruntime."""
    frames = task.validation_frames or task.train_frames
    some = np.unique(np.linspace(0, frames.count - 1, min(_EVALUATED_FRAMES, frames.count)).astype(np.intp))
    found = np.stack(
        [solver.solve_crop(task.load_pictures(frames, some[i : i + 1])[0]).reshape(-1) for i in range(len(some))]
    )
    true = task.targets.to_positions(torch.from_numpy(task.targets.read(frames, some)))
    return float(rmse_mm(torch.from_numpy(found), true).square().mean().sqrt())
