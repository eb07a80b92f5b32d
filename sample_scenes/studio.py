"""The sample head before a camera: opens head.blend in this process's Blender, lights it and takes pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np
from mathutils import Matrix, Vector  # type: ignore[import-not-found]
from numpy.typing import NDArray

F64 = NDArray[np.float64]

BLEND = Path(__file__).resolve().with_name("head.blend")
SENSOR_MM = 36.0
# The head turns about the upper end of the neck.
NECK_M = np.array([0.0, 0.012, -0.09])
# What the camera looks at, between nose and mouth.
TARGET_M = np.array([0.0, -0.06, -0.03])
# Name, place, power (W), size (m).
LIGHTS = (
    ("Key", (-0.6, -0.9, 0.7), 13.0, 0.6),
    ("Fill", (0.8, -0.7, 0.1), 5.5, 0.8),
    ("Rim", (0.5, 0.7, 0.6), 9.0, 0.4),
)
BACKGROUND = (0.05, 0.055, 0.07)


@dataclass(frozen=True)
class Studio:
    """A scene ready to be rendered.

    Attributes:
        scene, head: Blender's.
        camera_m: (3,) float64, place of the camera, which looks along +Y.
        focal_px: of the camera, in pixels of the picture.
        size_px: width and height of the picture.
    """

    scene: bpy.types.Scene
    head: bpy.types.Object
    camera_m: F64
    focal_px: float
    size_px: int

    def pose(self, weights: Mapping[str, float], turn_rad: F64 | None = None, shift_m: F64 | None = None) -> None:
        """Set all keys (absent ones to 0), and turn the head as `head_matrix` says."""
        for block in self.head.data.shape_keys.key_blocks[1:]:
            block.value = float(weights.get(block.name, 0.0))
        matrix = head_matrix(np.zeros(3) if turn_rad is None else turn_rad, np.zeros(3) if shift_m is None else shift_m)
        self.head.matrix_world = Matrix(matrix.tolist())

    def shoot(self, path: Path) -> None:
        """Render a picture."""
        self.scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)

    def pixels(self, points: NDArray[np.floating]) -> F64:
        """(N, 2) float64 px where points (N, 3) m in the world are seen; pixel centres at whole numbers."""
        seen = camera_space(points, self.camera_m)
        return seen[:, :2] / seen[:, 2:] * self.focal_px + (self.size_px - 1) / 2


def camera_space(points: NDArray[np.floating], camera_m: F64) -> F64:
    """(N, 3) m: x right, y down, z forward, from points in the world."""
    return (np.asarray(points, np.float64) - camera_m) @ CAMERA_FROM_WORLD.T


CAMERA_FROM_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def head_matrix(turn_rad: F64, shift_m: F64) -> F64:
    """(4, 4) world from head: turned by yaw (to the character's left), pitch (up) and roll (to her left shoulder)."""
    yaw, pitch, roll = turn_rad
    # The face looks along -Y, its left is +X.
    rotation = _about(2, yaw) @ _about(0, -pitch) @ _about(1, roll)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = NECK_M - rotation @ NECK_M + shift_m
    return matrix


def _about(axis: int, angle: float) -> F64:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i], matrix[i, j] = np.sin(angle), -np.sin(angle)
    return matrix


def open_studio(
    size_px: int, samples: int, *, lens_mm: float = 85.0, distance_m: float = 0.75, target_m: F64 = TARGET_M
) -> Studio:
    """Open the head's file and set up camera and lights, for Cycles on the CPU.

    Args:
        size_px: width and height of the pictures.  samples: per pixel; the picture is denoised.
        lens_mm: on a sensor 36 mm wide.  distance_m: from the camera to the target.  target_m: (3,) looked at.
    """
    bpy.ops.wm.open_mainfile(filepath=str(BLEND))
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.sensor_width = lens_mm, SENSOR_MM
    camera.location = target_m - (0.0, distance_m, 0.0)
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    for name, place, power, size in LIGHTS:
        light = bpy.data.objects.new(name, bpy.data.lights.new(name, "AREA"))
        light.data.energy, light.data.size = power, size
        light.location = place
        light.rotation_euler = (Vector(target_m) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(light)
    scene.world = bpy.data.worlds.new("Studio")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (*BACKGROUND, 1.0)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = samples, True, 4
    # Three frames in the time of one, and no difference that can be seen.
    scene.cycles.denoising_prefilter = scene.cycles.denoising_quality = "FAST"
    scene.cycles.seed = 0
    scene.render.use_persistent_data = True
    scene.render.resolution_x = scene.render.resolution_y = size_px
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    return Studio(scene, bpy.data.objects["Head"], np.array(camera.location), lens_mm / SENSOR_MM * size_px, size_px)
