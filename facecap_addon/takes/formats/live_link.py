"""The CSV that Live Link Face exports: 52 ARKit shapes and nine angles per row, stamped with a timecode.

Angles are radians, yaw applied first, then pitch, then roll, and positive when the character turns to her right,
looks down, and tilts to her left shoulder: ARKit's angles with yaw and roll negated, as for a left-handed engine. Head
angles are those of the head seen from the camera, zero when it faces the camera; eye angles are relative to the head.

In recorded takes the eyes' yaw rises by 0.60 rad per unit of `EyeLookInLeft` and of `EyeLookOutRight`, their pitch by
0.56 rad per unit of `EyeLookDown`, and their roll is atan(sin yaw · tan pitch) to seven digits. The head follows the
eyes in the same signs; its roll, which no shape confirms, is taken to be negated together with its yaw.

Timecodes are HH:MM:SS:FF.fff, FF whole frames at 60 per second and fff thousandths of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...rig.channels import arkit_name, pair_side
from ..take import Take
from .live_link_columns import LIVE_LINK_ANGLES as LIVE_LINK_ANGLES
from .live_link_columns import LIVE_LINK_CHANNELS as LIVE_LINK_CHANNELS
from .live_link_columns import LIVE_LINK_COLUMNS, TIMECODE_FPS
from .live_link_columns import LIVE_LINK_SHAPES as LIVE_LINK_SHAPES
from .live_link_rows import performance_of
from .recording import Recording, make_take
from .spreadsheet import read_spreadsheet

YAW_PER_LOOK, PITCH_PER_LOOK = 0.60, 0.56

# Yaw, pitch and roll of the file from ARKit's right-handed ones.
_SIGNS = np.array([-1.0, 1.0, -1.0])

# ARKit's axes (x to the character's left, y up, z out of the face) from ours: camera (x right, y down, z forward)
# and head (x left, y back, z up).
_ARKIT_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
_HEAD_FROM_ARKIT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class LiveLinkExport:
    """What was written.

    Attributes:
        rows: frames written; missing ones have no row.
        left_out: channels of the take that the 52 ARKit shapes do not include.
        not_in_take: ARKit shapes that the take does not have; their columns are zero.
    """

    rows: int
    left_out: tuple[str, ...]
    not_in_take: tuple[str, ...]


def write_live_link_csv(
    path: Path, take: Take, *, arkit_names: Mapping[str, str] | None = None, start_s: float = 0.0
) -> LiveLinkExport:
    """Write a take as Live Link Face does.

    The timecode is the frame's time in the footage, true to 1/120000 s whatever the frame rate. Frames without a
    face have no row (the app, too, records nothing then), so a reader sees a gap instead of a false neutral.

    Args:
        path: the file, usually `<stem>.livelink.csv`.
        take: its channels are matched to ARKit's by name, regardless of capitals.
        arkit_names: the ARKit name of each channel that is called otherwise.
        start_s: time of the day at the take's time 0.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    columns = {name.lower(): column for column, name in enumerate(LIVE_LINK_SHAPES)}
    shapes = np.zeros((take.frame_count, len(LIVE_LINK_SHAPES)))
    left_out: list[str] = []
    keys_of: dict[int, dict[str | None, list[int]]] = {}
    for k, channel in enumerate(take.channels):
        column = columns.get((arkit_names or {}).get(channel, channel).lower())
        if column is None:
            left_out.append(channel)
        else:
            keys_of.setdefault(column, {}).setdefault(pair_side(channel), []).append(k)
    for column, sides in keys_of.items():  # keys that do the same share a weight; halves of a pair have one each
        halves = [take.weights[:, keys].sum(axis=1) for side, keys in sides.items() if side is not None]
        shapes[:, column] = take.weights[:, sides.get(None, [])].sum(axis=1) + (
            np.mean(halves, axis=0) if halves else 0
        )
    angles = np.concatenate([head_angles(take.head_rotation_wxyz), eye_angles(take.gaze_rad)], axis=1)
    values = np.nan_to_num(np.concatenate([shapes, angles], axis=1))
    rows = np.flatnonzero(take.solved)
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as stream:
        stream.write(",".join(LIVE_LINK_COLUMNS) + "\n")
        for row in rows:
            numbers = ",".join(f"{value:.10f}" for value in values[row])
            stream.write(
                f"{format_timecode(start_s + float(take.time_s[row]))},{len(LIVE_LINK_COLUMNS) - 2},{numbers}\n"
            )
    not_in_take = tuple(name for column, name in enumerate(LIVE_LINK_CHANNELS) if column not in keys_of)
    return LiveLinkExport(len(rows), tuple(left_out), not_in_take)


def read_live_link_csv(path: Path, *, timecode_fps: float | None = None, time_origin_s: float | None = None) -> Take:
    """Read a recording of Live Link Face, or what `write_live_link_csv` wrote, whatever program saved it since.

    What can be read is read: rows that are cut off, or whose timecode cannot be, are left out, single cells without a
    number are bent over, a column that is missing gives no channel. `provenance["notes"]` says so in sentences.

    Args:
        path: the CSV.
        timecode_fps: frames per second of the timecode; None: the smallest usual rate that its frame numbers fit.
        time_origin_s: the time of day that becomes time 0; None: the first row.
    Returns:
        A take with the ARKit channels of the file, head rotation and gaze; no landmarks, residuals or head position.
        Rows without shapes (BlendShapeCount 0, or nothing but empty cells) are missing frames.
    Raises:
        FacecapError: it is no such file, or no row of it can be read.
    """
    try:
        table = read_spreadsheet(path)
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        reason = "it is not text" if isinstance(error, (OSError, UnicodeDecodeError)) else str(error)
        raise _not_live_link(path, reason) from error
    try:
        found = performance_of(table, timecode_fps)
    except ValueError as error:
        raise _not_live_link(path, str(error)) from error
    start_s = found.time_s[0] if time_origin_s is None else time_origin_s
    recording = Recording(
        path,
        "Live Link Face CSV",
        tuple(LIVE_LINK_CHANNELS[column] for column in found.columns),
        found.shapes,
        found.time_s - start_s,
        found.has_face,
        head_rotation_wxyz=head_rotation(found.angles[:, :3]),
        gaze_rad=eye_gaze(found.angles[:, 3:]),
        notes=found.notes,
        facts={"first_timecode": found.first_timecode},
    )
    return make_take(recording)


def format_timecode(time_s: float) -> str:
    """HH:MM:SS:FF.fff at 60 frames per second; hours wrap at 24."""
    thousandths = round(max(0.0, float(time_s)) * TIMECODE_FPS * 1000)
    seconds, part = divmod(thousandths, TIMECODE_FPS * 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}:{part // 1000:02d}.{part % 1000:03d}"


def head_angles(rotation_wxyz: NDArray[np.floating]) -> NDArray[np.float64]:
    """(F, 3) yaw, pitch, roll in radians from (F, 4) quaternions camera from head."""
    rotation = _ARKIT_FROM_CAMERA @ _matrices(rotation_wxyz.astype(np.float64)) @ _HEAD_FROM_ARKIT
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1.0, 1.0))
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.asarray(np.stack([yaw, pitch, roll], axis=1) * _SIGNS, dtype=np.float64)


def head_rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 4) unit quaternions camera from head; the inverse of `head_angles`."""
    halves = (angles * _SIGNS).T / 2
    (sy, sp, sr), (cy, cp, cr) = np.sin(halves), np.cos(halves)
    # Product of the turns about y, x and z, then the constant turn between ARKit's axes and ours.
    arkit = np.stack(
        [
            cy * cp * cr + sy * sp * sr,
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
            cy * cp * sr - sy * sp * cr,
        ],
        axis=1,
    )
    # camera_from_arkit is a half turn about x: (0, 1, 0, 0); arkit_from_head a quarter turn about −x.
    w, x, y, z = arkit.T
    turned = np.stack([-x, w, -z, y], axis=1)
    half = math.sqrt(0.5)
    w, x, y, z = turned.T
    result = half * np.stack([w + x, x - w, y - z, z + y], axis=1)
    return np.where(result[:, :1] < 0, -result, result)


def eye_angles(gaze_rad: NDArray[np.floating]) -> NDArray[np.float64]:
    """(F, 6) yaw, pitch, roll of the left and the right eye from (F, 2, 2) (right, left) × (yaw left, pitch up)."""
    gaze = gaze_rad.astype(np.float64)[:, ::-1]
    yaw, pitch = -gaze[..., 0], -gaze[..., 1]
    roll = np.arctan(np.sin(yaw) * np.tan(pitch))
    return np.stack([yaw, pitch, roll], axis=2).reshape(len(gaze), 6)


def eye_gaze(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 2, 2) gaze, see `Take`, of (F, 6) angles; the inverse of `eye_angles`."""
    return -angles[:, [[3, 4], [0, 1]]]


def look_gaze(channels: tuple[str, ...], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Gaze that keys of looking stand for, as in recorded takes; zero where there are none.

    Args:
        channels: K names.  weights: (F, K).
    Returns:
        (F, 2, 2) rad, (right, left) × (yaw left, pitch up), see `Take`.
    """
    place = {arkit_name(name): k for k, name in enumerate(channels)}

    def look(way: str, side: str) -> NDArray[np.float64]:
        k = place.get(f"eyeLook{way}{side}")
        return np.zeros(len(weights)) if k is None else np.asarray(weights[:, k], np.float64)

    gaze = np.zeros((len(weights), 2, 2))
    for eye, (side, to_her_left, to_her_right) in enumerate((("Right", "In", "Out"), ("Left", "Out", "In"))):
        gaze[:, eye, 0] = YAW_PER_LOOK * (look(to_her_left, side) - look(to_her_right, side))
        gaze[:, eye, 1] = PITCH_PER_LOOK * (look("Up", side) - look("Down", side))
    return gaze


def _matrices(wxyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 3, 3) rotation matrices from (F, 4) quaternions of any length; zero ones give the identity."""
    length = np.linalg.norm(wxyz, axis=1, keepdims=True)
    wxyz = np.where(length > 0, wxyz / np.where(length > 0, length, 1.0), [1.0, 0.0, 0.0, 0.0])
    w, x, y, z = wxyz.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _not_live_link(path: Path, reason: str) -> FacecapError:
    return FacecapError(
        f"{path.name} is not a Live Link Face recording: {reason}.", "Choose the CSV that the app exported."
    )
