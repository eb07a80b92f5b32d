"""Derivatives of a render, and of what the network sees of it, with respect to a frame's unknowns: forward mode."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...render.picture import Appearance, background_of, render, vertex_light
from ...render.shading import harmonics, vertex_normals
from .actor import Actor
from .landmark_module import LandmarkModule, MeshModule
from .looks import FINER
from .push_forward import push_forward
from .state import DeepState, camera_points, directions
from .views import Plates, View, in_view, seen_in_crop

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_AT_ONCE = 16


def picture_derivatives(
    actor: Actor, state: DeepState, view: View, plates: Plates, appearance: Appearance, size: int
) -> tuple[Tensor, F32]:
    """One frame's render at the network's own resolution, and how it changes with each unknown.

    Turning the head turns its normals; how expression bends them is left out, its effect on landmarks is small.

    Args:
        state, plates: of one frame.  size: S, of the network's crop.
    Returns:
        (S, S, 3) float32 sRGB; (S, S, 3, U) float32.
    """
    coarse = plates.image_from_fine.copy()
    coarse[:, :, 2] += coarse[:, :, :2] @ np.full(2, (FINER - 1) / 2)
    coarse[:, :, :2] *= FINER
    points, places, depth = seen_in_crop(camera_points(actor, state), view, coarse)
    background = background_of(plates.fine)[0, 0, 0]
    if points.device.type != "cpu":
        return _on_card(actor, state, view, coarse, appearance, background, size)
    from ...render.tangents import picture_and_seen

    light = vertex_light(points, actor.topology, appearance)[0]
    drawn, tangents = picture_and_seen(places[0], depth[0], light, actor.topology, background, (size, size))
    seen = tangents.seen
    moved = _vertex_directions(actor, state, view, coarse, seen)
    by_normal = _light_by_normal(points, actor, appearance, seen)
    full = np.zeros((len(seen), 6, moved.shape[2]), np.float32)
    full[:, :3] = moved
    # The normal turns with the head: dn = ω × n, in this camera's axes.
    normals = vertex_normals(points, actor.topology.triangles)[0, torch.from_numpy(seen)].numpy()
    turn = view.from_first[:3, :3].astype(np.float32)
    for axis in range(3):
        full[:, 3:, axis] = np.einsum("sci,si->sc", by_normal, np.cross(turn[:, axis], normals))
    return drawn, tangents.push(full)


def _vertex_directions(
    actor: Actor, state: DeepState, view: View, image_from_crop: F64, seen: NDArray[np.int64]
) -> F32:
    """(S, 3, U): how the seen vertices' places in the crop (px) and depths (m) move with each unknown."""
    by_unknown = np.einsum(
        "ij,sju->siu", view.from_first[:3, :3].astype(np.float32), directions(actor, state, seen), optimize=True
    )
    points = in_view(camera_points(actor, state), view)[0, torch.from_numpy(seen)].numpy()
    inverse = 1 / points[:, 2:]
    slope = points[:, :2] * inverse
    focal = np.array([view.camera.focal_px, view.camera.focal_y_px], np.float32)
    in_image = (by_unknown[:, :2] - slope[:, :, None] * by_unknown[:, 2:]) * (focal * inverse)[:, :, None]
    crop = np.linalg.inv(image_from_crop[0, :, :2]).astype(np.float32)
    out = np.empty_like(by_unknown)
    out[:, :2] = np.einsum("ij,sju->siu", crop, in_image, optimize=True)
    out[:, 2] = by_unknown[:, 2]
    return out


def _light_by_normal(points: Tensor, actor: Actor, appearance: Appearance, seen: NDArray[np.int64]) -> F32:
    """(S, 3, 3): how a vertex' reflected light (rows: colours) changes with its normal."""
    index = torch.from_numpy(seen)
    normal = vertex_normals(points, actor.topology.triangles)[0, index]
    with torch.enable_grad():
        free = normal.clone().requires_grad_()
        light = harmonics(free) @ appearance.light
        rows = [torch.autograd.grad(light[:, c].sum(), free, retain_graph=c < 2)[0] for c in range(3)]
    factor = cast(Tensor, appearance.albedo)[index]
    if appearance.sky is not None:
        factor = factor * appearance.sky[0, index, None]
    return (torch.stack(rows, 1) * factor[..., None]).numpy()


def _on_card(
    actor: Actor, state: DeepState, view: View, crop: F64, appearance: Appearance, background: Tensor, size: int
) -> tuple[Tensor, F32]:
    """The same on a graphics card: torch's own forward mode, some directions at a time."""
    points = camera_points(actor, state)
    every = np.arange(points.shape[1])
    along = torch.from_numpy(directions(actor, state, every)).to(points.device).permute(2, 0, 1)

    def draw(at: Tensor) -> Tensor:
        placed, places, depth = seen_in_crop(at, view, crop)
        return render(placed, places, depth, actor.topology, appearance, background, (size, size))[0]

    columns = [torch.func.jvp(draw, (points,), (direction[None],))[1] for direction in along]
    return draw(points).cpu(), torch.stack(columns, -1).cpu().numpy()


def network_derivatives(network: LandmarkModule, picture: Tensor, moved: F32) -> F64:
    """How landmarks move when the picture changes.

    Args:
        picture: (S, S, 3).  moved: (S, S, 3, D) float32.
    Returns:
        (L, 2, D) float64, crop pixels.
    """
    tangents = torch.from_numpy(np.ascontiguousarray(moved.transpose(3, 2, 0, 1)))
    image = picture.permute(2, 0, 1)[None]
    if isinstance(network, MeshModule):
        device = next(iter(network.buffers())).device
        with torch.no_grad():
            _, derivatives = push_forward(network.graph_module, image.to(device), tangents[None].to(device))
        found = network.assemble([d[0] for d in derivatives], len(tangents))
    else:
        found = torch.cat([_jvp(network, image, piece) for piece in tangents.split(_AT_ONCE)])
    return found.permute(1, 2, 0).cpu().numpy().astype(np.float64)


def _jvp(network: LandmarkModule, image: Tensor, tangents: Tensor) -> Tensor:
    """(D, L, 2) by torch's forward mode; networks in TorchScript cannot be mapped over directions."""
    rows = [torch.autograd.functional.jvp(network, image, tangent[None], strict=False)[1][0] for tangent in tangents]
    return torch.stack(rows)
