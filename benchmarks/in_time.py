"""Neighbours made consistent, against the truth: `python -m benchmarks.in_time [--scene NAME] [--first N] …`.

Frames of a scene of `benchmarks.deep_energies` go through the temporal refinement: as they are true but for noise of
their own in each of them, as the landmark fit has them, and with `--take` as a refined one has them. By averages, by
the flow of the footage against the motion of the surface, and by the same against the flow of renders as Bao et al. do.
Places and frame-to-frame motion of the face's surface points are compared with the truth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks.deep_energies import SCENES, SECOND, NothingKept, landmark_fit, open_scene
from benchmarks.infill import appearance_of, locate_points, true_state, view_points
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.footage.footage import open_footage
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.refine.flow.face_motion import measure_face_motion
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow
from facecap_addon.refine.flow.rendered_flow import RenderedFlow
from facecap_addon.refine.flow.temporal import Motion, average_neighbours, refine_in_time
from facecap_addon.refine.render_mesh import RenderMesh
from facecap_addon.refine.state import DeepState
from facecap_addon.refine.take_state import state_of
from facecap_addon.takes.npz import load_take


def add_noise(state: DeepState, mesh: RenderMesh) -> DeepState:
    """A state with noise of each frame's own: about what single frames differ by."""
    random, count = np.random.default_rng(3), len(state.weights)
    turn = Rotation.from_rotvec(random.normal(0, 0.006, (count, 3))).as_matrix() @ state.rotation
    shift = state.translation + random.normal(0, (0.0003, 0.0003, 0.002), (count, 3))
    weights = np.clip(state.weights + random.normal(0, 0.03, state.weights.shape), mesh.low, mesh.high)
    return DeepState(turn, shift, weights, state.jaw)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scene", choices=SCENES, default="take")
    parser.add_argument("--second", type=Path, default=SECOND)
    parser.add_argument("--first", type=int, default=30)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--take", type=Path, help="a refined take of the whole clip")
    options = parser.parse_args()
    scene = open_scene(options.scene, options.second)
    take = landmark_fit(scene)
    viewed = view_points(scene, take)
    mesh, points, view = viewed.mesh, viewed.points, viewed.view
    precision = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0).precision * 25
    true = true_state(scene, mesh)
    starts = {"true, noisy": add_noise(true, mesh), "landmark fit": state_of(take, mesh)}
    if options.take is not None:
        starts["refined"] = state_of(load_take(options.take), mesh)
    pictures = FrameAccess(open_footage(scene.clip))
    good = np.zeros(take.frame_count, bool)
    good[options.first : options.first + options.frames] = True
    rows = np.flatnonzero(good)
    joined = np.zeros_like(good)
    joined[rows[1:-1]] = True
    target = locate_points(mesh, points, true.part(rows))
    for name, start in starts.items():
        print(name)
        renders = RenderedFlow(DisFlow(), viewed, appearance_of(mesh, start, view, pictures))
        motion = measure_face_motion(viewed, FootageFlow(DisFlow(), pictures), start, good, NothingKept())
        for label in ("nothing", "averaging", "hybrid", "hybrid, renders"):
            began = time.perf_counter()
            found, against = start, motion
            if label == "hybrid, renders":
                found = average_neighbours(start, joined)
                against = compare_with_renders(motion, renders, found, rows)
            if label != "nothing":
                found = refine_in_time(
                    *(viewed, found, against, good, take.time_s, precision),
                    method="plate flow" if label == "hybrid, renders" else label,
                    workers=1,
                )
            seconds = (time.perf_counter() - began) / len(rows)
            away = locate_points(mesh, points, found.part(rows)) - target
            sizes = (away, away[..., :2], np.diff(away, axis=0), np.diff(away[..., :2], axis=0))
            off, aside, moved, slid = (1000 * float(np.sqrt((size**2).sum(-1).mean())) for size in sizes)
            print(
                f"  {label:16s} places {off:.2f} mm (across the view {aside:.2f}), "
                f"motion {moved:.3f} mm (across {slid:.3f}), {seconds:.2f} s a frame",
                flush=True,
            )


def compare_with_renders(motion: Motion, renders: RenderedFlow, state: DeepState, rows: NDArray[np.intp]) -> Motion:
    """The motion of the footage between some rows without what its flow gets wrong on renders of them."""
    displacement = motion.displacement.copy()
    for row in rows[:-1].tolist():
        first, second = (state.part(np.array([at])) for at in (row, row + 1))
        displacement[row] -= renders.measure_error(first, second)
    return Motion(displacement, motion.confidence)


if __name__ == "__main__":
    main()
