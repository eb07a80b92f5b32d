"""Gaps filled by optical flow against interpolation: `python -m benchmarks.infill [--places N] [--refined TAKE] …`.

Gaps of 3, 6 and 10 frames are cut into the sample take at many places. The frames around them are true, so that what
is measured is the filling, or as the landmark fit or, with `--refined`, a refined take has them. The flow of footage
is compared with the motion of the surface or with the flow of renders as Bao et al. do. RMSE of the face's surface
points in the camera's space.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.deep_energies import Scene, landmark_fit, take_scene
from facecap_addon.arrays import U8
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
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take

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


def appearance_of(mesh: RenderMesh, state: DeepState, view: View, pictures: Callable[[int], U8]) -> Appearance:
    """Skin and light, as refining finds them."""
    rows = np.linspace(0, len(state.weights) - 1, REFERENCE_FRAMES).astype(np.intp)
    sightings = [observe_surface(mesh, state.part(np.array([row])), view, pictures(int(row))) for row in rows]
    return estimate_appearance(mesh, sightings, own_colors=True)


@dataclass(frozen=True)
class Filled:
    """What gaps of one length came to: squared errors of each, m².

    Attributes:
        whole: of the surface points' places.  across: across the line of sight alone.
        own: of their motion from the frame before a gap to the frame after it: what the filling adds to the error that
            its neighbours have already, which is taken to change linearly between them.
    """

    whole: list[float] = field(default_factory=list)
    across: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    def add(self, away: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        """Errors (N, P, 3) m of a gap's frames, and (P, 3) of the frames before and after it."""
        share = ((np.arange(len(away)) + 1) / (len(away) + 1))[:, None, None]
        for kept, error in (
            (self.whole, away),
            (self.across, away[..., :2]),
            (self.own, away - before * (1 - share) - after * share),
        ):
            kept.append(float((error**2).sum(-1).mean()))

    def __str__(self) -> str:
        whole, across, own = (1000 * float(np.sqrt(np.mean(of))) for of in (self.whole, self.across, self.own))
        return f"{whole:5.2f} mm (across {across:.2f}, filling alone {own:.2f})"


def view_points(scene: Scene, take: Take) -> ViewedPoints:
    """Points of the face's surface, as the footage's camera sees them."""
    mesh = build_render_mesh(scene.rig, scene.embedding)
    view = first_view(centered_camera(*take.image_size, scene.focal_px))
    return ViewedPoints(mesh, sample_surface_points(mesh), view)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--places", type=int, default=10)
    parser.add_argument("--lengths", type=int, nargs="+", default=[3, 6, 10])
    parser.add_argument("--between", type=int, nargs=2, help="frames that gaps are cut between; if not given: the clip")
    parser.add_argument("--refined", type=Path, help="a take with these refined: benchmarks.deep_energies --save")
    options = parser.parse_args()
    scene = take_scene()
    take = landmark_fit(scene)
    viewed = view_points(scene, take)
    mesh, surface_points, view = viewed.mesh, viewed.points, viewed.view
    priors = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0)
    true = true_state(scene, mesh)
    arounds = {"true": true, "fitted": state_of(take, mesh)}
    if options.refined is not None:
        arounds["refined"] = state_of(load_take(options.refined), mesh)
    pictures = FrameAccess(open_footage(scene.clip))
    places = locate_points(mesh, surface_points, true)
    for name, around in arounds.items():
        away = locate_points(mesh, surface_points, around) - places
        renders = RenderedFlow(DisFlow(), viewed, appearance_of(mesh, around, view, pictures))
        for length in options.lengths:
            begin, end = options.between or (8, take.frame_count - 7)
            firsts = np.linspace(begin + 4, end - length - 1, options.places).astype(int)
            filled = {way: Filled() for way in ("interpolation", "flow and surface", "flow and flow of renders")}
            seconds = dict.fromkeys(filled, 0.0)
            for first in firsts.tolist():
                before, after = first - 1, first + length
                for way, kept in filled.items():
                    began = time.perf_counter()
                    if way == "interpolation":
                        found = interpolate_gap(around, before, after, take.time_s)
                    else:
                        found = infill(
                            *(viewed, FootageFlow(DisFlow(), pictures), around, (first, after - 1), take.time_s),
                            *(priors.precision, priors.smooth),
                            renders=renders if "renders" in way else None,
                        )
                    seconds[way] += time.perf_counter() - began
                    error = locate_points(mesh, surface_points, found) - places[first:after]
                    kept.add(error, away[before], away[after])
            print(f"{length} frames between {name} neighbours")
            for way, kept in filled.items():
                print(f"  {way:25s} {kept}, {seconds[way] / (options.places * length):.2f} s a frame", flush=True)


if __name__ == "__main__":
    main()
