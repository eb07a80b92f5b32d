"""Shots of a training set, from takes, curves, point caches and drawings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32
from ...errors import FacecapError
from ...footage.footage import Footage, open_footage
from ...footage.write import write_video
from ...landmarks.observations import Observations
from ...landmarks.protocol import PRESENCE_THRESHOLD
from ...landmarks.registry import open_landmarker
from ...landmarks.tracking.upright import stand_upright
from ...learn.data.cache_targets import check_likeness, find_sample_times, to_scene_axes
from ...learn.data.resample import find_nearest_rows, resample_targets
from ...learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot, find_free_name
from ...learn.synthetic.motion import PICTURE_SIZE, make_head_curves, make_shot_curves
from ...rig.channels import arkit_name
from ...rig.embedding import LandmarkEmbedding
from ...solvers.face_keypoints import extract_face_keypoints, extract_ibug_points
from ...takes.formats.live_link import read_live_link_csv
from ...takes.formats.point_cache import read_point_cache
from ...takes.formats.recording import notes_of
from ...takes.npz import load_take
from ...takes.take import STATUS_SOLVED, Take
from ..runtime.progress import Progress, Steps
from ..runtime.require_torch import check_torch
from ..runtime.threaded_progress import run_threaded
from ..settings.dataset import DatasetSettings
from ..steps.character import characters_in, embedding_of
from ..steps.landmarks import find_landmarks, open_landmark_cache
from ..steps.results.outputs import OutputFiles
from ..steps.results.provenance import settings_of

SHOT_S, DRAWN_FPS, SIDE_YAW_RAD = 12.0, 30.0, 0.9
_DRAWING = 0.9
"""Of the time that a drawn frame takes; looking at it takes the rest."""


def add_take(settings: DatasetSettings, training_set: TrainingSet, path: Path) -> Steps[TrainingSet]:
    """A solved take, or a range of it, with the footage it was solved from."""
    take = load_take(path)
    _refuse_jaw(take, path)
    solved = settings_of(take, path)
    if take.provenance.get("upside_down"):
        raise _make_upside_down_error(solved.video)
    video, footage = _open_footage(settings, solved.video, solved.start, solved.end, solved.fps, solved.mirror)
    wanted = _select_range(settings, take.time_s, footage)
    rows = np.flatnonzero((take.status == STATUS_SOLVED) & wanted)
    weights, known = _match_channels(take, training_set)
    if not known:
        raise FacecapError(
            f"{path.name} has no channel in common with the training set's character.", "Name another --character."
        )
    seen = (take.landmarks_px[rows], take.image_size, _find_scheme(take))
    (face, box), points = extract_face_keypoints(*seen), extract_ibug_points(*seen)
    shot = ShotFacts(
        _choose_name(settings, path), video, solved.start, solved.end, solved.fps, len(rows), use=settings.use,
        source=f"take {path.name}", **_describe_cameras(settings, footage),
    )  # fmt: skip
    yield Progress("add", 0, 1)
    check_name(settings, training_set, shot)
    found = ShotRows(rows, take.time_s[rows], weights[rows], face, box, points)
    return add_shot(training_set, shot, (yield from _see_from_side(settings, training_set, shot, found)))


def add_curves(
    settings: DatasetSettings, training_set: TrainingSet, video: Path, notes: list[str]
) -> Steps[TrainingSet]:
    """Footage with curves that were recorded or animated elsewhere; what there is to say goes into `notes`."""
    assert settings.curves is not None
    curves = (
        load_take(settings.curves) if settings.curves.suffix.lower() == ".npz" else read_live_link_csv(settings.curves)
    )
    _refuse_jaw(curves, settings.curves)
    notes += notes_of(curves)
    weights, known_any = _match_channels(curves, training_set)
    if not known_any:
        raise FacecapError(
            f"{settings.curves.name} drives none of the character's shape keys.",
            f"The character has: {', '.join(training_set.rig.channels[:8])}, …",
        )
    name, footage = _open_footage(settings, video, settings.start, settings.end, settings.fps, settings.mirror)
    seen = yield from _observe(settings, training_set, footage)
    values, known = resample_targets(seen.time_s, curves.time_s + settings.offset_s, weights, curves.solved)
    keep = np.flatnonzero(known & (seen.presence >= PRESENCE_THRESHOLD))
    if not len(keep):
        raise FacecapError(
            f"{settings.curves.name} ({curves.time_s[0]:.1f} to {curves.time_s[-1]:.1f} s) and {video.name} "
            f"({seen.time_s[0]:.1f} to {seen.time_s[-1]:.1f} s) do not overlap where a face is seen.",
            "Shift the curves with --offset.",
        )
    found = (seen.landmarks_px[keep], seen.image_size, seen.scheme)
    (face, box), points = extract_face_keypoints(*found), extract_ibug_points(*found)
    shot = ShotFacts(
        _choose_name(settings, video), name, settings.start, settings.end, settings.fps, len(keep), use=settings.use,
        source=f"curves {settings.curves.name}", **_describe_cameras(settings, footage),
    )  # fmt: skip
    check_name(settings, training_set, shot)
    rows = ShotRows(keep, seen.time_s[keep], values[keep], face, box, points)
    return add_shot(training_set, shot, (yield from _see_from_side(settings, training_set, shot, rows)))


def _refuse_jaw(take: Take, path: Path) -> None:
    """A target of weights is another face where the take moves a jaw bone, too."""
    if take.jaw.any():
        raise FacecapError(
            f"{path.name} moves the character's jaw bone, which shape keys alone do not show.",
            "Add the point cache that refining writes with --point-cache, or refine without --jaw-joint.",
        )


def add_cache(
    settings: DatasetSettings, training_set: TrainingSet, video: Path, notes: list[str]
) -> Steps[TrainingSet]:
    """Footage with a point cache of the character."""
    assert settings.cache is not None
    cache = read_point_cache(settings.cache)
    name, footage = _open_footage(settings, video, settings.start, settings.end, settings.fps, settings.mirror)
    seen = yield from _observe(settings, training_set, footage)
    count = len(cache.positions)
    rate, file = settings.cache_fps or float(footage.frame_rate), settings.cache.name
    time_s = find_sample_times(cache, file, rate, settings.cache_start, float(seen.time_s[0]))
    guessed = cache.time_s is None and settings.cache_fps is None and settings.cache_start is None
    if guessed and abs(count * cache.step_frames - seen.frame_count) > 2:
        raise FacecapError(
            f"{file} has {count} frames, {video.name} {seen.frame_count}.",
            "Say the cache's rate with --cache-fps, or trim the footage with --start and --end.",
        )
    at, known = find_nearest_rows(seen.time_s, time_s + settings.offset_s)
    keep = np.flatnonzero(known & (seen.presence >= PRESENCE_THRESHOLD))
    found = (seen.landmarks_px[keep], seen.image_size, seen.scheme)
    (face, box), points = extract_face_keypoints(*found), extract_ibug_points(*found)
    shot = ShotFacts(
        _choose_name(settings, video), name, settings.start, settings.end, settings.fps, len(keep), use=settings.use,
        source=f"point cache {settings.cache.name}", **_describe_cameras(settings, footage),
    )  # fmt: skip
    check_name(settings, training_set, shot)
    none = np.zeros((len(keep), len(training_set.rig.channels)), np.float32)
    rows = ShotRows(keep, seen.time_s[keep], none, face, box, points)
    positions = to_scene_axes(cache.positions[at[keep]], settings.cache_unit, settings.cache_up)
    check_likeness(positions, training_set.rig, file)
    rows = yield from _see_from_side(settings, training_set, shot, rows)
    return add_shot(training_set, shot, rows, positions)


def check_name(settings: DatasetSettings, training_set: TrainingSet, shot: ShotFacts) -> None:
    """Raises FacecapError where a name that someone chose is that of a shot of other footage."""
    if settings.name and find_free_name(training_set, shot).casefold() != shot.name.casefold():
        raise FacecapError(
            f"The training set has a shot {shot.name} of other footage already.", "Choose another --name for this one."
        )


def add_renders(settings: DatasetSettings, training_set: TrainingSet, seconds: float) -> Steps[TrainingSet]:
    """The character drawn under varied curves."""
    check_torch()
    landmarker = open_landmarker(threads=settings.threads)
    embedding = yield from run_threaded(
        "character",
        lambda on_progress: embedding_of(training_set.rig, landmarker, characters_in(settings.folder), on_progress),
    )
    shots = max(1, round(seconds / SHOT_S))
    each = seconds / shots
    done, total = 0, int(seconds * DRAWN_FPS)
    facts = choose_drawn_uses(training_set, [_describe_drawn(settings, each, settings.seed + n) for n in range(shots)])
    for shot, seed in zip(facts, range(settings.seed, settings.seed + shots), strict=True):

        def draw(
            on_progress: Callable[[int, int], None],
            seed: int = seed,
            done: int = done,
            into: TrainingSet = training_set,
            poses: str | None = shot.poses,
        ) -> ShotRows:
            return _draw(
                settings, into, embedding, each, seed, poses, lambda n: on_progress(done + round(_DRAWING * n), total)
            )

        rows = yield from run_threaded("draw", draw)
        drawn = done + round(_DRAWING * len(rows.rows))
        looking = _look_at_face(settings, training_set, shot, rows)
        rows = yield from _within("draw", looking, drawn, done + len(rows.rows), total)
        done += len(rows.rows)
        training_set = add_shot(training_set, replace(shot, frames=len(rows.rows)), rows)
    return training_set


def choose_drawn_uses(training_set: TrainingSet, shots: list[ShotFacts]) -> list[ShotFacts]:
    """Shots that are to be drawn, with what each will be used for and whose share of the faces it is made of.

    This is fixed before they are drawn: faces made for one use are made for no other.
    """
    names = {shot.name for shot in shots}
    kept = tuple(shot for shot in training_set.shots if shot.name not in names)
    splits = replace(training_set, shots=(*kept, *shots)).split_shots()
    uses = {shot.name: use for use, part in vars(splits).items() for shot in part}
    return [replace(shot, use=uses[shot.name], poses=uses[shot.name]) for shot in shots]


def _describe_drawn(settings: DatasetSettings, seconds: float, seed: int) -> ShotFacts:
    name = f"drawn-{seed:04d}"
    return ShotFacts(
        name, f"footage/{name}.mp4", None, None, None, round(seconds * DRAWN_FPS), use=settings.use, source="drawn",
        side_video=f"footage/{name}-side.mp4" if settings.side else None, size_px=PICTURE_SIZE,
        side_size_px=PICTURE_SIZE if settings.side else None,
    )  # fmt: skip


def _within(stage: str, steps: Steps[ShotRows], first: int, last: int, total: int) -> Steps[ShotRows]:
    """The steps as a part, from `first` to `last` of `total`, of another stage, which they take turns with."""
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            return ended.value
        inside = step.done / step.total if step.total else 0.0
        yield Progress(stage, first + round((last - first) * min(1.0, inside)), total, step.message)


def _draw(
    settings: DatasetSettings,
    training_set: TrainingSet,
    embedding: LandmarkEmbedding,
    seconds: float,
    seed: int,
    poses: str | None,
    on_frame: Callable[[int], None],
) -> ShotRows:
    # Here, after check_torch: what needs PyTorch.
    from ...learn.synthetic.footage import make_scene_look, project_landmarks, render_footage
    from ...refine.render_mesh import build_render_mesh
    from ...render.device import use_threads

    use_threads(settings.threads)
    rig = training_set.rig
    weights = make_shot_curves(
        rig.channels, rig.usual_ranges, seconds, DRAWN_FPS, seed, aside=settings.side, poses=poses
    )
    head = make_head_curves(seconds, DRAWN_FPS, seed)
    mesh = build_render_mesh(rig, embedding)
    time_s = np.arange(len(weights)) / DRAWN_FPS
    folder = training_set.folder / "footage"
    views = [("", 0.0), ("-side", SIDE_YAW_RAD)] if settings.side else [("", 0.0)]
    for ending, yaw in views:
        pictures = render_footage(mesh, weights, head, make_scene_look(seed), yaw_rad=yaw, seed=seed)
        path = folder / f"drawn-{seed:04d}{ending}.mp4"
        before = len(weights) if ending else 0
        for written in write_video(path, zip(time_s.tolist(), pictures, strict=True), quality=14):
            on_frame((before + written) // len(views))
    landmarks, size = project_landmarks(mesh, weights, head)
    face, box = extract_face_keypoints(landmarks, size, embedding.scheme)
    points = extract_ibug_points(landmarks, size, embedding.scheme)
    rows = ShotRows(np.arange(len(weights)), time_s, weights.astype(np.float32), face, box, points)
    if not settings.side:
        return rows
    landmarks, size = project_landmarks(mesh, weights, head, yaw_rad=SIDE_YAW_RAD)
    return replace(rows, side_box=extract_face_keypoints(landmarks, size, embedding.scheme)[1])


def _look_at_face(
    settings: DatasetSettings, training_set: TrainingSet, shot: ShotFacts, rows: ShotRows
) -> Steps[ShotRows]:
    """Rows of a rendered shot with eyes and nose where the landmark network sees them, as it will in a solve.

    It sees them a few pixels from where they are, and networks that hold the picture still by them learn with that.
    """
    seen = yield from _observe(settings, training_set, training_set.open_shot_footage(shot))
    face = extract_face_keypoints(seen.landmarks_px, seen.image_size, seen.scheme)[0]
    found = (seen.presence >= PRESENCE_THRESHOLD)[:, None, None]
    return replace(rows, face=np.where(found, face, rows.face).astype(np.float32))


def _observe(settings: DatasetSettings, training_set: TrainingSet, footage: Footage) -> Steps[Observations]:
    """Landmarks of footage, kept beside the set."""
    landmarker = open_landmarker(threads=settings.threads)
    if stand_upright(footage, landmarker).upside_down:
        raise _make_upside_down_error(footage.paths[0])
    files = OutputFiles(training_set.folder, "landmarks")
    cache = open_landmark_cache(footage, landmarker, files.job)
    yield from find_landmarks(footage, landmarker, cache)
    return cache.observations()


def _see_from_side(
    settings: DatasetSettings, training_set: TrainingSet, shot: ShotFacts, rows: ShotRows
) -> Steps[ShotRows]:
    """The rows with where the second camera, if there is one, sees the face at their times."""
    if shot.side_video is None:
        return rows
    seen = yield from _observe(settings, training_set, training_set.open_shot_footage(shot, side=True))
    at, known = find_nearest_rows(rows.time_s, seen.time_s)
    box = extract_face_keypoints(seen.landmarks_px, seen.image_size, seen.scheme)[1][at]
    known &= seen.presence[at] >= PRESENCE_THRESHOLD
    return replace(rows, side_box=np.where(known[:, None], box, np.nan).astype(np.float32))


def _make_upside_down_error(video: Path) -> FacecapError:
    return FacecapError(
        f"The faces in {video.name} are upside down, and a training set keeps its footage as it is.",
        "Export the video turned by 180°, and solve and add that.",
    )


def _match_channels(curves: Take, training_set: TrainingSet) -> tuple[F32, int]:
    """(F, K) weights of the set's channels, and how many of these the curves have."""
    given: Mapping[str, int] = {name: k for k, name in enumerate(curves.channels)}
    by_meaning = {arkit_name(name): k for k, name in enumerate(curves.channels) if arkit_name(name)}
    out = np.zeros((curves.frame_count, len(training_set.rig.channels)), np.float32)
    found = 0
    for k, channel in enumerate(training_set.rig.channels):
        column = given.get(channel, by_meaning.get(arkit_name(channel) or "-"))
        if column is not None:
            out[:, k] = curves.weights[:, column]
            found += 1
    return np.clip(out, training_set.rig.ranges[:, 0], training_set.rig.ranges[:, 1]), found


def _find_scheme(take: Take) -> str:
    count = take.landmarks_px.shape[1]
    return {478: "mediapipe-478", 68: "ibug-68"}.get(count, "mediapipe-478")


def _open_footage(
    settings: DatasetSettings, video: Path, start: str | None, end: str | None, fps: float | None, mirror: bool
) -> tuple[str, Footage]:
    """The footage's path as the set keeps it, and the footage."""
    return str(video.resolve()), open_footage(video, start=start, end=end, fps=fps, mirror=mirror)


def _select_range(settings: DatasetSettings, time_s: NDArray[np.float64], footage: Footage) -> NDArray[np.bool_]:
    """(F,) rows of a take inside the range that is asked for."""
    trim = open_footage(footage.paths[0], start=settings.start, end=settings.end).trim
    index = np.round(time_s * float(footage.frame_rate)).astype(int)
    return np.array(
        [
            not (trim.is_before(i, t) or trim.is_after(i, t))
            for i, t in zip(index.tolist(), time_s.tolist(), strict=True)
        ]
    )


def _describe_cameras(settings: DatasetSettings, footage: Footage) -> dict[str, Any]:
    """Facts of a shot about its pictures, and about the second camera."""
    if settings.side_video is None:
        return {"size_px": footage.size_px, "mirror": footage.sides_exchanged}
    aside = open_footage(settings.side_video).size_px
    return {
        "size_px": footage.size_px,
        "mirror": footage.sides_exchanged,
        "side_video": str(settings.side_video.resolve()),
        "side_size_px": aside,
    }


def _choose_name(settings: DatasetSettings, path: Path) -> str:
    text = settings.name or path.name.removesuffix(".npz").removesuffix(".take").rsplit(".", 1)[0]
    if settings.start or settings.end:
        text += "" if settings.name else f"-{settings.start or 'start'}-{settings.end or 'end'}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:64] or "shot"
