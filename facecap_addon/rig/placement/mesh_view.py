"""Pictures of a mesh, taken through a long lens from a chosen side, that remember what each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64, I32
from ...geometry.camera import PinholeCamera, centered_camera, project
from ...geometry.raster import Fragments, rasterise, shade
from ...images.resample import average_blocks

Direction = tuple[float, float, float]

LENS = 3.0
"""Focal length in picture sizes: long, as the face's own depth should not distort it."""
_BACKGROUND = (118, 118, 118)


@dataclass(frozen=True)
class Mesh:
    """What is drawn.

    Attributes:
        vertices: (V, 3) float32, m, rig space.  triangles: (T, 3) int32.  colors: (V, 3) float32 linear, or None.
    """

    vertices: NDArray[np.float32]
    triangles: I32
    colors: NDArray[np.float32] | None


@dataclass(frozen=True)
class View:
    """Where the camera stands.

    Attributes:
        rotation: (3, 3) float64, rows are the camera's axes (right, down, forward) in rig space.
        target: (3,) float64 m, rig space, seen in the middle of the picture.
        distance_m: from the camera to the target.  size_px: width and height, even.
    """

    rotation: F64
    target: F64
    distance_m: float
    size_px: int

    @property
    def camera(self) -> PinholeCamera:
        return centered_camera(self.size_px, self.size_px, LENS * self.size_px)

    @property
    def pixel_m(self) -> float:
        """Size of a pixel at the target's distance, metres."""
        return self.distance_m / self.camera.focal_px

    def camera_space(self, points: NDArray[np.floating]) -> F64:
        """(..., 3) points from rig to camera space."""
        return (np.asarray(points, np.float64) - self.target) @ self.rotation.T + (0.0, 0.0, self.distance_m)

    def rig_space(self, points: NDArray[np.floating]) -> F64:
        """(..., 3) points from camera to rig space."""
        return (np.asarray(points, np.float64) - (0.0, 0.0, self.distance_m)) @ self.rotation + self.target


@dataclass(frozen=True)
class RenderedView:
    """What a view shows of a mesh.

    Attributes:
        view: where from.  mesh: what.  fragments: which triangle every pixel of the view sees.
    """

    view: View
    mesh: Mesh
    fragments: Fragments

    def picture(self, light: Direction, ambient: float = 0.25) -> NDArray[np.uint8]:
        """(S / 2, S / 2, 3) uint8 sRGB under a light from `light` (camera space), smoothed as a camera would."""
        rgb = shade(
            self.fragments,
            self.view.camera_space(self.mesh.vertices),
            self.mesh.triangles,
            self.mesh.colors,
            light_direction=light,
            ambient=ambient,
            background=_BACKGROUND,
        )
        return average_blocks(rgb, 2)


def view_px(picture_px: NDArray[np.floating]) -> F64:
    """Pixels of the view from pixels of `RenderedView.picture`, which is half as large."""
    return (np.asarray(picture_px, np.float64) + 0.5) * 2 - 0.5


def render_view(mesh: Mesh, view: View) -> RenderedView:
    """Rasterise a mesh from a view."""
    points = view.camera_space(mesh.vertices)
    points_px = project(np.where(points[:, 2:] > 0, points, np.nan), view.camera)
    return RenderedView(view, mesh, rasterise(points_px, points[:, 2], mesh.triangles, view.size_px, view.size_px))


def frame_view(points: NDArray[np.floating], rotation: F64, fill: float, size_px: int) -> View:
    """A view in which points fill a given part of the picture.

    Args:
        points: (N, 3) float m, rig space.  rotation: (3, 3) as in View.  fill: 0..1.  size_px: picture size.
    """
    seen = np.asarray(points, np.float64) @ rotation.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    extent = max(float((high - low)[:2].max()), 1e-9)
    # The nearest point has the distance that fills the picture, so nothing comes too close.
    distance = LENS * extent / fill + 0.5 * float((high - low)[2])
    return View(rotation, 0.5 * (low + high) @ rotation, distance, size_px)


def turn_view(rotation: F64, yaw_rad: float, pitch_rad: float) -> F64:
    """A view's rotation after the camera's subject turned its head by yaw and nodded by pitch."""
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return about_x @ about_y @ rotation
