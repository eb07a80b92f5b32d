"""The sample head drawn by our own renderer: footage whose pose and weights are known, for tests of deep energies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from facecap_addon.geometry.camera import centered_camera
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh
from facecap_addon.refine.state import DeepState, camera_points
from facecap_addon.refine.views import View, first_view, to_view
from facecap_addon.render.camera import intrinsics_of, project
from facecap_addon.render.renderer import Appearance, render
from tests.unit.sample import facing, sample

SIZE = (480, 384)
FOCAL_PX = 800.0


@lru_cache(maxsize=1)
def render_mesh() -> RenderMesh:
    """The sample head."""
    prepared = sample()
    return build_render_mesh(prepared.rig, prepared.embedding)


def view() -> View:
    """A camera straight ahead."""
    return first_view(centered_camera(*SIZE, FOCAL_PX))


def light() -> torch.Tensor:
    """(9, 3): light from above, a little from the left."""
    out = torch.zeros(9, 3)
    out[0], out[1], out[2], out[3] = 2.6, -0.6, -0.5, -0.3
    return out


def frames(count: int) -> DeepState:
    """A head that nods and talks: F frames."""
    head = render_mesh()
    share = np.linspace(0, 1, count)
    turn = np.stack([0.1 * np.sin(5 * share), 0.25 * (share - 0.5), 0.03 * share], 1)
    shift = np.stack([0.02 * share - 0.01, 0.01 * np.sin(4 * share), 0.55 + 0.02 * share], 1)
    weights = np.zeros((count, len(head.channels)))
    # The mouth stays open, then shuts at once: what interpolation cannot know.
    weights[:, head.channels.index("jawOpen")] = 0.6 / (1 + np.exp((share - 0.7) * 40))
    weights[:, head.channels.index("mouthSmileLeft")] = 0.5 * share**3
    weights[:, head.channels.index("browInnerUp")] = 0.5 * (share > 0.4) * np.sin(6 * share) ** 2
    return DeepState(facing(turn), shift, weights, np.zeros((count, 6)))


def picture(state: DeepState, camera: View | None = None) -> np.ndarray:
    """(H, W, 3) uint8: one frame."""
    head, camera = render_mesh(), camera or view()
    points = to_view(camera_points(head, state), camera)
    places, depth = project(points, intrinsics_of(camera.camera))
    twice = (places + 0.5) * 2 - 0.5
    look = Appearance(head.colors, light())
    drawn = render(points, twice, depth, head.topology, look, torch.tensor([0.25, 0.3, 0.35]), SIZE[::-1], 2)[0]
    return (drawn.numpy() * 255).round().astype(np.uint8)


def one(state: DeepState, frame: int) -> DeepState:
    """One frame of a state."""
    return state.part(np.array([frame]))
