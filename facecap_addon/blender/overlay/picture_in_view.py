"""Where the footage's picture lies in an editor: in a 3D view through the solve's camera, or where it is shown flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

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


def find_picture(context: bpy.types.Context, size_px: tuple[int, int]) -> PictureInView | None:
    """Where the footage lies in the view of a context; None if that does not look through the solve's camera.

    Args:
        size_px: (width, height) of the footage.
    """
    import numpy as np
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    from ..scene.camera_setup import picture_corners, solve_camera

    space, view, region, scene = context.space_data, context.region_data, context.region, context.scene
    camera = None if scene is None else solve_camera(scene)
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


def picture_in_editor(region: bpy.types.Region, size_px: tuple[int, int]) -> PictureInView:
    """Where a picture lies in a Movie Clip or Image Editor, whose own units go from 0 to 1 over it.

    Args:
        size_px: (width, height) of the footage.
    """
    import numpy as np

    low = np.array(region.view2d.region_to_view(0, 0), np.float64)
    high = np.array(region.view2d.region_to_view(region.width, region.height), np.float64)
    px = np.array((region.width, region.height)) / (high - low)  # Blender's way back rounds to whole pixels
    right, down = np.array((px[0] / size_px[0], 0.0)), np.array((0.0, -px[1] / size_px[1]))
    return PictureInView((np.array((0.0, 1.0)) - low) * px + 0.5 * (right + down), right, down)
