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

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from ..rig.channels import arkit_name
from .atomic import atomic_path
from .take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

TIMECODE_FPS = 60
_ALL_SIDES = ("Left", "Right")

LIVE_LINK_SHAPES: tuple[str, ...] = (
    *(
        f"Eye{part}{side}"
        for side in _ALL_SIDES
        for part in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
    ),
    *("JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
    *("MouthRight", "MouthLeft"),
    *(f"Mouth{part}{side}" for part in ("Smile", "Frown", "Dimple", "Stretch") for side in _ALL_SIDES),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *(f"Mouth{part}{side}" for part in ("Press", "LowerDown", "UpperUp") for side in _ALL_SIDES),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
LIVE_LINK_ANGLES: tuple[str, ...] = tuple(
    f"{what}{axis}" for what in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")
)
_COLUMNS = ("Timecode", "BlendShapeCount", *LIVE_LINK_SHAPES, *LIVE_LINK_ANGLES)
LIVE_LINK_CHANNELS = tuple(name[0].lower() + name[1:] for name in LIVE_LINK_SHAPES)
_COMMON_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_TIMECODE = re.compile(r"(\d+)[:;](\d+)[:;](\d+)[:;.](\d+(?:\.\d+)?)")

_YAW_PER_LOOK, _PITCH_PER_LOOK = 0.60, 0.56
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


def write_live_link_csv(path: Path, take: Take, *, arkit_names: Mapping[str, str] | None = None) -> LiveLinkExport:
    """Write a take as Live Link Face does.

    The timecode is the frame's time in the footage, true to 1/120000 s whatever the frame rate. Frames without a
    face have no row (the app, too, records nothing then), so a reader sees a gap instead of a false neutral.

    Args:
        path: the file, usually `<stem>.livelink.csv`.
        take: its channels are matched to ARKit's by name, regardless of capitals.
        arkit_names: the ARKit name of each channel that is called otherwise.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    columns = {name.lower(): column for column, name in enumerate(LIVE_LINK_SHAPES)}
    shapes = np.zeros((take.frame_count, len(LIVE_LINK_SHAPES)))
    left_out: list[str] = []
    found: set[int] = set()
    for k, channel in enumerate(take.channels):
        column = columns.get((arkit_names or {}).get(channel, channel).lower())
        if column is None:
            left_out.append(channel)
        else:
            shapes[:, column] = take.weights[:, k]
            found.add(column)
    angles = np.concatenate([head_angles(take.head_rotation_wxyz), eye_angles(take.gaze_rad)], axis=1)
    values = np.nan_to_num(np.concatenate([shapes, angles], axis=1))
    rows = np.flatnonzero(take.solved)
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as stream:
        stream.write(",".join(_COLUMNS) + "\n")
        for row in rows:
            numbers = ",".join(f"{value:.10f}" for value in values[row])
            stream.write(f"{format_timecode(float(take.time_s[row]))},{len(_COLUMNS) - 2},{numbers}\n")
    not_in_take = tuple(name for column, name in enumerate(LIVE_LINK_CHANNELS) if column not in found)
    return LiveLinkExport(len(rows), tuple(left_out), not_in_take)


def read_live_link_csv(path: Path, *, timecode_fps: float | None = None, time_origin_s: float | None = None) -> Take:
    """Read a recording of Live Link Face, or what `write_live_link_csv` wrote.

    Args:
        path: the CSV.
        timecode_fps: frames per second of the timecode; None: the smallest usual rate that its frame numbers fit.
        time_origin_s: the time of day that becomes time 0; None: the first row.
    Returns:
        A take with the 52 ARKit channels, head rotation and gaze; no landmarks, residuals or head position. Rows
        without shapes (BlendShapeCount 0) are missing frames.
    Raises:
        FacecapError: it is no such file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _not_live_link(path, "it is not text") from error
    if not table:
        raise _not_live_link(path, "it is empty")
    header = {name.strip().lower(): column for column, name in enumerate(table[0])}
    missing = [name for name in ("Timecode", *LIVE_LINK_SHAPES) if name.lower() not in header]
    if missing:
        raise _not_live_link(path, f"it has no column {missing[0]}")
    rows = table[1:]
    if not rows:
        raise _not_live_link(path, "it has no rows")
    try:
        values, has_face = _numbers(rows, header)
        time_s = _times([row[header["timecode"]] for row in rows], timecode_fps)
    except (ValueError, IndexError) as error:
        raise _not_live_link(path, str(error)) from error
    shapes, angles = values[:, : len(LIVE_LINK_SHAPES)], values[:, len(LIVE_LINK_SHAPES) :]
    frames = len(rows)
    return Take(
        time_s=time_s - (time_s[0] if time_origin_s is None else time_origin_s),
        channels=LIVE_LINK_CHANNELS,
        weights=np.where(has_face[:, None], shapes, 0.0).astype(np.float32),
        head_rotation_wxyz=head_rotation(angles[:, :3]).astype(np.float32),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=eye_gaze(angles[:, 3:]).astype(np.float32),
        confidence=np.repeat(has_face[:, None], len(REGIONS), axis=1).astype(np.float32),
        regions=REGIONS,
        status=np.where(has_face, STATUS_SOLVED, STATUS_MISSING).astype(np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.full(frames, np.nan, np.float32),
        image_size=(0, 0),
        focal_px=0.0,
        provenance={"source": path.name, "kind": "Live Link Face CSV", "first_timecode": rows[0][header["timecode"]]},
    )


def format_timecode(time_s: float) -> str:
    """HH:MM:SS:FF.fff at 60 frames per second; hours wrap at 24."""
    thousandths = round(max(0.0, float(time_s)) * TIMECODE_FPS * 1000)
    seconds, part = divmod(thousandths, TIMECODE_FPS * 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}:{part // 1000:02d}.{part % 1000:03d}"


def _numbers(rows: list[list[str]], header: dict[str, int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(F, 61) shapes and angles, and (F,) whether there was a face."""
    columns = [header.get(name.lower(), -1) for name in (*LIVE_LINK_SHAPES, *LIVE_LINK_ANGLES)]
    count_column = header.get("blendshapecount", -1)
    values = np.zeros((len(rows), len(columns)))
    has_face = np.ones(len(rows), np.bool_)
    for i, row in enumerate(rows):
        if count_column >= 0 and float(row[count_column] or 0) == 0:
            has_face[i] = False
            continue
        values[i] = [0.0 if column < 0 else float(row[column]) for column in columns]
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite")
    return values, has_face


def _times(timecodes: list[str], timecode_fps: float | None) -> NDArray[np.float64]:
    """(F,) seconds since midnight of the first row's day, from timecodes; midnight may pass."""
    matches = [_TIMECODE.fullmatch(code.strip()) for code in timecodes]
    parts = np.zeros((len(matches), 4))
    for i, match in enumerate(matches):
        if match is None:
            raise ValueError(f"“{timecodes[i]}” is no timecode")
        parts[i] = [float(group) for group in match.groups()]
    if timecode_fps is None:
        whole_seconds = len(np.unique(parts[:, 2])) > 2
        highest = math.floor(float(parts[:, 3].max()))
        # A recording of under two seconds need not show its highest frame number; the app's own rate is 60.
        candidates = _COMMON_RATES if whole_seconds else (TIMECODE_FPS, *_COMMON_RATES)
        timecode_fps = next((rate for rate in candidates if highest < rate), highest + 1)
    time_s = parts @ np.array([3600.0, 60.0, 1.0, 1.0 / timecode_fps])
    days = np.cumsum(np.diff(time_s, prepend=time_s[0]) < -43_200.0)
    time_s = time_s + days * 86_400.0
    if (np.diff(time_s) < 0).any():
        raise ValueError("its timecodes run backwards")
    return time_s


def head_angles(rotation_wxyz: NDArray[np.float32]) -> NDArray[np.float64]:
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


def eye_angles(gaze_rad: NDArray[np.float32]) -> NDArray[np.float64]:
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
        gaze[:, eye, 0] = _YAW_PER_LOOK * (look(to_her_left, side) - look(to_her_right, side))
        gaze[:, eye, 1] = _PITCH_PER_LOOK * (look("Up", side) - look("Down", side))
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
