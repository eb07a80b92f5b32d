"""Landmarks of the animated head, as the landmark network sees it: what the footage's are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..footage.read import Frame
from ..geometry.camera import PinholeCamera, scale_camera
from ..landmarks.observations import Observations
from ..landmarks.protocol import Landmarker
from ..landmarks.tracking.face_tracker import IN_FLIGHT
from ..landmarks.tracking.observe import assemble, observe
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import Take
from .head_picture import HeadPicture

HEIGHT_PX = 480
_DRAWN_AT_ONCE = 2


def observe_head(
    take: Take,
    rig: BlendshapeRig,
    head_from_rig: NDArray[np.floating],
    camera: PinholeCamera,
    landmarker: Landmarker,
    rows: Sequence[int] | None = None,
    on_row: Callable[[int, int], None] | None = None,
) -> Observations:
    """Landmarks of the head that a take moves, drawn as the camera of the footage would see it.

    Args:
        take: F rows of weights, jaw and head pose.  rig: the head.
        head_from_rig: (4, 4), metres, from rig space to head space.
        camera: of the footage; the head is drawn 480 px high from the same place.
        landmarker: the network that saw the footage.
        rows: of the take, in order; None: all.
        on_row: called with (rows looked at, rows in all); it may raise to stop.
    Returns:
        One row for each of `rows`, pixels of the drawn picture; without a face where the take has none.
    """
    shown = range(len(take.time_s)) if rows is None else rows
    picture = picture_head(take, rig, head_from_rig, camera)

    def pictures() -> Iterator[Frame]:
        with ThreadPoolExecutor(_DRAWN_AT_ONCE) as pool:
            for first in range(0, len(shown), _DRAWN_AT_ONCE):
                some = shown[first : first + _DRAWN_AT_ONCE]
                for row, drawn in zip(some, pool.map(picture.at, some), strict=True):
                    yield Frame(row, float(take.time_s[row]), drawn)

    seen = []
    # Between rows that are not neighbours the head moves on: what is looked at ahead of time would be looked at again.
    in_flight = IN_FLIGHT if (np.diff(shown) == 1).all() else 0
    for frame in observe(pictures(), landmarker, in_flight=in_flight):
        seen.append(frame)
        if on_row is not None:
            on_row(len(seen), len(shown))
    observations = assemble(seen, landmarker, _drawn_size(camera))
    # Where the footage shows no face the head stands neutral: that is not what the footage shows.
    observations.presence[~take.solved[list(shown)]] = 0.0
    return observations


def picture_head(
    take: Take, rig: BlendshapeRig, head_from_rig: NDArray[np.floating], camera: PinholeCamera
) -> HeadPicture:
    """Pictures of the head as `observe_head` looks at them; arguments as there."""
    return HeadPicture(take, rig, scale_camera(camera, *_drawn_size(camera)), head_from_rig)


def _drawn_size(camera: PinholeCamera) -> tuple[int, int]:
    return round(camera.width_px * HEIGHT_PX / camera.height_px), HEIGHT_PX
