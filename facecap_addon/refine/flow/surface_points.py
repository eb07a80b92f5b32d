"""Points on the face's surface that are followed from frame to frame: the render's optical flow, exactly.

Where a render shows a surface point in one frame and where it shows it in the next differ by the render's flow there.
Geometry gives that without drawing or matching, and with a derivative.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...arrays import F32, F64
from ...render.camera import intrinsics_of, project
from ...render.fragments import barycentrics, rasterise
from ..render_mesh import Actor
from ..state import DeepState, camera_points, directions
from ..views import View, in_view, moved_places

COUNT = 700
_SIZE = 160
_BEHIND_M = 0.003


@dataclass(frozen=True)
class Tracers:
    """Fixed places on the surface.

    Attributes:
        vertices: (P, 3) int64, corners of each place's triangle.  barycentric: (P, 3) float32.
    """

    vertices: NDArray[np.int64]
    barycentric: F32


def spread_tracers(actor: Actor, count: int = COUNT) -> Tracers:
    """Places spread evenly over the face as it is seen from the front, inside the outline of its landmarks."""
    low, high = actor.landmarks.min(0), actor.landmarks.max(0)
    scale = 0.9 * _SIZE / float((high - low)[[0, 2]].max())
    middle = 0.5 * (low + high)

    def seen(points: NDArray[np.floating]) -> tuple[F64, F64]:
        away = np.asarray(points, np.float64) - middle  # head space: x left, y back, z up, so the camera looks along +y
        place = np.stack([away[..., 0], -away[..., 2]], -1) * scale + (_SIZE - 1) / 2
        return place, away[..., 1] + 10.0

    place, depth = seen(actor.neutral.cpu().numpy())
    places, depths = torch.from_numpy(place[None]), torch.from_numpy(depth[None])
    triangles = actor.topology.triangles.cpu()
    fragments = rasterise(places, depths, triangles, _SIZE, _SIZE)
    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(seen(actor.landmarks)[0]).astype(np.int32)), (1,))
    inside = mask.reshape(-1)[fragments.pixel.numpy()] > 0
    weights = barycentrics(places, depths, fragments).numpy()[inside]
    corners = fragments.corner.numpy()[inside]
    some = np.linspace(0, len(corners) - 1, min(count, len(corners))).astype(np.intp) if len(corners) else []
    return Tracers(corners[some], weights[some].astype(np.float32))


def tracer_places(actor: Actor, tracers: Tracers, state: DeepState, view: View) -> tuple[F64, F64]:
    """(N, P, 2) px in a camera's picture and (N, P) m depth of tracers in N frames."""
    used, corner = _corners(tracers)
    points = in_view(camera_points(actor, state, used), view).cpu().numpy()
    at = np.einsum("pc,npcd->npd", tracers.barycentric, points[:, corner]).astype(np.float64)
    focal = np.array([view.camera.focal_px, view.camera.focal_y_px])
    depth = at[..., 2]
    return at[..., :2] / np.maximum(depth, 1e-6)[..., None] * focal + view.camera.center_px, depth


def tracer_derivatives(
    actor: Actor, tracers: Tracers, state: DeepState, view: View, columns: NDArray[np.intp] | None = None
) -> F64:
    """(P, 2, D) px per unit of one frame's unknowns, all or some (D,) of them."""
    used, corner = _corners(tracers)
    by_unknown = np.einsum(
        "ij,sju->siu", view.from_first[:3, :3], directions(actor, state, used, columns), optimize=True
    )
    points = in_view(camera_points(actor, state, used), view)[0].cpu().numpy()
    moved = np.einsum("pc,pcdu->pdu", tracers.barycentric, by_unknown[corner], optimize=True)
    at = np.einsum("pc,pcd->pd", tracers.barycentric, points[corner])
    return moved_places(at, moved, view)


def _corners(tracers: Tracers) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The vertices that tracers lie between, and (P, 3) which of these."""
    used, index = np.unique(tracers.vertices, return_inverse=True)
    return used, index.reshape(tracers.vertices.shape)


def tracers_seen(actor: Actor, tracers: Tracers, state: DeepState, view: View) -> NDArray[np.bool_]:
    """(P,) bool: tracers that nothing hides in one frame."""
    points = in_view(camera_points(actor, state), view)
    places, depth = project(points, intrinsics_of(view.camera).to(points.device))
    places, depth = places.cpu(), depth.cpu()
    at, own = tracer_places(actor, tracers, state, view)
    low = at[0].min(0) - 2
    size = float((at[0].max(0) - low).max()) + 4
    scale = _SIZE / size
    inside = (places - torch.tensor(low, dtype=places.dtype)) * scale
    fragments = rasterise(inside, depth, actor.topology.triangles.cpu(), _SIZE, _SIZE)
    nearest = (1 / fragments.nearness.reshape(-1)).numpy()
    cell = np.clip(np.round((at[0] - low) * scale).astype(int), 0, _SIZE - 1)
    return own[0] < nearest[cell[:, 1] * _SIZE + cell[:, 0]] + _BEHIND_M
