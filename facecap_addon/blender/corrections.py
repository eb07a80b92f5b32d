"""The corrections of a scene, as the solve takes them, and the take's landmarks as they are corrected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..errors import FacecapError
from .edits import edited
from .present import settings_of
from .scene.footage import scene_rate
from .scene.shown_take import row_at
from .takes import kept_path, take_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..landmarks.layout import Layout
    from ..takes.corrections import Correction
    from ..takes.take import Take
    from .properties.corrections import FACECAP_PG_correction

_SECANTS, _LEAST_SLOPE = 3, 0.1
_BEGINNING_BYTES = 1 << 16


def corrections_in(scene: bpy.types.Scene) -> list[Correction]:
    """All corrections of a scene's footage, those that are muted included."""
    return [correction_of(entry) for entry in settings_of(scene).corrections.frames if is_of_footage(scene, entry)]


def is_of_footage(scene: bpy.types.Scene, entry: FACECAP_PG_correction) -> bool:
    """Whether a correction is of the footage that the scene has now.

    Cameras call clips the same in every folder, and folders move: a clip of that name elsewhere is another one as long
    as the one that was corrected is where it was; if that is gone, its content says whether it moved here. What was
    corrected in a mirror is not of the footage without one.
    """
    if entry.clip != _clip_of(scene) or entry.mirror != settings_of(scene).solve.mirror:
        return False
    if not entry.clip_path:  # of an earlier version
        return True
    corrected, present = (Path(bpy.path.abspath(path)) for path in (entry.clip_path, settings_of(scene).video))
    if corrected == present:
        return True
    if corrected.exists():
        return corrected.resolve() == present.resolve()
    return not entry.clip_content or entry.clip_content == content_of(present)


def content_of(path: Path) -> str:
    """By what a clip is known again that was moved: its size and how it begins; "" if there is none."""
    try:
        facts = path.stat()
        return _content_of(path, facts.st_size, facts.st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=8)
def _content_of(path: Path, size: int, _modified_ns: int) -> str:
    import zlib

    with path.open("rb") as file:
        return f"{size}:{zlib.crc32(file.read(_BEGINNING_BYTES)):08x}"


def _clip_of(scene: bpy.types.Scene) -> str:
    """The footage's name."""
    return bpy.path.basename(settings_of(scene).video)


def _clip_path_of(scene: bpy.types.Scene) -> str:
    """Where the footage is."""
    video = settings_of(scene).video
    return kept_path(Path(bpy.path.abspath(video))) if video else ""


def write_corrections(scene: bpy.types.Scene, folder: Path, stem: str, *, empty: bool = False) -> Path | None:
    """Write a scene's corrections for the worker; None where there are none, unless `empty`: all were deleted.

    The file is named by what it says: a job that waits must not be given the corrections of the one after it.
    """
    from ..takes.corrections import ENDING, save_corrections, write_json

    listed = corrections_in(scene)
    said = hashlib.sha256(json.dumps(write_json(listed)).encode()).hexdigest()
    path = folder / f"{stem}.{said[:8]}{ENDING}"
    if not listed and not empty:
        return None
    save_corrections(path, listed)
    return path


def correction_of(entry: FACECAP_PG_correction) -> Correction:
    """A correction as the list has it. Raises FacecapError if its data is damaged."""
    from ..errors import UNREADABLE
    from ..takes.corrections import read_json

    try:
        (found,) = read_json(json.loads(entry.data))
    except UNREADABLE as error:
        raise FacecapError(f"A correction is damaged ({error}).", "Delete it and correct the frame again.") from error
    return replace(found, time_s=entry.time_s, reach_s=entry.reach_s, muted=entry.muted)


def put_correction(scene: bpy.types.Scene, correction: Correction) -> FACECAP_PG_correction:
    """Add a correction to a scene's, in place of that of the same frame and kind, and choose it."""
    from ..takes.corrections import write_json

    listed = settings_of(scene).corrections
    entry = find_entry(scene, correction.time_s, pose=bool(correction.pose))
    if entry is None:
        entry = listed.frames.add()
    entry.data = json.dumps(write_json([correction]))
    entry.time_s, entry.reach_s, entry.muted = correction.time_s, correction.reach_s, correction.muted
    entry.summary, entry.clip, entry.clip_path = _summary_of(correction), _clip_of(scene), _clip_path_of(scene)
    entry.mirror = settings_of(scene).solve.mirror
    entry.clip_content = content_of(Path(bpy.path.abspath(settings_of(scene).video)))
    _sort(scene, correction.time_s, entry.data)
    return listed.frames[listed.active]


def find_entry(scene: bpy.types.Scene, time_s: float, *, pose: bool) -> FACECAP_PG_correction | None:
    """The correction of a frame that holds a pose, or that moves landmarks."""
    near = 0.25 / scene_rate(scene)
    for entry in settings_of(scene).corrections.frames:
        near_enough = abs(entry.time_s - time_s) <= near and is_of_footage(scene, entry)
        if near_enough and bool(correction_of(entry).pose) == pose:
            return entry
    return None


def take_of(scene: bpy.types.Scene) -> Take:
    """The take that is corrected. Raises FacecapError if there is none."""
    from ..takes.npz import load_take

    return load_take(take_file(settings_of(scene).result))


def row_of(scene: bpy.types.Scene, take: Take, frame: float) -> int:
    """The row of a take that plays at a scene frame. Raises FacecapError where it does not play there."""
    row = row_at(scene, take, frame)
    if row is None:
        raise FacecapError(f"The take does not play at frame {frame:g}.", "Go to a frame of the take.")
    return row


def layout_in(take: Take) -> Layout:
    """The landmark scheme of a take. Raises FacecapError if it holds no landmarks of a known one."""
    from ..takes.landmark_layout import layout_of_take

    layout = layout_of_take(take)
    if layout is None:
        raise FacecapError("The take holds no landmarks.", "Choose a take that was solved from footage.")
    return layout


def landmarks_at(scene: bpy.types.Scene, take: Take, row: int) -> NDArray[np.float64]:
    """(L, 2) px, the landmarks of a row with what was corrected on that very frame. Raises FacecapError without any."""
    import numpy as np

    points = take.landmarks_px[row].astype(np.float64)
    if not len(points) or not np.isfinite(points).all():
        raise FacecapError("No face was found on this frame.", "Correct a frame beside it.")
    entry = find_entry(scene, float(take.time_s[row]), pose=False)
    if entry is not None and not entry.muted:
        correction = correction_of(entry)
        points[correction.landmarks] += correction.offsets_px
    return points


def move_landmarks(
    scene: bpy.types.Scene, take: Take, row: int, landmarks: NDArray[np.intp], offsets_px: NDArray[np.float64]
) -> None:
    """Move landmarks of a row, on top of what was corrected there before.

    Args:
        landmarks: (N,).  offsets_px: (N, 2) px in the picture.
    """
    import numpy as np

    from ..takes.corrections import Correction

    time_s = float(take.time_s[row])
    before = find_entry(scene, time_s, pose=False)
    moved = np.zeros((take.landmarks_px.shape[1], 2))
    reach_s = settings_of(scene).corrections.reach_s
    if before is not None and not before.muted:
        known = correction_of(before)
        moved[known.landmarks] = known.offsets_px
        reach_s = before.reach_s
    moved[landmarks] += offsets_px
    left = np.flatnonzero(np.abs(moved).max(1) > 0)
    if len(left):
        scheme = layout_in(take).scheme
        put_correction(scene, Correction(time_s, left, moved[left], reach_s=reach_s, scheme=scheme))


def before_edits(
    scene: bpy.types.Scene, character: bpy.types.Object, take: Take, row: int, wanted: Mapping[str, float]
) -> dict[str, float]:
    """Weights that the scene's edits turn into those that are wanted on a row, as near as may be.

    Args:
        wanted: by channel, after edits.
    """
    import numpy as np

    from ..takes.corrections import Correction, hold_poses

    names = [name for name in take.channels if name in wanted]
    columns = [take.channels.index(name) for name in names]
    aim = np.array([wanted[name] for name in names])
    reach_s = settings_of(scene).corrections.reach_s

    def edits_of(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        pose = dict(zip(names, weights.tolist(), strict=True))
        held = hold_poses(take, [Correction(float(take.time_s[row]), pose=pose, reach_s=reach_s)])
        return edited(scene, held, character).weights[row, columns].astype(np.float64)

    # The secant method, each channel for itself: most edits change one channel in proportion.
    last, now = aim, np.where(aim > 0.2, 0.5 * aim, aim + 0.1)
    was, became = edits_of(last), edits_of(now)
    for _ in range(_SECANTS):
        step = now - last
        slope = np.where(np.abs(step) > 1e-6, (became - was) / np.where(step == 0, 1, step), 1.0)
        last, was = now, became
        now = now + (aim - became) / np.maximum(slope, _LEAST_SLOPE)
        became = edits_of(now)
    return dict(zip(names, now.tolist(), strict=True))


def eye_distance(layout: Layout, points: NDArray[np.float64]) -> float:
    """Distance of the outer corners of the eyes among landmarks (L, 2), px."""
    import numpy as np

    return float(np.linalg.norm(points[layout.upper_lid_right[0]] - points[layout.upper_lid_left[0]]))


def _summary_of(correction: Correction) -> str:
    if correction.pose:
        names = sorted(correction.pose)
        return names[0] if len(names) == 1 else f"{names[0]} + {len(names) - 1}"
    return f"{len(correction.landmarks)} landmarks"


def _sort(scene: bpy.types.Scene, time_s: float, data: str) -> None:
    """Bring the list into the order of time, and choose the entry with that data."""
    listed = settings_of(scene).corrections
    times = [entry.time_s for entry in listed.frames]
    for place in range(len(times)):
        first = min(range(place, len(times)), key=lambda i: (times[i], i))
        if first != place:
            listed.frames.move(first, place)
            times.insert(place, times.pop(first))
    listed.active = next(i for i, entry in enumerate(listed.frames) if entry.data == data)
