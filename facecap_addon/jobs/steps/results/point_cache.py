"""The point cache of a mesh that follows a sequence of landmarks, and a .blend that plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ....arrays import F32
from ....generate.sequence import LandmarkSequence
from ....generate.solve_weights import PlacedSequence, place_on_character
from ....json_types import Facts
from ....landmarks.layout import mediapipe_of
from ....landmarks.protocol import Landmarker
from ....retarget.options import WarpOptions
from ....retarget.per_frame_warp import warp_per_frame
from ....retarget.warp import make_warp
from ....rig.blendshapes import BlendshapeRig
from ....rig.embedding import landmark_geometry
from ....takes.formats.point_cache import write_point_cache
from ...runtime.progress import Progress, Steps
from ...runtime.threaded_progress import run_threaded
from ..character import CharacterSource, embedding_of

_REPORT_EVERY = 16


class FollowSettings(Protocol):
    """What jobs that move a mesh are asked alike."""

    @property
    def kernel(self) -> str: ...
    @property
    def sigma_mm(self) -> float | None: ...
    @property
    def reach(self) -> float: ...
    @property
    def head(self) -> bool: ...
    @property
    def scale(self) -> bool: ...
    @property
    def each_frame(self) -> bool: ...


def retarget_sequence(
    sequence: LandmarkSequence,
    rig: BlendshapeRig,
    landmarker: Landmarker,
    folder: Path,
    settings: FollowSettings,
    points: Path,
    *,
    start_s: float = 0.0,
) -> Steps[list[str]]:
    """Write the point cache of a mesh that follows a sequence; returns what there is to say.

    Args:
        folder: where landmarks of characters are kept.  settings: of the job that asks for it.
        start_s: time of the sequence's first frame, from the start of the footage.
    """
    embedding = yield from run_threaded(
        "character", lambda on_progress: embedding_of(rig, landmarker, folder, on_progress)
    )
    yield Progress("warp", 0, 1)
    sigma = settings.sigma_mm
    options = WarpOptions(settings.kernel, None if sigma is None else 1e-3 * sigma, settings.reach)
    warp = make_warp(rig.neutral, rig.triangles, embedding, sequence.scheme, options)
    axes = np.asarray(embedding.head_from_rig, np.float64)
    rest = landmark_geometry(rig, embedding)[0][mediapipe_of(sequence.scheme)]
    placed = place_on_character(sequence, rest if settings.scale else sequence.rest)
    count = 0
    total = sequence.frame_count

    def frames() -> Iterator[F32]:
        nonlocal count
        moving = placed.face @ axes[:3, :3]
        shown = warp_per_frame(warp, moving, options) if settings.each_frame else warp.play(moving)
        for frame in shown:
            yield _with_head(frame, placed, count, axes) if settings.head else frame
            count += 1

    def write(on_progress: Callable[[int, int], None]) -> None:
        def told() -> Iterator[F32]:
            for frame in frames():
                if count % _REPORT_EVERY == 0:
                    on_progress(count, total)
                yield frame

        write_point_cache(points, told(), start_s + sequence.time_s, rig.vertex_count, fps=sequence.fps)

    yield from run_threaded("warp", write)
    return [f"{total} frames on {rig.vertex_count} vertices, {len(warp.rows)} of which follow", *warp.remarks]


def request_playing(source: CharacterSource, rig: BlendshapeRig, points: Path, fps: float) -> Facts:
    """What to ask Blender for: a copy of the character's .blend that plays a point cache."""
    request: Facts = {"do": "play_points", "blend": str(source.path.resolve())}
    request["object"] = source.object or rig.name
    return request | {"points": str(points.resolve()), "fps": fps}


def _with_head(frame: F32, placed: PlacedSequence, index: int, axes: NDArray[np.float64]) -> F32:
    """A frame (V, 3), rig space, turned and shifted as the head is."""
    head = frame @ axes[:3, :3].T.astype(np.float32) + axes[:3, 3].astype(np.float32)
    moved = head @ placed.rotation[index].T.astype(np.float32) + placed.shift[index].astype(np.float32)
    return (moved - axes[:3, 3].astype(np.float32)) @ axes[:3, :3].astype(np.float32)
