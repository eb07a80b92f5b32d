"""Footage of a character under known curves, drawn by our own renderer: a training set with exact targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...refine.render_mesh import RenderMesh
from ...refine.state import DeepState, camera_points
from ...render.ambient_occlusion import measure_ambient_occlusion
from ...render.renderer import Appearance, render
from ...render.shading import vertex_normals
from .motion import PICTURE_SIZE

FOCAL_PX, DISTANCE_M = 620.0, 0.62
WIDTH, HEIGHT = PICTURE_SIZE
_BATCH = 8


@dataclass(frozen=True)
class SceneLook:
    """How one shot is lit and painted.

    Attributes:
        light: (9, 3) spherical harmonics.  skin: (3,) factors on the albedo.  background: (3,) sRGB.
    """

    light: NDArray[np.float32]
    skin: NDArray[np.float32]
    background: NDArray[np.float32]


def make_scene_look(seed: int, *, variation: float = 0.4) -> SceneLook:
    """A shot's look: the studio's light and wall with what varies between takes of one session.

    Args:
        variation: 0 is the same for all shots; 1 is another day in another room.
    """
    random = np.random.default_rng([seed, 13])
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[2], light[3] = 2.5, -0.55, -0.5, -0.25
    light[0] *= 1 + variation * random.uniform(-0.1, 0.1)
    light[1:4] += variation * random.normal(0, 0.12, (3, 1))
    light *= 1 + variation * random.normal(0, 0.015, 3)
    skin = 1 + variation * random.normal(0, 0.03, 3)
    wall = np.array([0.24, 0.27, 0.31]) + variation * random.uniform(-0.1, 0.1, 3)
    return SceneLook(light, skin.astype(np.float32), wall.astype(np.float32))


def render_footage(
    mesh: RenderMesh,
    weights: F64,
    head: F64,
    look: SceneLook,
    *,
    yaw_rad: float = 0.0,
    grain: float = 0.004,
    seed: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Frames of the character.

    Args:
        weights: (F, K).  head: (F, 6), see `make_head_curves`.  yaw_rad: how far the camera stands to the side.
        grain: noise of the sensor, parts of white.
    Yields:
        (320, 240, 3) uint8 RGB.
    """
    random = np.random.default_rng([seed, 17])
    occlusion = None
    background = torch.from_numpy(look.background)
    albedo = (mesh.colors * torch.from_numpy(look.skin)).clamp(0, 1)
    with torch.no_grad():
        for first in range(0, len(weights), _BATCH):
            part = slice(first, first + _BATCH)
            state = _place_head(mesh, weights[part], head[part], yaw_rad)
            count = len(state.weights)
            points = camera_points(mesh, state)
            if occlusion is None:  # folds change little; finding them for each frame would take most of the time
                normals = vertex_normals(points[:1], mesh.topology.triangles)
                occlusion = measure_ambient_occlusion(points[0], normals[0], mesh.topology.triangles)[None]
            depth = points[..., 2]
            places = (_project(points) + 0.5) * 2 - 0.5
            light = Appearance(albedo, torch.from_numpy(look.light), occlusion.expand(count, -1))
            pictures = render(points, places, depth, mesh.topology, light, background, (HEIGHT, WIDTH), 2).numpy()
            for picture in pictures:
                noisy = picture + random.normal(0, grain, picture.shape)
                yield (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8)


def project_landmarks(
    mesh: RenderMesh, weights: F64, head: F64, *, yaw_rad: float = 0.0
) -> tuple[F64, tuple[int, int]]:
    """(F, L, 2) px of the pictures that `render_footage` gives for the same arguments, and their (width, height)."""
    out = np.empty((len(weights), len(mesh.landmark_vertices), 2))
    used, corner = np.unique(mesh.landmark_vertices, return_inverse=True)
    for first in range(0, len(weights), 64):
        part = slice(first, first + 64)
        seen = _project(camera_points(mesh, _place_head(mesh, weights[part], head[part], yaw_rad), used)).numpy()
        out[part] = np.einsum("lc,flcd->fld", mesh.landmark_shares, seen[:, corner.reshape(-1, 3)])
    return out, (WIDTH, HEIGHT)


def _place_head(mesh: RenderMesh, weights: F64, head: F64, yaw_rad: float) -> DeepState:
    """The head before the camera."""
    facing = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # camera from head, seen from the front
    middle = 0.5 * (mesh.landmarks.min(0) + mesh.landmarks.max(0))
    aside = Rotation.from_euler("y", yaw_rad).as_matrix()
    turn = aside @ Rotation.from_rotvec(head[:, :3]).as_matrix() @ facing
    place = head[:, 3:] @ aside.T + (0.0, 0.0, DISTANCE_M) - turn @ middle
    return DeepState(turn, place, weights, np.zeros((len(weights), 6)))


def _project(points: torch.Tensor) -> torch.Tensor:
    """(F, V, 2) px of points (F, V, 3) m in camera space."""
    centre = points.new_tensor([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    return points[..., :2] / points[..., 2:] * FOCAL_PX + centre
