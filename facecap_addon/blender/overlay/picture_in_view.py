"""Where the footage's picture lies in a 3D view through the solve's camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
from mathutils import Vector

from ..scene.objects import camera_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PictureInView:
    """A picture, its pixels against those of a region.

    Attributes:
        origin: (2,) region px of the picture's upper left corner.  right, down: (2,) region px per picture px.
    """

    origin: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]

    def to_region(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) px of the picture as px of the region."""
        return self.origin + points[:, :1] * self.right + points[:, 1:] * self.down

    def to_picture(self, at: tuple[float, float]) -> NDArray[np.float64]:
        """(2,) px of the picture of a place in the region."""
        import numpy as np

        return np.linalg.solve(np.stack([self.right, self.down], axis=1), np.asarray(at, np.float64) - self.origin)


def solve_camera_of(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera of the scene's solve, if it is there."""
    from ..scene.camera_setup import CAMERA

    camera = scene.objects.get(CAMERA)
    return camera if camera is not None and isinstance(camera.data, bpy.types.Camera) else None


def find_picture(context: bpy.types.Context, size_px: tuple[int, int]) -> PictureInView | None:
    """Where the footage lies in the view of a context; None if that does not look through the solve's camera.

    Args:
        size_px: (width, height) of the footage.
    """
    import numpy as np
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    space, view, region, scene = context.space_data, context.region_data, context.region, context.scene
    camera = None if scene is None else solve_camera_of(scene)
    if (
        scene is None
        or camera is None
        or view is None
        or region is None
        or not isinstance(space, bpy.types.SpaceView3D)
    ):
        return None
    seen = space.camera if space.use_local_camera else scene.camera
    if view.view_perspective != "CAMERA" or seen != camera:
        return None
    rigid = camera.matrix_world.normalized()
    corners = picture_corners(scene, camera, size_px)
    found = [location_3d_to_region_2d(region, view, rigid @ corner) for corner in corners]
    if any(place is None for place in found):
        return None
    lower_left, lower_right, upper_left = (np.array(place, np.float64) for place in found)
    width, height = size_px
    right, down = (lower_right - lower_left) / width, (lower_left - upper_left) / height
    # The centre of the first pixel is at 0.
    return PictureInView(upper_left + 0.5 * (right + down), right, down)


def picture_corners(scene: bpy.types.Scene, camera: bpy.types.Object, size_px: tuple[int, int]) -> list[Vector]:
    """Lower left, lower right and upper left corner of a picture that fills the camera's frame, in its own space."""
    from ..scene.placing import around

    low, high = around(camera_of(camera).view_frame(scene=scene))
    middle, depth = (low + high) / 2, high.z
    half_width, half_height = (high.x - low.x) / 2, (high.y - low.y) / 2
    wide, tall = size_px
    if camera_of(camera).sensor_fit == "VERTICAL":
        half_width = half_height * wide / tall
    else:
        half_height = half_width * tall / wide
    return [
        Vector((middle.x + x * half_width, middle.y + y * half_height, depth)) for x, y in ((-1, -1), (1, -1), (-1, 1))
    ]
