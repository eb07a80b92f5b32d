"""The training of `ridge`: every frame is looked at once, then one system of equations is solved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from ....arrays import F32, F64, Rows
from ....atomic_file import atomic_path
from ....images.encode import write_image
from ....solvers.whitening import Whitening
from ...data.frames import Frames, split_frames
from ...data.mirror import find_mirror
from ...data.pca import PcaBasis
from ...data.training_set import TrainingSet
from ...engine.augment import Augmentation, augment, fit_augmentation, mirror_pictures
from ...engine.logger import PICTURE
from ...engine.mesh_targets import MeshTargets
from ...engine.training_run import TrainingRun
from ..laine.bundle import MeshPlan
from ..laine.task import DenseTask
from ..laine.train import judge_and_save
from ..presets import Preset
from .network import RidgeNetwork
from .solution import Scaling, solve_ridge

_BATCH, _SCALED, _JUDGED = 32, 400, 2000
_JITTER = Augmentation(shift=0.012, turn_rad=0.025, zoom=0.02, brightness=0.05, contrast=0.10)
"""How pictures vary that are looked at once more: about as far as landmarks err that hold them still."""


def train_ridge(run: TrainingRun, training_set: TrainingSet, preset: Preset) -> list[str]:
    """Train and export; returns what there is to say."""
    began = time.monotonic()
    plan = plan_ridge(run, training_set, preset)
    if not run.process_group.is_main:
        return []
    lines = [f"{len(plan.basis.components)} components explain {plan.basis.explained:.2%} of what moves."]
    if plan.task.targets.mirror is not None:
        lines.append("The character is symmetric: mirrored pictures are learned from, too.")
    lines.append(fit_map(run, plan))
    with atomic_path(run.folder / PICTURE) as temporary:
        write_image(temporary, plan.task.draw_preview())
    lines.append(f"Learned in {(time.monotonic() - began) / 60:.1f} min, pictures and all.")
    report: dict[str, object] = {"network": run.settings.network, "preset": run.settings.preset}
    return [*lines, *judge_and_save(run, training_set, preset, plan, report)]


def plan_ridge(run: TrainingRun, training_set: TrainingSet, preset: Preset) -> MeshPlan:
    """Read the set and make the network, whose map has not learned yet."""
    settings, rig = run.settings, training_set.rig
    train_frames, validation_frames = split_frames(training_set, preset.picture, run.on_progress)
    mirror = find_mirror(rig) if settings.mirror else None
    targets = MeshTargets(training_set, train_frames, stabilise=settings.stabilise, mirror=mirror)
    basis = targets.fit_basis(train_frames)
    limits, seen_as_it_is = fit_augmentation(train_frames.face), Whitening(0.0, 1.0)
    task = DenseTask(
        nn.Identity(), train_frames, validation_frames, targets, seen_as_it_is, rig, limits, device=run.device
    )
    task.prepare()
    width = preset.picture.width
    mirrored = (task.place[[1, 0, 2]] * (-1, 1) + (width - 1, 0)).astype(np.float32)
    task.place = 0.5 * (task.place + mirrored)  # a mirrored picture has eyes and nose where the picture has them
    task.network = RidgeNetwork(basis, width).to(run.device).eval()
    return MeshPlan(task, basis)


@dataclass(frozen=True)
class View:
    """How frames are looked at.

    Attributes:
        mirror: in a mirror, with the targets of that face.  jitter: a little moved, turned and lit in another way.
    """

    mirror: bool = False
    jitter: bool = False


def find_views(plan: MeshPlan) -> list[View]:
    """Those that are learned from."""
    sides = (False, True) if plan.task.targets.mirror is not None else (False,)
    return [View(mirror, jitter) for jitter in (False, True) for mirror in sides]


def read_view(plan: MeshPlan, frames: Frames, rows: Rows, view: View, generator: torch.Generator) -> tuple[F32, F32]:
    """(B, D) what the network's layers see of some frames, and (B, M) their components.

    Args:
        generator: of jitter, on the CPU.
    """
    task, network, basis = plan.task, plan.task.network, plan.basis
    assert isinstance(network, RidgeNetwork)
    pictures = torch.from_numpy(task.load_pictures(frames, rows)).to(task.device).float() / 255
    wanted = torch.from_numpy(task.targets.read(frames, rows)).to(task.device)
    if view.mirror:
        every = torch.ones(len(rows)) > 0
        pictures, wanted = mirror_pictures(pictures, every), task.targets.mirror_targets(wanted, every)
    if view.jitter:
        pictures = augment(pictures, _JITTER, 1.0, generator)
    with torch.no_grad():
        seen = network.see(pictures).cpu().numpy()
        away = task.targets.to_positions(wanted).cpu().numpy() - basis.mean
    return seen, (away @ basis.components.T / measure_components(basis)).astype(np.float32)


def measure_components(basis: PcaBasis) -> F64:
    """(M,) squared length of each component."""
    return np.square(basis.components.astype(np.float64)).sum(1)


def fit_map(run: TrainingRun, plan: MeshPlan) -> str:
    """Let the network's map learn; returns what there is to say."""
    task, network = plan.task, plan.task.network
    assert isinstance(network, RidgeNetwork)
    frames, views, generator = task.train_frames, find_views(plan), torch.Generator().manual_seed(run.settings.seed)
    total = frames.count * len(views)

    def read_some(of: Frames, most: int) -> tuple[F32, F32]:
        rows = np.unique(np.linspace(0, of.count - 1, min(most, of.count)).astype(np.intp))
        parts = [read_view(plan, of, rows[i : i + _BATCH], View(), generator) for i in range(0, len(rows), _BATCH)]
        return np.concatenate([seen for seen, _ in parts]), np.concatenate([wanted for _, wanted in parts])

    scaling = Scaling(read_some(frames, _SCALED)[0])

    def blocks() -> Iterator[tuple[F32, F32]]:
        done = 0
        for view in views:
            for first in range(0, frames.count, _BATCH):
                run.on_progress("train", done, total)
                rows = np.arange(first, min(first + _BATCH, frames.count))
                seen, wanted = read_view(plan, frames, rows, view, generator)
                done += len(rows)
                yield scaling.apply(seen), wanted

    measure: Callable[[F64], float] | None = None
    if task.validation_frames is not None:
        seen, true = read_some(task.validation_frames, _JUDGED)
        measure = partial(measure_error, scaling.apply(seen), true, measure_components(plan.basis))
    width = network.map.in_features + 1
    solution, penalty, _ = solve_ridge(blocks, total, width, measure, lambda n, all_: run.on_progress("train", n, all_))
    weight, bias = scaling.unfold(solution)
    with torch.no_grad():
        network.map.weight.copy_(torch.from_numpy(weight.T))
        network.map.bias.copy_(torch.from_numpy(bias))
    run.on_progress("train", total, total)
    return f"{total} pictures, penalty {penalty:g}."


def measure_error(seen: F32, components: F32, size: F64, solution: F64) -> float:
    """Root mean square distance, m, summed over coordinates, of what a solution makes of what is seen.

    Args:
        components: (N, M) true.  size: (M,) squared length of each component.
    """
    return float(np.sqrt((np.square(seen @ solution - components) * size).sum(1).mean()))
