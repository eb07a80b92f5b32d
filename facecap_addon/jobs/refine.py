"""The refine job: a finished solve in, a take refined by deep energies, with its files, out. The solve stays."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..footage.footage import Footage, open_footage
from ..geometry.camera import centered_camera
from ..images.encode import encode_jpeg
from ..json_types import Facts
from ..landmarks.protocol import Landmarker
from ..landmarks.registry import open_landmarker
from ..refine.finished_solve import FinishedSolve
from ..refine.settings import DeepSettings
from ..reports.thumbnails import Thumbnail
from ..rig.duplicate_keys import find_distinct_keys
from ..settings_schema import to_json
from ..takes.duplicate_keys import gather_take, scatter_take
from ..takes.npz import load_take
from ..takes.take import Take
from ..takes.versions import ID, add_id, home_of
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.require_torch import check_torch
from .runtime.stage_timer import StageTimer
from .runtime.threaded_progress import OnProgress, run_threaded_stages
from .settings.edit import ENDING as EDITED
from .settings.filter import ENDING as FILTERED
from .settings.output import OutputSettings
from .settings.refine import ENDING, LIVE_NAME, RefineSettings
from .settings.solve import SolveSettings
from .steps.character import character_source, read_character
from .steps.chunk_store import ChunkFolder
from .steps.content_hash import content_key
from .steps.footage_and_head import compare_footage_and_head
from .steps.frame_access import FrameAccess
from .steps.landmarks import find_landmarks, open_landmark_cache
from .steps.refine_cameras import videos_of
from .steps.results.into_take import REFINED
from .steps.results.outputs import (
    Account,
    OutputFiles,
    check_blend,
    finish,
    make_preview,
    prepare_bake,
    prepare_blend_footage,
    result_of,
    start_blend,
    summary_of,
    write_take,
    write_vertices,
)
from .steps.results.provenance import settings_of
from .steps.results.result import SolveResult

if TYPE_CHECKING:
    from ..refine.refine import RefineResult

FORMAT = 4
"""Raise it when what finished parts hold, or how they are found, changes."""
_SHOWN = 12


def run(settings: RefineSettings, *, blender_hook: BlenderHook | None = None) -> Steps[SolveResult]:
    """Refine a solve.

    Args:
        settings: what to do.  blender_hook: answers requests about .blend files, when this process is Blender's.
    Raises:
        FacecapError: torch is missing, the folder holds no solve, or nothing could be refined.
    """
    check_torch()
    timer = StageTimer()
    with timer.stage("open"):
        yield Progress("open", 0, 1)
        path = take_in(settings)
        take = load_take(path)
        solved_with = settings_of(take, path)
        footage = open_footage(
            solved_with.video,
            start=solved_with.start,
            end=solved_with.end,
            fps=solved_with.fps,
            mirror=solved_with.mirror,
        )
        footage = replace(footage, upside_down=bool(take.provenance.get("upside_down")))
        stem = path.name.removesuffix(".take.npz").removesuffix(ENDING)
        source_files = OutputFiles(home_of(path), stem)
        files = OutputFiles(source_files.out, stem + ENDING)
        landmarker = open_landmarker(
            solved_with.landmarker, threads=_threads_of(settings), model_path=solved_with.landmark_model
        )
        cache = open_landmark_cache(footage, landmarker, source_files.job)
    with timer.stage("landmarks"):
        yield from find_landmarks(footage, landmarker, cache)
        observations = cache.observations()
        if observations.frame_count != take.frame_count:
            raise FacecapError(
                f"{solved_with.video.name} has {observations.frame_count} frames, the solve {take.frame_count}.",
                "Solve it again: the footage has changed since.",
            )
    with timer.stage("character"):
        yield Progress("character", 0, 1)
        output_settings = _choose_outputs(solved_with, settings)
        character = yield from read_character(
            character_source(solved_with.character), output_settings, landmarker, blender_hook, source_files.characters
        )
        source, rig, embedding = character.source, character.rig, character.embedding
        keys = find_distinct_keys(rig)
        solve = FinishedSolve(gather_take(take, keys), observations, keys.rig, embedding)
    key = refinement_key(settings, solve, (*footage.paths, *find_camera_videos(settings)))
    store = ChunkFolder(source_files.job / f"refine-{key}")
    shown = _Pictures(store.folder, source_files.job / LIVE_NAME, take)
    with timer.stage("refine"):
        refined: RefineResult = yield from run_threaded_stages(
            lambda on_progress: _refine(settings, solved_with, solve, footage, landmarker, store, shown, on_progress)
        )
    warnings = [*character.notes, *refined.notes]
    facts = {"from": path.name, "id": take.provenance.get(ID, ""), "settings": to_json(settings)}
    result = scatter_take(refined.take, keys)
    result = add_id(replace(result, provenance={**result.provenance, REFINED: facts}))
    with timer.stage("files"):
        yield Progress("files", 0, 1)
        before = write_take(files, result, settings)
        if settings.point_cache != "none":
            write_vertices(files, result, rig, settings, None, float(footage.frame_rate), embedding.head_from_rig)
    check = None
    if settings.report:
        with timer.stage("check"):
            check = yield from compare_footage_and_head(
                result, rig, embedding, footage, observations, landmarker, warnings, cache.face_in
            )
    account = Account(
        (files.named("summary.json"),),
        files.named("report.html") if settings.report else None,
        result,
        rig,
        shown.thumbnails(),
        f"{solved_with.video.name}, refined",
        lambda: {
            **summary_of(result, timer, warnings, landmarks_reused=True),
            "refinement": _summarise(refined),
        },
        timer,
        check,
    )
    with timer.stage("proxy"):
        picture = yield from prepare_blend_footage(source, output_settings, footage, files, warnings)
    with prepare_bake(source, output_settings, footage, picture, blender_hook, files) as baked:
        asking = None if baked is None else start_blend(baked())
        preview = None
        if settings.preview:
            preview = make_preview(files.named("preview.mp4"), footage, result, rig, embedding)
        summary, failure = yield from finish(
            account, preview, asking, blender=output_settings.blender, warnings=warnings
        )
    store.forget_others()
    has_blend = asking is not None and failure is None
    finished = result_of(files, settings, summary, has_blend=has_blend, before=before)
    check_blend(failure, output_settings.blender)
    return finished


def take_in(settings: RefineSettings) -> Path:
    """The take that is meant. Raises FacecapError if the folder holds no solve, or several."""
    if settings.take is not None:
        return settings.take
    if not settings.folder.is_dir():
        raise FacecapError(f"There is no folder {settings.folder}.", "Name the folder that a solve was written to.")
    every = sorted(settings.folder.glob("*.take.npz"))
    found = [path for path in every if not _is_made_from_another(path)]
    if not found:
        out = (
            "Name the take to refine with --take." if every else "Solve first, then name the folder it was written to."
        )
        raise FacecapError(f"{settings.folder} holds no solve.", out)
    if len(found) > 1:
        raise FacecapError(f"{settings.folder} holds {len(found)} takes.", "Name the one to refine with --take.")
    return found[0]


def _is_made_from_another(path: Path) -> bool:
    """Whether a take was made from a solve, by its name or, where the user named it, by what it says."""
    if path.name.endswith(tuple(f"{ending}.take.npz" for ending in (ENDING, FILTERED, EDITED))):
        return True
    try:
        return not {"filtered", "refined", "edited"}.isdisjoint(load_take(path).provenance)
    except FacecapError:  # a damaged one may be what is meant: it is named when it is read
        return False


class _Pictures:
    """Comparisons of footage and render: the latest for whoever watches, a few for the report."""

    def __init__(self, folder: Path, live: Path, take: Take) -> None:
        self._folder, self._live, self._time_s = folder, live, take.time_s

    def take_in(self, row: int, plate: NDArray[np.float32], render: NDArray[np.float32]) -> None:
        """Show footage, render and both over each other; crops (S, S, 3) in 0..1."""
        three = np.concatenate([plate, render, 0.5 * (plate + render)], axis=1)
        data = encode_jpeg((np.clip(three, 0, 1) * 255).astype(np.uint8))
        for path in (self._live, self._folder / f"compare-{row:07d}.jpg"):
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)

    def thumbnails(self) -> list[Thumbnail]:
        """A few of the comparisons, spread over the take."""
        paths = sorted(self._folder.glob("compare-*.jpg"))
        chosen = np.unique(np.linspace(0, len(paths) - 1, min(_SHOWN, len(paths))).astype(int)) if paths else []
        rows = [(int(paths[i].stem.split("-")[1]), paths[i]) for i in chosen]
        return [Thumbnail(path.read_bytes(), float(self._time_s[row]), row, True) for row, path in rows]


def _refine(
    settings: RefineSettings,
    solved_with: SolveSettings,
    solve: FinishedSolve,
    footage: Footage,
    landmarker: Landmarker,
    store: ChunkFolder,
    shown: _Pictures,
    on_progress: OnProgress,
) -> RefineResult:
    # Here, after check_torch: what needs PyTorch.
    from ..refine.flow.optical_flow import DisFlow, TorchFlow
    from ..refine.networks.landmark_module import open_module
    from ..refine.refine import Callbacks, PictureModels, Refinement
    from ..refine.shots import Shot
    from ..refine.views import first_view
    from ..render.device import device_of, use_threads
    from .steps.refine_cameras import check_first, read_further_shots

    threads = _threads_of(settings)
    use_threads(threads)
    device = device_of(settings.device)
    network = open_module(solved_with.landmarker, solved_with.landmark_model, device)
    flow = TorchFlow(settings.flow_model) if settings.flow_model is not None else DisFlow()
    models, take = PictureModels(network, flow, device, threads), solve.take
    camera = centered_camera(*take.image_size, take.focal_px)
    pictures = FrameAccess(footage)
    shots = [Shot(first_view(camera), take.landmarks_px, pictures, landmarker.region_of_landmarks)]
    closing = [pictures]
    if settings.cameras is not None:
        check_first(settings.cameras, camera)
        more, readers = read_further_shots(settings.cameras, take.time_s, landmarker, on_progress)
        shots += more
        closing += readers
    chosen = DeepSettings(**{item.name: getattr(settings, item.name) for item in fields(DeepSettings)})
    rows = (settings.start or 0, take.frame_count - 1 if settings.end is None else settings.end)
    callbacks = Callbacks(on_progress, shown.take_in)
    try:
        with threadpool_limits(threads, user_api="blas"):
            return Refinement(solve, shots, models, chosen, callbacks, store, rows=rows).run()
    finally:
        for reader in closing:
            reader.close()


def _threads_of(settings: RefineSettings) -> int:
    return settings.threads or os.cpu_count() or 1


def find_camera_videos(settings: RefineSettings) -> tuple[Path, ...]:
    """Videos of the further cameras. Raises FacecapError if their list cannot be read."""
    return () if settings.cameras is None else videos_of(settings.cameras)


def _choose_outputs(solved: SolveSettings, settings: RefineSettings) -> SolveSettings:
    """The solve's settings with the refinement's wishes for files."""
    pose = solved.head_pose if settings.head_pose == "auto" else settings.head_pose
    return replace(
        solved,
        blend=settings.blend and solved.blend,
        blender=settings.blender or solved.blender,
        whole_frames=settings.whole_frames,
        reduce_keys=settings.reduce_keys,
        head_pose=pose,
        head_bone=settings.head_bone or solved.head_bone,
    )


def refinement_key(settings: RefineSettings, solve: FinishedSolve, videos: tuple[Path, ...]) -> str:
    """Changes with everything that finished parts depend on: the solve, the character and its landmarks, what was
    observed, the footage of every camera, and the settings.
    """
    take, observations, rig = solve.take, solve.observations, solve.rig
    facts = to_json(settings)
    for name in ("folder", "take", "threads", *(item.name for item in fields(OutputSettings))):
        facts.pop(name, None)
    facts |= {"format": FORMAT, "channels": rig.channels, "not observed": take.not_observed, "focal": take.focal_px}
    facts |= {"model": observations.model_version, "neutral": take.provenance.get("neutral_index")}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    asked = (settings.cameras, settings.flow_model)
    for path in (*videos, *(path for path in asked if path is not None and path.is_file())):
        digest.update(content_key((path,), {}).encode())
    for holder in (take, observations, rig, rig.jaw, solve.embedding):
        for item in () if holder is None else fields(holder):
            value = getattr(holder, item.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{item.name} {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()[:16]


def _summarise(refined: RefineResult) -> Facts:
    error = refined.error_mm[np.isfinite(refined.error_mm)]
    return {
        "frames_failed": int(refined.failed.sum()),
        "landmark_error_mm": float(np.median(error)) if len(error) else None,
    }
