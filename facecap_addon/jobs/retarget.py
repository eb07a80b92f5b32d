"""The retarget job: moving landmarks in, any mesh that follows them out, as a point cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32
from ..errors import FacecapError
from ..generate.sequence import ENDING, LandmarkSequence, load_sequence
from ..generate.solve_weights import PlacedSequence, place_on_character
from ..geometry.quaternions import FRONT, rotation_of
from ..landmarks.layout import mediapipe_of
from ..landmarks.protocol import Landmarker
from ..landmarks.registry import open_landmarker
from ..retarget.options import WarpOptions
from ..retarget.per_frame_warp import warp_per_frame
from ..retarget.warp import make_warp
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import match_channels
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..settings_schema import to_json
from ..takes.between import between_rows, even_times, frame_rate
from ..takes.names import make_stem
from ..takes.npz import load_take
from ..takes.point_cache import write_point_cache
from ..takes.take import Take
from .runtime.blender_process import BlenderHook, ask_blender
from .runtime.progress import Progress
from .runtime.threaded_progress import run_threaded
from .settings.retarget import RetargetSettings, WarpSettings
from .steps.character import CharacterSource, character_source, characters_in, embedding_of, read_rig, rig_key
from .steps.outputs import check_blend, write_blend

_REPORT_EVERY = 16


@dataclass(frozen=True)
class RetargetResult:
    """A mesh that follows.

    Attributes:
        points: the point cache.  fps: what its frames are counted in.  blend: the .blend that plays it, or None.
        lines: what there is to say.
    """

    points: Path
    fps: float
    blend: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able facts."""
        blend = None if self.blend is None else str(self.blend)
        return {"points": str(self.points), "fps": self.fps, "blend": blend, "lines": list(self.lines)}


def run(
    settings: RetargetSettings, *, blender_hook: BlenderHook | None = None
) -> Generator[Progress, None, RetargetResult]:
    """Retarget.

    Raises:
        FacecapError: the motion or a character cannot be read, or the mesh has too few landmarks.
    """
    yield Progress("open", 0, 1)
    settings.out.mkdir(parents=True, exist_ok=True)
    kept = characters_in(settings.out)
    landmarker = open_landmarker(threads=settings.threads)
    if settings.motion.name.endswith(ENDING):
        sequence, start_s = load_sequence(settings.motion), 0.0
        stem = settings.motion.name.removesuffix(ENDING)
    else:
        take = load_take(settings.motion)
        source = settings.source if settings.source is not None else _named(take)
        theirs, _ = yield from read_rig(
            character_source(source), blender=settings.blender, hook=blender_hook, folder=kept
        )
        embedding = yield from run_threaded("character", lambda _: embedding_of(theirs, landmarker, kept))
        sequence, start_s = sequence_of(take, theirs, embedding), float(take.time_s[0])
        stem = settings.motion.name.removesuffix(".npz").removesuffix(".take")
    target = character_source(settings.character)
    rig, _ = yield from read_rig(target, blender=settings.blender, hook=blender_hook, folder=kept, bare=True)
    said: list[str] = []
    wished = f"{stem}.{rig.name or target.path.stem}"
    stem = make_stem(settings.out, wished, _key(settings, sequence, rig), ("pc2", "mdd", "blend"), said)
    points = settings.out / f"{stem}.{settings.points}"
    lines = yield from retarget_sequence(sequence, rig, landmarker, kept, settings, settings, points, start_s=start_s)
    lines += said
    blend = None
    if settings.blend and target.is_blend:
        blend = yield from play_keys(
            target, rig, points, settings.out / f"{stem}.blend", settings, blender_hook, kept, lines, fps=sequence.fps
        )
    lines += [str(path) for path in (points, blend) if path is not None]
    return RetargetResult(points, sequence.fps, blend, tuple(lines))


def _key(settings: RetargetSettings, sequence: LandmarkSequence, rig: BlendshapeRig) -> str:
    """Changes with everything that changes how the mesh moves."""
    left_out = ("motion", "source", "character", "out", "blend", "blender", "threads")
    facts = {name: value for name, value in to_json(settings).items() if name not in left_out}
    digest = hashlib.sha256(f"{json.dumps(facts, sort_keys=True)} {rig_key(rig)}".encode())
    for array in (sequence.rest, sequence.displacements, sequence.time_s):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:20]


def sequence_of(take: Take, rig: BlendshapeRig, embedding: LandmarkEmbedding) -> LandmarkSequence:
    """What a take does to the landmarks of the character that it was solved on, from the take's first frame on.

    The head turns as it does before a camera that it faces, and moves about the middle of where it was seen.

    Raises FacecapError if the take moves none of the character's keys, or shows no face.
    """
    (columns, rows), _ = match_channels(rig.channels, take.channels)
    if not len(columns) or not take.solved.any():
        raise FacecapError(
            "The take moves none of this character's keys.", "Name the character that it was solved on with --source."
        )
    neutral, deltas = (part.astype(np.float64) for part in landmark_geometry(rig, embedding))
    fps = frame_rate(take)
    at = between_rows(take.time_s, take.solved, even_times(take.time_s, fps))
    face = np.tensordot(at.mixed(take.weights[:, rows]), deltas[columns], axes=1)
    turned = rotation_of(at.mixed_quaternions(take.head_rotation_wxyz)).as_matrix()
    seen = at.mixed(take.head_translation_m)
    shift = (seen - np.median(seen, axis=0)) @ FRONT  # head space: where the camera's axes lie in a head that faces it
    moved = np.einsum("fij,flj->fli", FRONT.T @ turned, neutral + face) + shift[:, None]
    return LandmarkSequence(
        embedding.scheme,
        neutral.astype(np.float32),
        (moved - neutral).astype(np.float32),
        fps,
        str(take.provenance.get("source", "")),
    )


class Following(Protocol):
    """What jobs that move a mesh are asked alike."""

    @property
    def head(self) -> bool: ...
    @property
    def scale(self) -> bool: ...
    @property
    def each_frame(self) -> bool: ...
    @property
    def blender(self) -> Path | None: ...


def retarget_sequence(
    sequence: LandmarkSequence,
    rig: BlendshapeRig,
    landmarker: Landmarker,
    folder: Path,
    warp_settings: WarpSettings,
    settings: Following,
    points: Path,
    *,
    start_s: float = 0.0,
) -> Generator[Progress, None, list[str]]:
    """Write the point cache of a mesh that follows a sequence; returns what there is to say.

    Args:
        folder: where landmarks of characters are kept.  settings: of the job that asks for it.
        start_s: time of the sequence's first frame, from the start of the footage.
    """
    embedding = yield from run_threaded("character", lambda _: embedding_of(rig, landmarker, folder))
    yield Progress("warp", 0, 1)
    sigma = warp_settings.sigma_mm
    options = WarpOptions(warp_settings.kernel, None if sigma is None else 1e-3 * sigma, warp_settings.reach)
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


def play_keys(
    source: CharacterSource,
    rig: BlendshapeRig,
    points: Path,
    blend: Path,
    settings: Following,
    hook: BlenderHook | None,
    folder: Path,
    lines: list[str],
    *,
    fps: float,
) -> Generator[Progress, None, Path | None]:
    """A copy of the character's .blend that plays a point cache; None, and a line that says why, without a Blender."""
    request = {"do": "play_points", "blend": str(source.path.resolve()), "object": source.object or rig.name}
    request |= {"points": str(points.resolve()), "out": str(blend.resolve()), "fps": fps}
    asking = ask_blender(request, blender=settings.blender, hook=hook, folder=folder)
    failure = yield from write_blend(asking, settings.blender, lines)
    check_blend(failure, settings.blender)
    return None if failure else blend


def _with_head(frame: F32, placed: PlacedSequence, index: int, axes: NDArray[np.float64]) -> F32:
    """A frame (V, 3), rig space, turned and shifted as the head is."""
    head = frame @ axes[:3, :3].T.astype(np.float32) + axes[:3, 3].astype(np.float32)
    moved = head @ placed.rotation[index].T.astype(np.float32) + placed.shift[index].astype(np.float32)
    return (moved - axes[:3, 3].astype(np.float32)) @ axes[:3, :3].astype(np.float32)


def _named(take: Take) -> str | None:
    settings = take.provenance.get("settings")
    character = settings.get("character") if isinstance(settings, dict) else None
    return str(character) if character else None
