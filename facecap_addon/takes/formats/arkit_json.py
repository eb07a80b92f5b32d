"""JSON recordings of blend shapes: the layouts in which apps and libraries around ARKit write them.

Read are, each with any spelling of ARKit's names:

- names once and a row of weights per frame, `{"names": […], "frames": [{"time": s, "weights": […]}, …]}`, or a matrix
  beside them, `{"facsNames": […], "weightMat": [[…], …], "exportFps": 60}` as of NVIDIA's Audio2Face;
- frames with names, `[{"timestamp": …, "blendShapes": {"jawOpen": 0.1, …}}, …]`, alone or under `"frames"`, weights
  also as `[{"categoryName": "jawOpen", "score": 0.1}, …]` as of MediaPipe, or beside the time;
- `{"0.0167": {"jawOpen": 0.1, …}, …}`, times as names.

Written is the first, with the head's yaw, pitch and roll as Live Link Face has them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError
from ...rig.channels import arkit_name
from ..take import Take
from .curves import Curves
from .json_file import read_json_file
from .live_link import eye_angles, eye_gaze, head_angles, head_rotation
from .recording import Recording, make_take

KIND = "ARKit JSON"
_NAMES = ("names", "facsnames", "blendshapenames", "blend_shape_keys", "blendshape_names", "keys", "channels")
_ROWS = ("weights", "weightmat", "blend_shape_values", "blendshapevalues", "values")
_FRAMES = ("frames", "data", "keyframes", "recording", "samples", "animation", "blendshapes", "blendshapeframes")
_SHAPES = ("blendshapes", "blend_shapes", "weights", "shapes", "values", "coefficients", "blendshapelocations")
_TIMES = ("time", "timestamp", "t", "time_s", "seconds", "timems", "timestampms", "timecode")
_RATES = ("fps", "exportfps", "framerate", "frame_rate", "samplerate")
_SHAPE_NAME, _SHAPE_VALUE = ("name", "categoryname", "shape", "key"), ("value", "score", "weight", "k")
_DEFAULT_FPS = 60.0
_UNITS = ((1.0, 1.0, ""), (2e3, 1e-3, "milliseconds"), (2e6, 1e-6, "microseconds"), (math.inf, 1e-9, "nanoseconds"))
"""Where a frame takes less than so much, times are in this unit, s."""
_MOST_CHANNELS, _LEAST_ARKIT = 4096, 4


def write_arkit_json(path: Path, curves: Curves, take: Take) -> int:
    """Write curves as JSON, a frame for each that shows a face, at its time.

    Args:
        take: that the curves are of: its head and gaze go along.
    Returns:
        frames written.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    head, eyes = head_angles(take.head_rotation_wxyz), eye_angles(take.gaze_rad)
    frames = [
        {
            "time": round(float(curves.time_s[row]), 9),
            "weights": [_shorten(value) for value in curves.values[row]],
            "head": [round(float(value), 9) for value in head[row]],
            "eyes": [round(float(value), 9) for value in eyes[row]],
        }
        for row in np.flatnonzero(curves.has_face)
    ]
    facts = {"format": "facecap-blendshapes", "version": 1, "names": list(curves.names), "frames": frames}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(facts, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return len(frames)


def read_arkit_json(path: Path, *, fps: float | None = None) -> Take:
    """Read a recording; frames without weights are missing ones.

    Args:
        fps: of frames that have no times, where the file does not say it; None: 60.
    Raises:
        FacecapError: it is none of the layouts above, or its sizes do not fit.
    """
    data = read_json_file(path, KIND)
    notes: list[str] = []
    try:
        rows, times, angles = _read(data)
        channels, weights, has_face = _tabulate(rows)
        known = sum(arkit_name(name) is not None for name in channels)
        if known < min(_LEAST_ARKIT, len(channels)) or not known:
            raise ValueError("it names no blend shapes of ARKit")
        rate = fps or _rate_in(data)
        time_s = _seconds(times, len(rows), rate, notes)
        weights, has_face, time_s, angles = _sort(weights, has_face, time_s, angles, notes)
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.name} is no recording of blend shapes that FaceCap knows: {error}.",
            "Export a CSV of Live Link Face, or JSON with names and weights as docs/exchange.md shows.",
        ) from error
    names = [arkit_name(name) or name for name in channels]
    if len(set(names)) < len(names):
        names = list(channels)
    return make_take(
        Recording(
            path,
            KIND,
            tuple(names),
            weights,
            time_s,
            has_face,
            head_rotation_wxyz=None if angles is None else head_rotation(angles[:, :3]),
            gaze_rad=None if angles is None else eye_gaze(angles[:, 3:]),
            notes=notes,
        )
    )


Row = Mapping[str, float]


def _read(data: Any) -> tuple[list[Row], list[Any] | None, F64 | None]:
    """Weights by name and frame, times as they stand (None where there are none), and (F, 9) angles of ours."""
    if isinstance(data, dict) and isinstance(data.get("result"), dict):
        data = data["result"]
    names = _pick(data, _NAMES)
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        matrix = _pick(data, _ROWS)
        frames = _pick(data, _FRAMES)
        if isinstance(matrix, list):
            times = _pick(data, ("times", "timestamps", "timecodes"))
            return [_zip(names, row) for row in matrix], times if isinstance(times, list) else None, None
        if isinstance(frames, list):
            rows = [_zip(names, _pick(frame, _SHAPES) if isinstance(frame, dict) else frame) for frame in frames]
            return rows, _times_of(frames), _angles_of(frames)
    frames = data if isinstance(data, list) else _pick(data, _FRAMES)
    if isinstance(frames, dict):
        frames = [{"time": key, "blendShapes": value} for key, value in frames.items()]
    if frames is None and isinstance(data, dict) and data and all(isinstance(one, dict) for one in data.values()):
        frames = [{"time": key, "blendShapes": value} for key, value in data.items()]
    if not isinstance(frames, list) or not frames:
        raise ValueError("it holds no frames")
    return [_shapes_of(frame) for frame in frames], _times_of(frames), None


def _pick(data: Any, names: Sequence[str]) -> Any:
    """The first of some keys that an object has, whatever its capitals; None else."""
    if not isinstance(data, dict):
        return None
    here = {str(key).lower(): value for key, value in data.items()}
    return next((here[name] for name in names if name in here), None)


def _zip(names: Sequence[str], row: Any) -> Row:
    if row is None:
        return {}
    if isinstance(row, dict):
        return _shapes_of(row)
    if not isinstance(row, list) or len(row) != len(names):
        count = len(row) if isinstance(row, list) else "no"
        raise ValueError(f"a frame has {count} weights for {len(names)} names")
    return {name: _number(value) for name, value in zip(names, row, strict=True)}


def _shapes_of(frame: Any) -> Row:
    """The weights of one frame, however it has them."""
    found = _pick(frame, _SHAPES)
    if isinstance(found, list):
        pairs = [(_pick(one, _SHAPE_NAME), _pick(one, _SHAPE_VALUE)) for one in found]
        return {name: _number(value) for name, value in pairs if isinstance(name, str)}
    if not isinstance(found, dict):
        found = frame if isinstance(frame, dict) else {}
    skipped = {*_TIMES, "frame", "index"}
    numeric = {name: value for name, value in found.items() if isinstance(value, int | float | str)}
    return {
        name: _number(value) for name, value in numeric.items() if name.lower() not in skipped and _is_number(value)
    }


def _times_of(frames: list[Any]) -> list[Any] | None:
    times = [_pick(frame, _TIMES) for frame in frames]
    return None if all(time is None for time in times) else times


def _angles_of(frames: list[Any]) -> F64 | None:
    """(F, 9) angles of head and eyes, rad, as `write_arkit_json` writes them."""
    parts = [(_pick(frame, ("head",)), _pick(frame, ("eyes",))) for frame in frames]
    if not all(isinstance(a, list) and len(a) == 3 and isinstance(b, list) and len(b) == 6 for a, b in parts):
        return None
    return np.array([[_number(value) for value in (*a, *b)] for a, b in parts], np.float64)


def _tabulate(rows: list[Row]) -> tuple[tuple[str, ...], F64, NDArray[np.bool_]]:
    """Channels in the order in which they appear, (F, K) weights, and (F,) whether a frame has any."""
    names = tuple(dict.fromkeys(name for row in rows for name in row if not name.startswith("_")))
    if not names:
        raise ValueError("no frame has weights")
    if len(names) > _MOST_CHANNELS:
        raise ValueError(f"it has {len(names)} channels")
    place = {name: k for k, name in enumerate(names)}
    weights = np.zeros((len(rows), len(names)))
    for index, row in enumerate(rows):
        for name, value in row.items():
            if name in place:
                weights[index, place[name]] = value
    return names, weights, np.array([bool(row) for row in rows])


def _seconds(times: list[Any] | None, count: int, fps: float | None, notes: list[str]) -> F64:
    """(F,) s, from times in seconds, milli-, micro- or nanoseconds, or frame numbers; NaN where a frame has none."""
    if times is None:
        if fps is None:
            notes.append(f"it has no times; {_DEFAULT_FPS:g} frames per second were taken.")
        return np.arange(count) / (fps or _DEFAULT_FPS)
    if len(times) != count:
        raise ValueError(f"it has {len(times)} times for {count} frames")
    given = np.array([_number(time) if _is_number(time) else math.nan for time in times], np.float64)
    known = np.sort(given[np.isfinite(given)])
    steps = np.diff(known)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if step == 1.0 and not (given % 1).any():
        if fps is None:
            notes.append(f"its times are frame numbers; {_DEFAULT_FPS:g} per second were taken.")
        return given / (fps or _DEFAULT_FPS)
    unit, name = next((unit, name) for limit, unit, name in _UNITS if step < limit)
    if name:
        notes.append(f"its times were read as {name}.")
    return given * unit


def _sort(
    weights: F64, has_face: NDArray[np.bool_], time_s: F64, angles: F64 | None, notes: list[str]
) -> tuple[F64, NDArray[np.bool_], F64, F64 | None]:
    """Rows in the order of their times, the first at zero; those without a time of their own are left out."""
    keep = np.flatnonzero(np.isfinite(time_s))
    if not len(keep):
        raise ValueError("no frame has a time")
    order = keep[np.argsort(time_s[keep], kind="stable")]
    order = order[np.concatenate([[True], np.diff(time_s[order]) > 0])]
    if (np.diff(order) < 0).any():
        notes.append("its frames were not in the order of their times, and were sorted.")
    if len(order) < len(time_s):
        notes.append(f"{len(time_s) - len(order)} frames without a time of their own were left out.")
    start = time_s[order[0]]
    kept = None if angles is None else angles[order]
    return weights[order], has_face[order], time_s[order] - start, kept


def _rate_in(data: Any) -> float | None:
    """Frames per second, where the file says it."""
    for place in (data, _pick(data, ("metadata", "info", "header", "result"))):
        rate = _pick(place, _RATES)
        if rate is not None and _is_number(rate) and 1.0 <= _number(rate) <= 1000.0:
            return _number(rate)
    return None


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _number(value: Any) -> float:
    if not _is_number(value):
        raise ValueError(f"{value!r} stands where a number should")
    return float(value)


def _shorten(value: np.floating[Any]) -> float:
    """As few digits as bring a float32 back."""
    return float(str(np.float32(value)))
