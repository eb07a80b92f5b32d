"""Further calibrated cameras of a take: a JSON file, as the panel writes it.

    {"first": {"focal_px": 1600.0, "center_px": [959.5, 539.5], "pixel_aspect": 1.0},
     "cameras": [{"video": "left.mp4", "offset_s": 0.04, "from_first": [[…4×4…]], "size_px": [1920, 1080],
                  "focal_px": 1500.0, "center_px": [959.5, 539.5], "pixel_aspect": 1.0}]}

`from_first` takes points from the first camera's space to this one's, metres (x right, y down, z forward). `offset_s`
is the time in this video at which the first one begins. `size_px` is the picture's that the numbers are for, where it
is not the video's own in square pixels. `first` may be left out; where it is given, it must be the solve's camera.
Lens distortion (`distortion`, coefficients such as `k1`) that is not 0 is refused: renders are a pinhole's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UNREADABLE, FacecapError
from ...footage.footage import open_footage
from ...footage.read import read_frames
from ...geometry.camera import PinholeCamera, scale_camera
from ...landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ...landmarks.tracking.observe import FrameObservation, observe
from ...takes.take import usual_step_s
from ..runtime.progress import REPORT_EVERY
from .frame_access import FrameAccess

if TYPE_CHECKING:
    from ...refine.shots import Shot

MOST_CAMERAS = 16
# Cameras that differ by no more than this part of their focal length or their picture are the same.
_SAME = 0.01
# What tools that calibrate cameras call distortion: OpenCV's, Blender's and other people's names.
_DISTORTION = re.compile(r"dist(ort\w*|_?coeff\w*)|(\w+_)?[kp][1-6]")


def read_further_shots(
    path: Path, time_s: NDArray[np.float64], landmarker: Landmarker, on_progress: Callable[[str, int, int], None]
) -> tuple[list[Shot], list[FrameAccess]]:
    """Read the file, find the faces in its videos, and match their frames to the take's in time.

    Args:
        time_s: (F,) of the take.  on_progress: called with (stage, done, total).
    Returns:
        the shots, and the readers to close afterwards.
    Raises:
        FacecapError: the file cannot be read, or a video cannot.
    """
    # These need PyTorch.
    from ...refine.shots import Shot
    from ...refine.views import View

    shots: list[Shot] = []
    readers: list[FrameAccess] = []
    for facts in _read(path):
        footage = open_footage(_video_of(path, facts))
        view = read_view(path, facts, footage.size_px)
        offset_s = float(facts.get("offset_s", 0.0))
        found: list[FrameObservation] = []
        total = footage.expected_frame_count
        for seen in observe(read_frames(footage), landmarker):
            found.append(seen)
            if len(found) % REPORT_EVERY == 0:
                on_progress("landmarks", len(found), max(total, len(found)))
        times = np.array([seen.time_s for seen in found]) - offset_s
        nearest = np.abs(times[None] - time_s[:, None]).argmin(1)
        step = usual_step_s(times) or 1 / 25
        apart = np.abs(times[nearest] - time_s) > 0.51 * step
        landmarks = np.stack([found[i].landmarks_px for i in nearest]).astype(np.float32)
        absent = np.array([found[i].presence < PRESENCE_THRESHOLD for i in nearest]) | apart
        landmarks[absent] = np.nan
        reader = FrameAccess(footage)
        readers.append(reader)
        shots.append(Shot(View(*view), landmarks, _Matched(reader, nearest), landmarker.region_of_landmarks))
    return shots, readers


def check_first(path: Path, camera: PinholeCamera) -> None:
    """Refuse a list of cameras whose first one is not the camera of the solve: the others' places would be wrong.

    Args:
        camera: the solve's.
    Raises:
        FacecapError: it is another one, or the list cannot be read.
    """
    facts = _load(path).get("first")
    if facts is None:
        return
    size = (camera.width_px, camera.height_px)
    first = _read_pinhole(path, facts, size) if isinstance(facts, dict) else None
    if first is None:
        raise FacecapError(f"{path.name}: the first camera is no camera.", "Write it again from the panel.")
    shift = max(abs(a - b) for a, b in zip(first.center_px, camera.center_px, strict=True))
    if shift > _SAME * max(size) or abs(first.pixel_aspect - 1) > _SAME:
        raise FacecapError(
            "The first camera has a lens shift or pixels that are not square, which a solve knows nothing of.",
            "Set the shift to 0 and the pixel aspect to 1, place the other cameras for that, and refine again.",
        )
    if abs(first.focal_px / camera.focal_px - 1) > _SAME:
        raise FacecapError(
            f"The first camera's focal length is {first.focal_px:.0f} px, the solve took {camera.focal_px:.0f} px.",
            f"Solve with the camera's own focal length, {first.focal_px:.0f} px, then refine.",
        )


def read_view(path: Path, facts: dict[str, Any], size_px: tuple[int, int]) -> tuple[PinholeCamera, NDArray[np.float64]]:
    """A camera, and (4, 4) m its space from the first one's."""
    try:
        from_first = np.array(facts["from_first"], np.float64).reshape(4, 4)
        offset_s = float(facts.get("offset_s", 0.0))
    except UNREADABLE as error:
        raise _incomplete(path, error) from error
    turn = from_first[:3, :3]
    rigid = np.allclose(turn @ turn.T, np.eye(3), atol=1e-3) and np.linalg.det(turn) > 0
    if not rigid or not np.isfinite(from_first).all() or not np.allclose(from_first[3], [0, 0, 0, 1]):
        raise FacecapError(f"{path.name}: a camera's place is no rigid one.", "Write it again from the panel.")
    if not np.isfinite(offset_s):
        raise FacecapError(f"{path.name}: a camera begins at no time.", "Write it again from the panel.")
    return _read_pinhole(path, facts, size_px), from_first


def _read_pinhole(path: Path, facts: dict[str, Any], size_px: tuple[int, int]) -> PinholeCamera:
    """A camera's lens, for a picture of some size."""
    if any(_DISTORTION.fullmatch(name) and _is_not_zero(value) for name, value in facts.items()):
        raise FacecapError(
            f"{path.name}: a camera's lens distorts, and refining compares pictures as a pinhole sees them.",
            "Undistort that camera's footage first, with the same calibration, and leave the distortion out.",
        )
    try:
        width, height = (int(v) for v in facts.get("size_px", size_px))
        x, y = (float(v) for v in facts.get("center_px", ((width - 1) / 2, (height - 1) / 2)))
        camera = PinholeCamera(width, height, float(facts["focal_px"]), (x, y), float(facts.get("pixel_aspect", 1.0)))
    except UNREADABLE as error:
        raise _incomplete(path, error) from error
    sane = 0 < camera.focal_px < 1e7 and 0.1 < camera.pixel_aspect < 10 and width > 0 and height > 0
    if not sane or not np.isfinite(camera.center_px).all():
        raise FacecapError(f"{path.name}: a camera's lens is none.", "Write it again from the panel.")
    return scale_camera(camera, *size_px)


def _is_not_zero(value: object) -> bool:
    """Whether a coefficient, or any of several, is another number than 0; names of models are none."""
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_is_not_zero, value)) if isinstance(value, list) else isinstance(value, (int, float)) and value != 0


def _incomplete(path: Path, error: Exception) -> FacecapError:
    return FacecapError(f"{path.name}: a camera is incomplete ({error}).", "Write it again from the panel.")


class _Matched:
    """Pictures of one video by the rows of another."""

    def __init__(self, reader: FrameAccess, nearest: NDArray[np.intp]) -> None:
        self._reader, self._nearest = reader, nearest

    def __call__(self, row: int) -> NDArray[np.uint8]:
        return self._reader(int(self._nearest[row]))


def videos_of(path: Path) -> tuple[Path, ...]:
    """The files of the further cameras' footage. Raises FacecapError if the list cannot be read."""
    return tuple(file for facts in _read(path) for file in open_footage(_video_of(path, facts)).paths)


def _video_of(path: Path, facts: dict[str, Any]) -> Path:
    video = Path(str(facts["video"]))
    return video if video.is_absolute() else path.parent / video


def _read(path: Path) -> list[dict[str, Any]]:
    cameras = _load(path)["cameras"]
    if len(cameras) > MOST_CAMERAS:
        raise FacecapError(f"{path.name} lists {len(cameras)} cameras.", f"Use at most {MOST_CAMERAS}.")
    return cameras


def _load(path: Path) -> dict[str, Any]:
    """The file's contents, with a list of cameras in it."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        cameras = found["cameras"]
        if not isinstance(cameras, list) or not all(isinstance(c, dict) and "video" in c for c in cameras):
            raise ValueError("it lists no cameras")
    except UNREADABLE as error:
        raise FacecapError(f"{path.name} cannot be read as a list of cameras ({error}).", "Write it again.") from error
    return found
