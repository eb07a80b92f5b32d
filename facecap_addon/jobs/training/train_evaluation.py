"""A trained solver against the landmark fit, on shots that neither has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, U8
from ...errors import FacecapError
from ...fit.settings import FitSettings
from ...fit.solve import solve_take
from ...footage.read import read_frames
from ...landmarks.protocol import PRESENCE_THRESHOLD
from ...landmarks.registry import open_landmarker
from ...learn.data.overlaps import find_kept_frames
from ...learn.data.training_set import ShotFacts, TrainingSet
from ...rig.blendshapes import BlendshapeRig
from ...rig.duplicate_keys import find_distinct_keys
from ...solvers.bundle import load_bundle
from ...solvers.face_keypoints import extract_face_keypoints, fill_gaps
from ...solvers.solver import TrainedSolver
from ..runtime.progress import Progress, Steps
from ..runtime.threaded_progress import run_threaded
from ..steps.character import embedding_of, response_of
from ..steps.landmarks import find_landmarks, open_landmark_cache
from ..steps.results.outputs import OutputFiles

MOST_FRAMES, MOVING_M, REPORT_EVERY = 900, 5e-4, 16


@dataclass(frozen=True)
class ShotErrors:
    """One shot that was kept back.

    Attributes:
        name: of the shot.  time_s: (N,).  network_mm, fit_mm: (N,) root-mean-square distance of vertices that move.
    """

    name: str
    time_s: NDArray[np.float64]
    network_mm: NDArray[np.float64]
    fit_mm: NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Network and landmark fit side by side.

    Attributes:
        lines: what there is to say.  shots: empty where the two could not be compared.
        error_map: (H, W, 3) uint8, heads coloured by how far either is off, vertex by vertex; None likewise.
    """

    lines: tuple[str, ...]
    shots: tuple[ShotErrors, ...] = ()
    error_map: U8 | None = None


def compare_with_fit(training_set: TrainingSet, path: Path, threads: int) -> Steps[Comparison]:
    """How far solver and landmark fit are from the targets of the shots that judge.

    Args:
        path: the solver.
    """
    bundle, rig = load_bundle(path), training_set.rig
    keys = find_distinct_keys(rig)
    if bundle.facts.side_crop is not None:
        return Comparison(("A solver of two cameras is not compared with a fast solve, which sees one.",))
    solver = TrainedSolver(bundle, threads=threads)
    landmarker = open_landmarker(threads=threads)
    files = OutputFiles(training_set.folder, "landmarks")
    try:
        embedding = yield from run_threaded(
            "character", lambda on_progress: embedding_of(rig, landmarker, files.characters, on_progress)
        )
    except FacecapError as error:
        return Comparison((f"This character cannot be solved by landmarks, so nothing is compared: {error.what}",))
    response = yield from run_threaded(
        "compare", lambda on_progress: response_of(keys.rig, embedding, landmarker, files.characters, on_progress)
    )
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M)
    left, solved_as_target = MOST_FRAMES, False
    shots: list[ShotErrors] = []
    squared = np.zeros((2, len(moving)))
    judges, tested = training_set.choose_judges(), training_set.split_shots().test
    for shot in judges:
        if left <= 0:
            break
        footage = training_set.open_shot_footage(shot)
        cache = open_landmark_cache(footage, landmarker, files.job)
        yield from find_landmarks(footage, landmarker, cache)
        seen = cache.observations()
        if not (seen.presence >= PRESENCE_THRESHOLD).any():
            continue
        take = yield from run_threaded(
            "compare",
            lambda on_progress, seen=seen: solve_take(
                seen, keys.rig, embedding, FitSettings(match="weights"), response=response, on_progress=on_progress
            ),
        )
        rows = training_set.read_rows(shot).rows[find_kept_frames(training_set, shot)]
        rows = rows[(rows < take.frame_count)][:left]
        rows = rows[take.solved[rows]]
        faces = fill_gaps(extract_face_keypoints(seen.landmarks_px, seen.image_size, seen.scheme)[0])
        found = yield from _solve_rows(solver, training_set, shot, rows, faces, moving)
        wanted = _read_targets(training_set, shot, rows, moving)
        fitted = keys.rig.vertices_at(take.weights[rows])[:, moving]
        away = [np.square(1000 * (given.astype(np.float64) - wanted)).sum(-1) for given in (found, fitted)]
        squared += [part.sum(0) for part in away]
        errors = [np.sqrt(part.mean(1)) for part in away]
        if len(rows):
            shots.append(ShotErrors(shot.name, seen.time_s[rows], errors[0], errors[1]))
        left -= len(rows)
        solved_as_target |= shot.source.startswith("take")
    yield Progress("files", 0, 1)
    if not shots:
        return Comparison(())
    network = compute_rms(np.concatenate([shot.network_mm for shot in shots]))
    fit = compute_rms(np.concatenate([shot.fit_mm for shot in shots]))
    better = f"is better than a fast solve, by {1 - network / fit:.0%}" if network < fit else (
        "is NOT better than a fast solve: use that, or train longer and on more"
    )  # fmt: skip
    name = "Test shots" if all(shot in tested for shot in judges) else "Shots kept back"
    lines = [f"{name}, vertices that move: network {network:.2f} mm, fast solve {fit:.2f} mm; it {better}."]
    if solved_as_target:
        lines.append("Some targets are solves themselves: for these, this only says how closely they are followed.")
    return Comparison(
        tuple(lines), tuple(shots), _draw_errors(rig, moving, squared / sum(len(s.time_s) for s in shots))
    )


def _draw_errors(rig: BlendshapeRig, moving: NDArray[np.intp], squared: NDArray[np.float64]) -> U8:
    """The map of (2, M) mean squared distances, mm², of network and fast solve."""
    from ...learn.engine.error_map import draw_error_maps  # needs PyTorch, as what was compared

    network, fit = np.sqrt(squared)
    return draw_error_maps(rig, moving, {"network": network, "fast solve": fit})


def compute_rms(values: NDArray[np.floating]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def _solve_rows(
    solver: TrainedSolver,
    training_set: TrainingSet,
    shot: ShotFacts,
    rows: NDArray[np.int64],
    faces: F32,
    moving: NDArray[np.intp],
) -> Steps[F32]:
    """(N, M, 3) m of some rows, the solver having seen all frames before them."""
    rig = training_set.rig
    wanted = {int(row): place for place, row in enumerate(rows)}
    out = np.empty((len(rows), len(moving), 3), np.float32)
    solver.start_shot()
    solver.fit_to(training_set.measure_size(shot), training_set.read_rows(shot).box)
    reader = read_frames(training_set.open_shot_footage(shot))
    try:
        for row, frame in enumerate(reader):
            found = solver.solve(frame.image, None, faces[min(row, len(faces) - 1)], frame.time_s)
            if row in wanted:
                out[wanted[row]] = solver.to_full_mesh(rig, found)[moving]
            if row % REPORT_EVERY == 0:
                yield Progress("compare", min(row, len(faces)), len(faces))
            if len(rows) and row >= rows[-1]:
                break
    finally:
        reader.close()
    return out


def _read_targets(training_set: TrainingSet, shot: ShotFacts, rows: NDArray[np.int64], moving: NDArray[np.intp]) -> F32:
    """(N, M, 3) m."""
    known = training_set.read_rows(shot)
    at = np.searchsorted(known.rows, rows)
    vertices = training_set.read_vertices(shot)
    if vertices is not None:
        return np.asarray(vertices[at], np.float32)[:, moving]
    return training_set.rig.vertices_at(known.weights[at])[:, moving]
