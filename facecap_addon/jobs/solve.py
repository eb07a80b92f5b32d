"""The solve job: footage in; a take, a Live Link CSV, a report, a preview and a .blend out."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..fit.actor.identity import check_scheme
from ..fit.contact_pass import ContactPass
from ..fit.settings import FitSettings
from ..fit.solve import solve_take
from ..footage.footage import Footage, open_footage
from ..footage.position import TIME_TOLERANCE_S
from ..geometry.camera import focal_px_from_lens
from ..landmarks.observations import Observations
from ..landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ..landmarks.registry import open_landmarker
from ..landmarks.tracking.upright import stand_upright
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding
from ..settings_schema import to_json
from ..takes.actor import Actor
from ..takes.corrections import Correction, about_frames, add_corrections, corrections_of, hold_poses
from ..takes.duplicate_keys import scatter_take
from ..takes.merge import rows_of
from ..takes.names import Origin
from ..takes.take import Take
from ..takes.versions import add_id
from .refine import run as refine
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.require_torch import check_torch
from .runtime.stage_timer import StageTimer
from .runtime.threaded_progress import run_threaded
from .settings.output import OutputSettings
from .settings.refine import RefineSettings
from .settings.solve import SolveSettings
from .solve_trained import (
    Vertices,
    choose_keys_to_solve,
    is_trained,
    no_face_in,
    observe_with_solver,
    solve_expressions,
    take_from,
)
from .steps.actor import read_actor
from .steps.character import CharacterSource, character_source, read_character, response_of
from .steps.content_hash import content_key
from .steps.footage_and_head import compare_footage_and_head
from .steps.landmark_cache import LandmarkCache
from .steps.landmarks import find_landmarks, open_landmark_cache
from .steps.results.into_take import (
    REFINED,
    add_to_refined,
    find_base,
    find_rows,
    merge_into,
    near_spans,
    read_corrections,
    settings_as_filmed,
)
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
from .steps.results.provenance import add_provenance
from .steps.results.result import SolveResult
from .steps.results.stem import claim_stem_of


def run(settings: SolveSettings, *, blender_hook: BlenderHook | None = None) -> Steps[SolveResult]:
    """Solve footage.

    Args:
        settings: what to do.
        blender_hook: answers requests about .blend files, when this process is Blender's.
    Raises:
        NoFaceError: no frame shows a face.  FacecapError: anything else the user can mend.
    """
    if settings.method == "deep":
        check_torch()
    timer = StageTimer()
    with timer.stage("open"):
        yield Progress("open", 0, 1)
        footage = _open_footage(settings)
        source = character_source(settings.character)
        actor = None if settings.actor is None else read_actor(settings.actor)
        landmarker = open_landmarker(settings.landmarker, threads=settings.threads, model_path=settings.landmark_model)
        if actor is not None:
            check_scheme(actor, landmarker.scheme)
        ranged = stand_upright(footage, landmarker)
        origin = Origin(str(settings.video.resolve()), content_key(footage.paths, {}))
        files, note = _prepare(settings, footage, source, origin)
        settings, corrected = read_corrections(settings, files.named("take.npz"))
        if corrected.spans:
            ranged = replace(_open_footage(settings), upside_down=ranged.upside_down)
        # A range goes into the take that is there: with the take's neutral, camera and frames around it.
        base, alone = find_base(settings, ranged, files.named("take.npz"), origin, always=bool(corrected.spans))
        footage, chosen = ranged, settings
        if base is not None:
            footage, chosen = base.footage, settings_as_filmed(base)
            ranged = replace(ranged, upside_down=footage.upside_down)
    warnings = [*ranged.notes, *filter(None, (note, alone))]

    # Before the landmarks, which take longer: a character that cannot be solved or keyed is refused at once.
    with timer.stage("character"):
        yield Progress("character", 0, 1)
        character = yield from read_character(source, settings, landmarker, blender_hook, files.characters)
        source, rig, embedding = character.source, character.rig, character.embedding
        keys = choose_keys_to_solve(settings.method, rig)
    warnings += character.notes
    trained = is_trained(settings.method)
    cache = open_landmark_cache(footage, landmarker, files.job)
    reused = cache.complete
    observations: Observations | None = None
    rows: NDArray[np.bool_] | None = None
    if settings.head or not trained:
        with timer.stage("landmarks"):
            yield from find_landmarks(footage, landmarker, cache)
            observations = cache.observations()
        warnings += [*cache.facts().notes, *_note_other_faces(cache)]
        rows = find_rows(ranged, observations) & near_spans(observations.time_s, corrected.spans)
        if not (observations.presence[rows] >= PRESENCE_THRESHOLD).any():
            raise no_face_in(settings.video, int(rows.sum()))

    vertices: Vertices | None = None
    refined_part: Take | None = None
    with timer.stage("proxy"):
        shown = yield from prepare_blend_footage(source, settings, footage, files, warnings)
    # Blender starts and opens the character on another core while the fit runs.
    with prepare_bake(source, settings, footage, shown, blender_hook, files) as baked:
        if trained:
            with timer.stage("solve"):
                seen = None if observations is None or rows is None else observations.part(rows)
                contact = ContactPass(keys.rig, embedding) if settings.contact else None
                found = yield from solve_expressions(chosen, ranged, keys.rig, files.job, seen, landmarker, contact)
                warnings += found.notes
                own = None if seen is not None else observe_with_solver(found, embedding, ranged)
                part = take_from(chosen, ranged, keys.rig, found, *((embedding, seen) if own is None else own))
                held = about_frames(corrected.corrections, part.time_s)
                part = hold_poses(part, held, keys.rig.ranges)
                part = add_corrections(part, held) if held else part
                # What is blended at a range's ends is weights.
                vertices = found.vertices_of(rig) if base is None else None
        else:
            assert observations is not None and rows is not None
            whole = yield from _fit_landmarks(
                *(_fit_settings(chosen, footage), observations, keys.rig, embedding, landmarker, files, timer, rows),
                *(actor, corrected.corrections),
            )
            part = rows_of(whole, rows)
            if base is not None and corrected.spans and REFINED in base.take.provenance:
                # As the take was corrected before: what is new is added to what refining found.
                known = about_frames(corrections_of(base.take), part.time_s)
                before_now = yield from _fit_landmarks(
                    *(_fit_settings(chosen, footage), observations, keys.rig, embedding, landmarker, files, timer),
                    *(rows, actor, known),
                )
                parts = scatter_take(part, keys), scatter_take(rows_of(before_now, rows), keys)
                refined_part = add_to_refined(base.take, *parts, corrected.corrections, rig.ranges)
        part = scatter_take(part, keys) if refined_part is None else refined_part
        part = add_provenance(part, settings, footage, embedding, origin)
        given = _fit_settings(settings, footage).focal_px
        take = add_id(part if base is None else merge_into(base, part, settings, origin, given, warnings, corrected))
        with timer.stage("files"):
            yield Progress("files", 0, 1)
            before = write_take(files, take, settings)
            if settings.point_cache != "none":
                fps = float(footage.frame_rate)
                write_vertices(files, take, rig, settings, vertices, fps, embedding.head_from_rig)
        asking = None if baked is None else start_blend(baked())
        if asking is None and settings.blend:
            warnings.append("No .blend was written: the character is a rig file, not a .blend.")
        check = None
        if settings.report:
            with timer.stage("check"):
                check = yield from compare_footage_and_head(
                    take, rig, embedding, footage, observations, landmarker, warnings, cache.face_in
                )
        account = Account(
            (files.named("summary.json"), files.out / "summary.json"),
            files.named("report.html") if settings.report else None,
            take,
            rig,
            cache.thumbnails() if observations is not None else [],
            settings.video.name,
            lambda: summary_of(take, timer, warnings, landmarks_reused=reused, frames=part.frame_count),
            timer,
            check,
        )
        preview = None
        if settings.preview:
            preview = make_preview(files.named("preview.mp4"), footage, take, rig, embedding)
        summary, failure = yield from finish(account, preview, asking, blender=settings.blender, warnings=warnings)
    if observations is not None:
        cache.forget_others()
    has_blend = asking is not None and failure is None
    result = result_of(files, settings, summary, has_blend=has_blend, before=before)
    check_blend(failure, settings.blender)
    if settings.method == "deep":
        refined = None if base is None else np.searchsorted(take.time_s, part.time_s[[0, -1]] - TIME_TOLERANCE_S)
        calm = None
        if settings.neutral_frame is not None and observations is not None:
            calm = find_row(take.time_s, observations, settings.neutral_frame)
        return (yield from _refine_further(settings, files, blender_hook, refined, calm))
    return result


def _open_footage(settings: SolveSettings) -> Footage:
    return open_footage(
        settings.video, start=settings.start, end=settings.end, fps=settings.fps, mirror=settings.mirror
    )


def _fit_landmarks(
    settings: FitSettings,
    observations: Observations,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    landmarker: Landmarker,
    files: OutputFiles,
    timer: StageTimer,
    rows: NDArray[np.bool_],
    actor: Actor | None,
    corrections: tuple[Correction, ...],
) -> Steps[Take]:
    """The landmark fit of some rows, (F,) bool; the others are missing."""
    with timer.stage("character"):
        response = yield from run_threaded(
            "character", lambda on_progress: response_of(rig, embedding, landmarker, files.characters, on_progress)
        )
    with timer.stage("fit"):
        yield Progress("fit", 0, observations.frame_count)
        asked = None if rows.all() else rows
        return (
            yield from run_threaded(
                "fit",
                lambda on_progress: solve_take(
                    *(observations, rig, embedding, settings),
                    response=response,
                    rows=asked,
                    actor=actor,
                    corrections=corrections,
                    on_progress=on_progress,
                ),
            )
        )


def _refine_further(
    settings: SolveSettings,
    files: OutputFiles,
    hook: BlenderHook | None,
    rows: NDArray[np.intp] | None,
    calm: int | None,
) -> Steps[SolveResult]:
    """Go on with deep energies from the landmark fit that was just written.

    Args:
        rows: (2,) first and last row to refine; None: all.  calm: row of a calm face; None: found automatically.
    """
    same = {item.name: getattr(settings, item.name) for item in fields(OutputSettings)}
    first, last = (None, None) if rows is None else rows.tolist()
    deep = RefineSettings(
        folder=files.out,
        take=files.named("take.npz"),
        reference_frame=calm,
        start=first,
        end=last,
        **same,
    )
    return (yield from refine(deep, blender_hook=hook))


def find_row(time_s: NDArray[np.float64], observations: Observations, frame: int) -> int:
    """The row of a take (F,) that is nearest to a frame of the footage, counted before trimming."""
    at_s = observations.time_s[np.argmin(np.abs(observations.frame_index - frame))]
    return int(np.argmin(np.abs(time_s - at_s)))


def _prepare(
    settings: SolveSettings, footage: Footage, source: CharacterSource, origin: Origin
) -> tuple[OutputFiles, str]:
    """Make the folders, so that an output that cannot be written shows before the work, not after it.

    Returns the files and, where they cannot be called after the clip, a note.
    """
    stem, note = claim_stem_of(settings.video, footage, settings.out, origin)
    files = OutputFiles(settings.out, stem)
    with atomic_path(files.job / "settings.json") as temporary:
        temporary.write_text(json.dumps(to_json(settings), indent=1), encoding="utf-8")
    target = files.named("blend")
    if settings.blend and source.is_blend and target.is_file() and target.samefile(source.path):
        raise FacecapError(
            f"The result would replace the character's own file, {target}.",
            "Choose another folder, or do without the .blend.",
        )
    return files, note


def _note_other_faces(cache: LandmarkCache) -> list[str]:
    others = cache.count_other_faces()
    return (
        [f"The footage shows up to {others + 1} faces; the largest and steadiest one was followed."] if others else []
    )


def _fit_settings(settings: SolveSettings, footage: Footage) -> FitSettings:
    chosen = FitSettings(**{item.name: getattr(settings, item.name) for item in fields(FitSettings)})
    if chosen.focal_px is None and settings.lens_mm is not None:
        return replace(chosen, focal_px=focal_px_from_lens(settings.lens_mm, settings.sensor_mm, *footage.size_px))
    return chosen
