"""Labelled images of 23 expressions of many people, drawn: FaceWarehouse's layout without its photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.ground_truth import embedding_of
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.energies.expression_prior import poses_for_response
from facecap_addon.learn.networks.meng.train import CLASSES
from facecap_addon.learn.synthetic.footage import make_scene_look, render_footage
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh

VARIED = 0.12


def expressions(channels: tuple[str, ...]) -> NDArray[np.float32]:
    """(23, K) weights: of all that performers were recorded making, those that differ most; the first is neutral."""
    known = poses_for_response(channels)
    assert known is not None
    chosen = [np.zeros(len(channels), np.float32)]
    while len(chosen) < CLASSES:
        away = np.min([((known - one) ** 2).sum(1) for one in chosen], axis=0)
        chosen.append(known[int(np.argmax(away))])
    return np.stack(chosen)


def another_person(mesh: RenderMesh, random: np.random.Generator) -> RenderMesh:
    """The same topology with other proportions."""
    points = mesh.neutral.numpy()
    moved = points * (1 + random.normal(0, 0.035, 3))
    low, high = mesh.landmarks.min(0), mesh.landmarks.max(0)
    for _ in range(8):
        centre = random.uniform(low, high)
        reach = random.uniform(0.02, 0.05)
        near = np.exp(-(((points - centre) / reach) ** 2).sum(1))
        moved += near[:, None] * random.normal(0, 0.003, 3)
    return replace(mesh, neutral=torch.from_numpy(moved.astype(np.float32)))


def draw_labelled_images(folder: Path, persons: int = 14, each: int = 1, seed: int = 0) -> Path:
    """PERSON/TrainingPose/EXPRESSION.png; made once."""
    if (folder / "done").is_file():
        return folder
    rig = sample_rig()
    mesh = build_render_mesh(rig, embedding_of(rig, "sample_head"))
    faces = expressions(mesh.channels)
    random = np.random.default_rng(seed)
    for person in range(persons):
        who = another_person(mesh, random)
        for number in range(each):
            strength = random.uniform(1 - VARIED, 1 + VARIED, (len(faces), 1))
            weights = np.clip(faces * strength + random.normal(0, 0.02, faces.shape) * (faces > 0), 0, 1)
            head = np.concatenate(
                [random.normal(0, 0.06, (len(faces), 3)), random.normal(0, 0.004, (len(faces), 3))], 1
            )
            pictures = render_footage(who, weights, head, make_scene_look(1000 + person, variation=1.0), seed=person)
            for label, picture in enumerate(pictures):
                path = folder / f"person{person:02d}" / f"take{number}" / f"expression{label:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    (folder / "done").touch()
    return folder
