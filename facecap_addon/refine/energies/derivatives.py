"""Derivatives of a render, and of what the network sees of it, with respect to a frame's unknowns: forward mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F32, F64
from ...render.renderer import Appearance, background_of, render, vertex_light
from ...render.shading import harmonics
from ..flow.surface_points import SurfacePoints, ViewedPoints
from ..networks.crop_ensemble import FINER
from ..networks.jvp import jvp
from ..networks.landmark_module import LandmarkModule, MeshModule
from ..render_mesh import RenderMesh
from ..state import DeepState, camera_points, differentiate_vertices
from ..views import Plates, View, differentiate_projection, project_to_crop

# Pictures and directions that go through the network together: more of them take memory, not less time.
_CHUNK_DIRECTIONS = 64


def differentiate_picture(
    mesh: RenderMesh,
    state: DeepState,
    view: View,
    plates: Plates,
    appearance: Appearance,
    size: int,
    columns: NDArray[np.intp],
) -> tuple[Tensor, F32]:
    """One frame's render at the network's own resolution, and how it changes with some unknowns.

    Args:
        state, plates: of one frame.  size: S, of the network's crop.  columns: (D,) unknowns, ascending.
    Returns:
        (S, S, 3) float32 sRGB; (S, S, 3, D) float32.
    """
    coarse = plates.image_from_fine.copy()
    coarse[:, :, 2] += coarse[:, :, :2] @ np.full(2, (FINER - 1) / 2)
    coarse[:, :, :2] *= FINER
    points, places, depth = project_to_crop(camera_points(mesh, state), view, coarse)
    background = background_of(plates.fine)[0, 0, 0]
    if points.device.type != "cpu":
        return _differentiate_on_card(mesh, state, view, coarse, appearance, background, size, columns)
    # numba is for the CPU alone
    from ...render.forward_mode import differentiate_normals, find_neighbours, render_with_derivatives

    with torch.no_grad():
        light = vertex_light(points, mesh.topology, appearance)[0]
    drawn, derivatives = render_with_derivatives(places[0], depth[0], light, mesh.topology, background, (size, size))
    seen = derivatives.seen
    # Normals depend on neighbours too.
    triangles = mesh.topology.triangles.numpy()
    near, triangles = find_neighbours(seen, triangles, points.shape[1])
    index = np.searchsorted(near, seen)
    at = points[0, torch.from_numpy(near)].numpy()
    turn = view.from_first[:3, :3].astype(np.float32)
    moved = np.einsum("ij,vju->viu", turn, differentiate_vertices(mesh, state, near, columns), optimize=True)
    normals, bent = differentiate_normals(at, triangles, moved, index)
    full = np.empty((len(seen), 6, len(columns)), np.float32)
    full[:, :3] = _differentiate_in_crop(at[index], moved[index], view, coarse)
    np.matmul(_differentiate_light(normals, mesh, appearance, seen), bent, out=full[:, 3:])
    return drawn, derivatives.jvp(full)


def _differentiate_in_crop(points: F32, moved: F32, view: View, image_from_crop: F64) -> F32:
    """(S, 3, D): how places in the crop (px) and depths (m) change when points (S, 3) move along (S, 3, D)."""
    in_image = differentiate_projection(points, moved, view)
    crop = np.linalg.inv(image_from_crop[0, :, :2]).astype(np.float32)
    return np.concatenate([np.einsum("ij,sju->siu", crop, in_image, optimize=True), moved[:, 2:]], 1)


def _differentiate_light(normals: F32, mesh: RenderMesh, appearance: Appearance, seen: NDArray[np.int64]) -> F32:
    """(S, 3, 3): how a vertex' reflected light (rows: colours) changes with its normal (S, 3)."""
    index = torch.from_numpy(seen)
    with torch.enable_grad():
        free = torch.from_numpy(normals).requires_grad_()
        light = harmonics(free) @ appearance.light
        rows = [torch.autograd.grad(light[:, c].sum(), free, retain_graph=c < 2)[0] for c in range(3)]
    factor = appearance.albedo[index]
    if appearance.occlusion is not None:
        factor = factor * appearance.occlusion[0, index, None]
    return (torch.stack(rows, 1) * factor[..., None]).numpy()


def _differentiate_on_card(
    mesh: RenderMesh,
    state: DeepState,
    view: View,
    crop: F64,
    appearance: Appearance,
    background: Tensor,
    size: int,
    columns: NDArray[np.intp],
) -> tuple[Tensor, F32]:
    """The same on a graphics card: torch's own forward mode, some directions at a time."""
    points = camera_points(mesh, state)
    every = np.arange(points.shape[1])
    along = torch.from_numpy(differentiate_vertices(mesh, state, every, columns)).to(points.device).permute(2, 0, 1)

    def draw(at: Tensor) -> Tensor:
        placed, places, depth = project_to_crop(at, view, crop)
        return render(placed, places, depth, mesh.topology, appearance, background, (size, size))[0]

    changes = [torch.func.jvp(draw, (points,), (direction[None],))[1] for direction in along]
    return draw(points).cpu(), torch.stack(changes, -1).cpu().numpy()


def differentiate_landmarks(
    mesh: RenderMesh, state: DeepState, view: View, plates: Plates, columns: NDArray[np.intp]
) -> F64:
    """How landmarks move in one frame's crop if each stays on its place of the surface.

    Right on average, and far from the goal too, where the network's own derivative is lost in its noise.

    Returns:
        (L, 2, D) float64, pixels of the network's crop.
    """
    landmarks = ViewedPoints(mesh, SurfacePoints(mesh.landmark_vertices, mesh.landmark_shares), view)
    crop = np.linalg.inv(plates.image_from_fine[0, :, :2] * FINER)
    moved = landmarks.differentiate(state, columns)
    return np.einsum("ij,lju->liu", crop, moved, optimize=True).astype(np.float64)


def differentiate_network(network: LandmarkModule, pictures: Tensor, moved: Sequence[F32]) -> F64:
    """How landmarks move when pictures change.

    Args:
        pictures: (N, S, S, 3).  moved: N of (S, S, 3, D) float32.
    Returns:
        (N, L, 2, D) float64, crop pixels.
    """
    many = moved[0].shape[-1]
    images = pictures.permute(0, 3, 1, 2)
    chunk = max(1, _CHUNK_DIRECTIONS // (many + 1)) if isinstance(network, MeshModule) else 1
    parts = []
    for first in range(0, len(moved), chunk):
        along = np.stack([np.ascontiguousarray(m.transpose(3, 2, 0, 1)) for m in moved[first : first + chunk]])
        some, derivatives = images[first : first + chunk], torch.from_numpy(along)
        device = _device_of(network)
        some, derivatives = some.to(device), derivatives.to(device)
        if isinstance(network, MeshModule):
            with torch.no_grad():
                _, out = jvp(network.graph_module, some, derivatives)
            found = network.assemble([d.flatten(0, 1) for d in out], len(some) * many)
        else:
            found = _jvp(network, some, derivatives[0])
        parts.append(found.reshape(len(some), many, -1, 2))
    return torch.cat(parts).permute(0, 2, 3, 1).cpu().numpy().astype(np.float64)


def _device_of(network: LandmarkModule) -> torch.device:
    """Where a network's numbers lie; the processor for one without any."""
    if not isinstance(network, torch.nn.Module):
        return torch.device("cpu")
    held = next(iter((*network.parameters(), *network.buffers())), None)
    return torch.device("cpu") if held is None else held.device


def _jvp(network: LandmarkModule, image: Tensor, derivatives: Tensor) -> Tensor:
    """(D, L, 2) by torch's forward mode; networks in TorchScript cannot be mapped over directions."""
    rows = [torch.autograd.functional.jvp(network, image, tangent[None], strict=False)[1][0] for tangent in derivatives]
    return torch.stack(rows)
