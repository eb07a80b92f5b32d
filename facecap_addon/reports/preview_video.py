"""The preview video: the footage with its landmarks beside the animated head, as the camera would see it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..footage.read import Frame
from ..footage.write import write_video
from ..geometry.camera import centered_camera, scale_camera
from ..images.resample import resize
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import Take
from .head_picture import HeadPicture
from .thumbnails import draw_landmarks

MAX_HEIGHT_PX = 480
_THREADS, _AHEAD = 2, 3
_SAME_TIME_S = 5e-4


def write_preview(
    path: Path,
    frames: Iterable[Frame],
    *,
    take: Take,
    rig: BlendshapeRig,
    head_from_rig: NDArray[np.floating] | None = None,
    min_height_px: int = 0,
) -> Iterator[int]:
    """Write the side-by-side preview frame by frame; the file appears when the iterator is exhausted.

    Left the footage with landmarks, right the head under the solved weights and pose. Frames keep their distance
    in time. Where no face was found the head is neutral, grey and says so. H.264 in yuv420p; MPEG-4 where the H.264
    encoder is missing.

    Args:
        path: the file, usually `<stem>.preview.mp4`.
        frames: the footage of the take, in order; a frame belongs to the take's row of the same time.
        take: what was solved.
        rig: the head; its channels are matched to the take's by name.
        head_from_rig: (4, 4), metres, from rig space to head space (`LandmarkEmbedding.head_from_rig`); None: the
            identity.
        min_height_px: the height of both pictures is that of the footage, held between this and MAX_HEIGHT_PX.
    Yields:
        Frames written so far.
    Raises:
        FacecapError: there are no frames, no video can be encoded, the disk is full, or the folder cannot be written.
    """

    def panels_for(first: Frame) -> _Panels:
        return _Panels(first, take, rig, head_from_rig, min_height_px)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="facecap-preview") as pool:
        yield from write_video(path, _draw_canvases(frames, pool, _RowFinder(take.time_s), panels_for))


def _draw_canvases(
    frames: Iterable[Frame], pool: ThreadPoolExecutor, rows: _RowFinder, panels_for: Callable[[Frame], _Panels]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Both pictures of every frame and its time, in order; a few are drawn at once."""
    panels: _Panels | None = None
    drawn: deque[tuple[float, Future[NDArray[np.uint8]]]] = deque()
    try:
        for frame in frames:
            if panels is None:
                panels = panels_for(frame)
            drawn.append((frame.time_s, pool.submit(panels.draw, frame, rows.row_at(frame.time_s))))
            if len(drawn) > _AHEAD:
                time_s, picture = drawn.popleft()
                yield time_s, picture.result()
        while drawn:
            time_s, picture = drawn.popleft()
            yield time_s, picture.result()
    finally:
        for _, picture in drawn:
            picture.cancel()


class _Panels:
    """Draws the two pictures of a frame side by side; sized after the first frame."""

    def __init__(
        self,
        first: Frame,
        take: Take,
        rig: BlendshapeRig,
        head_from_rig: NDArray[np.floating] | None,
        min_height_px: int,
    ) -> None:
        full_height, full_width = first.image.shape[:2]
        self._take = take
        self._width, self._height = _fit_panel(full_width, full_height, min_height_px)
        self._scale = self._height / full_height
        full = centered_camera(full_width, full_height, _focal_px(take, first))
        panel_camera = scale_camera(full, self._width, self._height)
        self._head = HeadPicture(take, rig, panel_camera, np.eye(4) if head_from_rig is None else head_from_rig)

    def draw(self, frame: Frame, row: int | None) -> NDArray[np.uint8]:
        """(H, 2 W, 3) uint8 RGB."""
        width, height = self._width, self._height
        left = resize(frame.image, (width, height)).copy()
        if row is not None and self._take.status[row] and self._take.landmarks_px.shape[1]:
            shown = (self._take.landmarks_px[row] + 0.5) * (width / frame.image.shape[1], self._scale) - 0.5
            draw_landmarks(left, shown, radius_px=max(0.9, height / 400))
        return np.concatenate([left, self._head.at(row)], axis=1)


def _fit_panel(width: int, height: int, min_height: int) -> tuple[int, int]:
    """Even (width, height) of one panel with the footage's proportions."""
    panel_height = max(2, min(max(height, min_height), MAX_HEIGHT_PX) // 2 * 2)
    return max(2, round(width * panel_height / height / 2) * 2), panel_height


def _focal_px(take: Take, frame: Frame) -> float:
    return take.focal_px if take.focal_px > 0 else float(max(frame.image.shape[:2]))


class _RowFinder:
    """Finds the row of a take for the time of a frame."""

    def __init__(self, time_s: NDArray[np.float64]) -> None:
        self._time_s = time_s

    def row_at(self, time_s: float) -> int | None:
        """The row within half a millisecond of a time; None if the take has none there."""
        after = int(np.searchsorted(self._time_s, time_s))
        near = [row for row in (after - 1, after) if 0 <= row < len(self._time_s)]
        best = min(near, key=lambda row: abs(self._time_s[row] - time_s), default=None)
        return best if best is not None and abs(self._time_s[best] - time_s) <= _SAME_TIME_S else None
