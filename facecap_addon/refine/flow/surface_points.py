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

from ...arrays import F32, F64, Bools
from ...render.camera import intrinsics_of, project
from ...render.fragments import barycentrics, rasterise
from ..render_mesh import RenderMesh
from ..state import DeepState, camera_points, differentiate_vertices
from ..views import View, differentiate_projection, to_view

COUNT = 700
_SIZE = 160
_BEHIND_M = 0.003


@dataclass(frozen=True)
class SurfacePoints:
    """Fixed places on the surface.

    Attributes:
        vertices: (P, 3) int64, corners of each place's triangle.  barycentric: (P, 3) float32.
    """

    vertices: NDArray[np.int64]
    barycentric: F32


def sample_surface_points(mesh: RenderMesh, count: int = COUNT) -> SurfacePoints:
    """Places spread evenly over the face as it is seen from the front, inside the outline of its landmarks."""
    low, high = mesh.landmarks.min(0), mesh.landmarks.max(0)
    scale = 0.9 * _SIZE / float((high - low)[[0, 2]].max())
    middle = 0.5 * (low + high)

    def seen(points: NDArray[np.floating]) -> tuple[F64, F64]:
        away = np.asarray(points, np.float64) - middle  # head space: x left, y back, z up, so the camera looks along +y
        place = np.stack([away[..., 0], -away[..., 2]], -1) * scale + (_SIZE - 1) / 2
        return place, away[..., 1] + 10.0

    place, depth = seen(mesh.neutral.cpu().numpy())
    places, depths = torch.from_numpy(place[None]), torch.from_numpy(depth[None])
    triangles = mesh.topology.triangles.cpu()
    fragments = rasterise(places, depths, triangles, _SIZE, _SIZE)
    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(seen(mesh.landmarks)[0]).astype(np.int32)), (1,))
    inside = mask.reshape(-1)[fragments.pixel.numpy()] > 0
    weights = barycentrics(places, depths, fragments).numpy()[inside]
    corners = fragments.corner.numpy()[inside]
    some = np.linspace(0, len(corners) - 1, min(count, len(corners))).astype(np.intp) if len(corners) else []
    return SurfacePoints(corners[some], weights[some].astype(np.float32))


@dataclass(frozen=True)
class ViewedPoints:
    """Surface points of a character as one camera sees them.

    Attributes:
        mesh: the character.  points: P places on it.  view: the camera.
    """

    mesh: RenderMesh
    points: SurfacePoints
    view: View

    def project(self, state: DeepState) -> tuple[F64, F64]:
        """(N, P, 2) px in the camera's picture and (N, P) m depth in N frames."""
        used, corner = self._corners()
        points = to_view(camera_points(self.mesh, state, used), self.view).cpu().numpy()
        at = np.einsum("pc,npcd->npd", self.points.barycentric, points[:, corner]).astype(np.float64)
        camera, depth = self.view.camera, at[..., 2]
        focal = np.array([camera.focal_px, camera.focal_y_px])
        return at[..., :2] / np.maximum(depth, 1e-6)[..., None] * focal + camera.center_px, depth

    def differentiate(self, state: DeepState, columns: NDArray[np.intp] | None = None) -> F64:
        """(P, 2, D) px per unit of one frame's unknowns, all or some (D,) of them."""
        used, corner = self._corners()
        by_unknown = differentiate_vertices(self.mesh, state, used, columns)
        by_unknown = np.einsum("ij,sju->siu", self.view.from_first[:3, :3], by_unknown, optimize=True)
        points = to_view(camera_points(self.mesh, state, used), self.view)[0].cpu().numpy()
        moved = np.einsum("pc,pcdu->pdu", self.points.barycentric, by_unknown[corner], optimize=True)
        at = np.einsum("pc,pcd->pd", self.points.barycentric, points[corner])
        return differentiate_projection(at, moved, self.view)

    def find_visible(self, state: DeepState) -> Bools:
        """(P,) bool: points that nothing hides in one frame."""
        points = to_view(camera_points(self.mesh, state), self.view)
        places, depth = project(points, intrinsics_of(self.view.camera).to(points.device))
        places, depth = places.cpu(), depth.cpu()
        at, own = self.project(state)
        low = at[0].min(0) - 2
        size = float((at[0].max(0) - low).max()) + 4
        scale = _SIZE / size
        inside = (places - torch.tensor(low, dtype=places.dtype)) * scale
        fragments = rasterise(inside, depth, self.mesh.topology.triangles.cpu(), _SIZE, _SIZE)
        nearest = (1 / fragments.inverse_depth.reshape(-1)).numpy()
        cell = np.clip(np.round((at[0] - low) * scale).astype(int), 0, _SIZE - 1)
        return own[0] < nearest[cell[:, 1] * _SIZE + cell[:, 0]] + _BEHIND_M

    def _corners(self) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The vertices that the points lie between, and (P, 3) which of these."""
        used, index = np.unique(self.points.vertices, return_inverse=True)
        return used, index.reshape(self.points.vertices.shape)
