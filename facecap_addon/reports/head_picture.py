"""The animated head as the camera of the footage would see it, one frame at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import PinholeCamera, project
from ..geometry.poses import pose_matrices
from ..geometry.raster import rasterise, shade
from ..images.draw import draw_text, text_width
from ..images.resample import to_grey
from ..rig.blendshapes import BlendshapeRig
from ..rig.jaw_bone import move_jaw
from ..takes.take import Take

_BACKGROUND_TOP, _BACKGROUND_BOTTOM = (58, 61, 67), (34, 36, 40)
_NEAREST_M = 0.02
_LABEL = "no face"


class HeadPicture:
    """Draws the head of a take.

    Args:
        take: weights, jaw and head pose.
        rig: the head.
        camera: camera of the picture to draw.
        head_from_rig: (4, 4) from rig space to head space.
    """

    def __init__(
        self, take: Take, rig: BlendshapeRig, camera: PinholeCamera, head_from_rig: NDArray[np.floating]
    ) -> None:
        self._take, self._rig, self._camera = take, rig, camera
        self._head_from_rig = np.asarray(head_from_rig, np.float64)
        column_of = {name: k for k, name in enumerate(take.channels)}
        shared = [(column_of[name], k) for k, name in enumerate(rig.channels) if name in column_of]
        self._take_columns = np.array([column for column, _ in shared], np.int64)
        used = rig.deltas[[k for _, k in shared]] if len(shared) < len(rig.channels) else rig.deltas
        self._deltas = used.reshape(len(used), -1)
        # What faces away is hidden in a closed mesh; one that is inside out is drawn whole.
        self._outside_out = _signed_volume(rig) > 0
        solved = np.flatnonzero(take.solved)
        self._solved_rows = solved
        shade_rows = np.linspace(0.0, 1.0, camera.height_px)[:, None, None]
        column = np.array(_BACKGROUND_TOP) * (1 - shade_rows) + np.array(_BACKGROUND_BOTTOM) * shade_rows
        self._background = np.repeat(column.round().astype(np.uint8), camera.width_px, axis=1)

    def at(self, row: int | None) -> NDArray[np.uint8]:
        """The picture for a row of the take; None or a missing row: the neutral head, grey, in the last known pose.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        found = row is not None and bool(self._take.solved[row])
        weights = self._take.weights[row, self._take_columns] if found and row is not None else None
        picture = self._background.copy()
        pose_row = row if found else self._find_nearest_solved(row)
        if pose_row is not None:
            self._draw(picture, self._vertices(weights, pose_row), pose_row)
        return picture if found else _fade_to_grey(picture)

    def _vertices(self, weights: NDArray[np.float32] | None, row: int) -> NDArray[np.float32]:
        if weights is None:
            return self._rig.neutral
        shown = self._rig.neutral
        if len(weights):
            shown = shown + (weights @ self._deltas).reshape(-1, 3)
        return move_jaw(self._rig, shown, self._take.jaw[row], self._head_from_rig)

    def _find_nearest_solved(self, row: int | None) -> int | None:
        """The last solved row before a missing one, else the first after it."""
        if not len(self._solved_rows):
            return None
        before = int(np.searchsorted(self._solved_rows, 0 if row is None else row)) - 1
        return int(self._solved_rows[max(0, before)])

    def _draw(self, picture: NDArray[np.uint8], vertices: NDArray[np.float32], row: int) -> None:
        take = self._take
        camera_from_head = pose_matrices(take.head_rotation_wxyz[row, None], take.head_translation_m[row, None])[0]
        camera_from_rig = (camera_from_head @ self._head_from_rig).astype(np.float32)
        points = vertices @ camera_from_rig[:3, :3].T + camera_from_rig[:3, 3]
        if points[:, 2].min() < _NEAREST_M:
            return  # The head reaches behind the camera; there is nothing sensible to draw.
        points_px = project(points.astype(np.float64), self._camera).astype(np.float32)
        # Only the rectangle around the head is rasterised.
        low = np.clip(np.floor(points_px.min(axis=0)), 0, (self._camera.width_px, self._camera.height_px)).astype(int)
        high = np.clip(np.ceil(points_px.max(axis=0)) + 1, 0, (self._camera.width_px, self._camera.height_px))
        width, height = (high.astype(int) - low).tolist()
        if width <= 0 or height <= 0:
            return
        inside = points_px - low.astype(np.float32)
        fragments = rasterise(
            inside,
            np.ascontiguousarray(points[:, 2]),
            self._rig.triangles,
            width,
            height,
            cull_back_faces=self._outside_out,
        )
        shaded = shade(fragments, points, self._rig.triangles, self._rig.colors)
        window = picture[low[1] : low[1] + height, low[0] : low[0] + width]
        covered = (fragments.triangle >= 0)[..., None]
        np.copyto(window, shaded, where=covered)


def _signed_volume(rig: BlendshapeRig) -> float:
    """Volume that the mesh encloses, m^3; negative if its faces look inward."""
    a, b, c = (rig.neutral[rig.triangles[:, k]].astype(np.float64) for k in range(3))
    middle = rig.neutral.mean(axis=0)
    return float(np.einsum("ij,ij->", a - middle, np.cross(b - middle, c - middle))) / 6


def _fade_to_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = to_grey(picture)
    faded = np.repeat((grey * 0.45 + 22).astype(np.uint8)[..., None], 3, axis=2)
    height, width = grey.shape
    size = max(10.0, height / 25)
    place = ((width - text_width(_LABEL, size)) / 2, height - round(height * 0.06))
    draw_text(faded, place, _LABEL, size, (205, 205, 205))
    return faded
