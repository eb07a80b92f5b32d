"""Gaps filled by optical flow against interpolation: `python -m benchmarks.infill`.

Gaps of 3 and of 10 frames are cut into the sample take at many places. The frames around them are true, so that what is
measured is the filling. RMSE of the face's vertices in the camera's space.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.deep_energies import Scene, landmark_fit, take_scene
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.refine.flow.infill import infill, interpolate_gap
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow
from facecap_addon.refine.flow.surface_points import SurfacePoints, ViewedPoints, sample_surface_points
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh
from facecap_addon.refine.state import DeepState, head_points
from facecap_addon.refine.take_state import state_of
from facecap_addon.refine.views import first_view

LENGTHS, PLACES = (3, 10), 10


def true_state(scene: Scene, mesh: RenderMesh) -> DeepState:
    """The truth as the refinement's unknowns."""
    head = scene.camera_from_rig @ np.linalg.inv(scene.embedding.head_from_rig)
    frames = len(head)
    weights = np.clip(scene.weights.astype(np.float64), mesh.low, mesh.high)
    turn = Rotation.from_matrix(head[:, :3, :3]).as_matrix()
    return DeepState(turn, head[:, :3, 3] / mesh.scale, weights, np.zeros((frames, 6)))


def locate_points(mesh: RenderMesh, surface_points: SurfacePoints, state: DeepState) -> np.ndarray:
    """(N, P, 3) m: the surface points' places in the camera's space."""
    points = head_points(mesh, state.weights, state.jaw).numpy()[:, surface_points.vertices]
    at = np.einsum("pc,npcd->npd", surface_points.barycentric, points)
    return at @ state.rotation.transpose(0, 2, 1) + state.translation[:, None]


def main() -> None:
    scene = take_scene()
    take = landmark_fit(scene)
    mesh = build_render_mesh(scene.rig, scene.embedding)
    surface_points = sample_surface_points(mesh)
    priors = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0)
    view = first_view(centered_camera(*take.image_size, scene.focal_px))
    true, solved = true_state(scene, mesh), state_of(take, mesh)
    pictures = FrameAccess(open_footage(scene.clip))
    for length in LENGTHS:
        firsts = np.linspace(12, take.frame_count - length - 8, PLACES).astype(int)
        for name, around in (("true neighbours", true), ("solved neighbours", solved)):
            squares: list[tuple[float, float]] = []
            began = time.perf_counter()
            for first in firsts.tolist():
                rows = np.arange(first, first + length)
                gap = {row: pictures(row) for row in range(first - 1, first + length + 1)}
                span = (first, first + length - 1)
                footage = FootageFlow(DisFlow(), gap.__getitem__)
                viewed = ViewedPoints(mesh, surface_points, view)
                found = infill(viewed, footage, around, span, take.time_s, priors.precision, priors.smooth)
                between = interpolate_gap(around, first - 1, first + length, take.time_s)
                target = locate_points(mesh, surface_points, true.part(rows))
                squares.append(
                    tuple(
                        float(((locate_points(mesh, surface_points, s) - target) ** 2).sum(-1).mean())
                        for s in (found, between)
                    )  # type: ignore[arg-type]
                )
            flow, line = np.sqrt(np.mean(squares, axis=0)) * 1000
            seconds = (time.perf_counter() - began) / (PLACES * length)
            print(
                f"{length:2d} frames, {name:18s}: flow {flow:.2f} mm, interpolation {line:.2f} mm, "
                f"{100 * (1 - flow / line):.0f} % lower; {seconds:.2f} s a frame",
                flush=True,
            )


if __name__ == "__main__":
    main()
