"""Gaps filled by optical flow against interpolation: `python -m benchmarks.infill [--places N] [--lengths N…]`.

Gaps of 3 and of 10 frames are cut into the sample take at many places. The frames around them are true, so that what is
measured is the filling, or as the landmark fit has them. The flow of the footage is compared with the motion of the
surface, or with the flow of renders as Bao et al. do. RMSE of the face's vertices in the camera's space.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.deep_energies import Scene, landmark_fit, take_scene
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.refine.energies.appearance import estimate_appearance, observe_surface
from facecap_addon.refine.flow.infill import infill, interpolate_gap
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow
from facecap_addon.refine.flow.rendered_flow import RenderedFlow
from facecap_addon.refine.flow.surface_points import SurfacePoints, ViewedPoints, sample_surface_points
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh
from facecap_addon.refine.state import DeepState, head_points
from facecap_addon.refine.take_state import state_of
from facecap_addon.refine.views import View, first_view
from facecap_addon.render.renderer import Appearance

REFERENCE_FRAMES = 8


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


def appearance_of(mesh: RenderMesh, state: DeepState, view: View, pictures: FrameAccess) -> Appearance:
    """Skin and light, as refining finds them."""
    rows = np.linspace(0, len(state.weights) - 1, REFERENCE_FRAMES).astype(np.intp)
    sightings = [observe_surface(mesh, state.part(np.array([row])), view, pictures(int(row))) for row in rows]
    return estimate_appearance(mesh, sightings, own_colors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--places", type=int, default=10)
    parser.add_argument("--lengths", type=int, nargs="+", default=[3, 10])
    options = parser.parse_args()
    scene = take_scene()
    take = landmark_fit(scene)
    mesh = build_render_mesh(scene.rig, scene.embedding)
    surface_points = sample_surface_points(mesh)
    priors = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0)
    view = first_view(centered_camera(*take.image_size, scene.focal_px))
    viewed = ViewedPoints(mesh, surface_points, view)
    true, solved = true_state(scene, mesh), state_of(take, mesh)
    pictures = FrameAccess(open_footage(scene.clip))
    renders = RenderedFlow(DisFlow(), viewed, appearance_of(mesh, solved, view, pictures))
    for length in options.lengths:
        firsts = np.linspace(12, take.frame_count - length - 8, options.places).astype(int)
        for name, around in (("true neighbours", true), ("solved neighbours", solved)):
            squares: dict[str, list[float]] = {"surface": [], "renders": [], "line": []}
            seconds = {"surface": 0.0, "renders": 0.0}
            for first in firsts.tolist():
                rows = np.arange(first, first + length)
                span = (first, first + length - 1)
                target = locate_points(mesh, surface_points, true.part(rows))
                found = {"line": interpolate_gap(around, first - 1, first + length, take.time_s)}
                for way, compared in (("surface", None), ("renders", renders)):
                    began = time.perf_counter()
                    footage = FootageFlow(DisFlow(), pictures)
                    found[way] = infill(
                        *(viewed, footage, around, span, take.time_s, priors.precision, priors.smooth), renders=compared
                    )
                    seconds[way] += time.perf_counter() - began
                for way, state in found.items():
                    away = locate_points(mesh, surface_points, state) - target
                    squares[way].append(float((away**2).sum(-1).mean()))
            error = {way: 1000 * float(np.sqrt(np.mean(found))) for way, found in squares.items()}
            print(f"{length:2d} frames, {name:18s}: interpolation {error['line']:.2f} mm", end="")
            for way, label in (("surface", "flow and surface"), ("renders", "flow and flow of renders")):
                per_frame = seconds[way] / (options.places * length)
                print(f", {label} {error[way]:.2f} mm ({per_frame:.2f} s a frame)", end="")
            print(flush=True)


if __name__ == "__main__":
    main()
