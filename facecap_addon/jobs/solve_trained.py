"""Solving with a trained solver: the network gives the expression, landmarks the head. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F32
from ..errors import FacecapError, NoFaceError
from ..fit.confidence import region_confidence
from ..fit.contact_pass import ContactPass
from ..fit.energies.landmark_terms import terms_for
from ..fit.pose_known_shape import FOCAL_WIDTHS, head_poses, measure_misses
from ..footage.footage import Footage, open_footage
from ..footage.read import read_frames
from ..footage.second_camera import SecondCamera
from ..geometry.camera import focal_px_from_lens
from ..geometry.quaternions import wxyz_of
from ..landmarks.layout import IBUG_68, MEDIAPIPE_OF_IBUG, layout_of
from ..landmarks.observations import Observations
from ..landmarks.protocol import Landmarker
from ..landmarks.tracking.face_gate import FaceGate
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import match_channels
from ..rig.duplicate_keys import DistinctKeys, all_keys, find_distinct_keys
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..solvers.bundle import SolverBundle, load_bundle
from ..solvers.face_keypoints import extract_face_keypoints, fill_gaps
from ..solvers.solver import TrainedSolver
from ..solvers.vertices_to_weights import WeightFitter
from ..takes.filters.take_filter import SOLVER_LANDMARKS
from ..takes.formats.live_link import look_gaze
from ..takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from .runtime.progress import Progress, Steps
from .runtime.threaded_progress import run_threaded
from .settings.solve import SolveSettings

Vertices = Callable[[int], F32]
REPORT_EVERY, CHUNK_FRAMES = 16, 256
_SAME_SHARE, _LOOKED_AT = 0.02, 60


@dataclass(frozen=True)
class Expressions:
    """What a solver gave, frame by frame.

    Attributes:
        time_s: (F,).  frame_index: (F,).  weights: (F, K) of the character.
        vertices: (F, M, 3) float32 m, mapped from disk, where the solver gives vertices; else None.
        distance_mm: (F,) how far the keys' face is from these.  moving: (M,) which vertices they are.
        not_learned: channels of the character that the solver does not know.
        shows_face: (F,) bool, which frames show a face; None where landmarks say it.
        landmarks_px: (F, 68, 2) of iBUG's mark-up, where the solver finds landmarks; else None.
        notes: what there is to say about how the footage was seen.
    """

    time_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]
    weights: F32
    vertices: F32 | None
    distance_mm: NDArray[np.float64]
    moving: NDArray[np.int32]
    not_learned: tuple[str, ...]
    shows_face: NDArray[np.bool_] | None = None
    landmarks_px: F32 | None = None
    notes: tuple[str, ...] = ()

    def vertices_of(self, rig: BlendshapeRig) -> Vertices | None:
        """What gives all vertices (V, 3) m of a row, where the solver gives vertices."""
        if self.vertices is None:
            return None
        moved = self.vertices

        def whole(row: int) -> F32:
            out = rig.neutral.copy()
            out[self.moving] = moved[row]
            return out

        return whole


def is_trained(method: str) -> bool:
    """Whether a method names a trained solver."""
    return method.lower().endswith(".facecap")


def no_face_in(video: Path, frames: int) -> NoFaceError:
    """What to raise where none of so many frames shows a face."""
    return NoFaceError(
        f"None of the {frames} frames of {video.name} shows a face.",
        "Check the clip, its trim range and whether it is upright.",
    )


def choose_keys_to_solve(method: str, rig: BlendshapeRig) -> DistinctKeys:
    """A character's keys as a method solves them: each once, but those that a solver was trained on as they are.

    Raises FacecapError if the solver cannot be read.
    """
    if is_trained(method) and load_bundle(Path(method)).facts.channels == rig.channels:
        return all_keys(rig)
    return find_distinct_keys(rig)


def check_character(bundle: SolverBundle, rig: BlendshapeRig) -> None:
    """Raises FacecapError where a solver was trained on another mesh than the character's."""
    facts = bundle.facts
    if facts.kind == "weights":
        if not len(match_channels(facts.channels, rig.channels)[0][0]):
            raise FacecapError(
                f"The solver {facts.name} drives none of this character's shape keys.", "Name the actor's --character."
            )
        return
    same = rig.vertex_count == facts.vertices
    if same:
        size = float(np.ptp(rig.neutral, axis=0).max())
        same = float(np.abs(rig.neutral - bundle.neutral).max()) < _SAME_SHARE * size
    if not same:
        raise FacecapError(
            f"The solver {facts.name} was trained on a mesh of {facts.vertices} vertices, which is not this character.",
            "Name the character it was trained on with --character, or train again: the mesh has changed.",
        )


def solve_expressions(
    settings: SolveSettings,
    footage: Footage,
    rig: BlendshapeRig,
    folder: Path,
    observations: Observations | None,
    landmarker: Landmarker,
    contact: ContactPass | None = None,
) -> Steps[Expressions]:
    """Run the solver over the footage; memory stays flat, vertices go to a file in `folder`.

    Args:
        observations: the footage's landmarks; None: which frames show a face is seen here.
        landmarker: an open backend, to see that.  contact: closes lips and lids that nearly touch; None: left as found.
    Raises:
        NoFaceError: without observations, and no frame shows a face.
        FacecapError: the solver is damaged, belongs to another mesh, or wants a second camera.
    """
    bundle = load_bundle(Path(settings.method))
    check_character(bundle, rig)
    solver = TrainedSolver(bundle, threads=settings.threads)
    total = footage.expected_frame_count
    yield Progress("solve", 0, total)
    second = _open_second_camera(settings, bundle)
    faces, boxes, gate = None, None, FaceGate(landmarker) if observations is None else None
    if observations is not None:
        points, boxes = extract_face_keypoints(observations.landmarks_px, observations.image_size, observations.scheme)
        faces = fill_gaps(points)
    elif not solver.sees_whole(footage.size_px):
        boxes = yield from run_threaded("solve", lambda _: _look_for_face(footage, landmarker))
        if not len(boxes):
            raise no_face_in(settings.video, total)
    side_size = None if settings.side_video is None else open_footage(settings.side_video).size_px
    notes = (*solver.notes, solver.fit_to(footage.size_px, boxes, side_size))
    times, indices, weights, distances, shown, landmarks = [], [], [], [], [], []
    moving = bundle.moving
    fitter = WeightFitter(rig.neutral[moving], rig.deltas[:, moving], rig.ranges) if len(moving) else None
    columns, _ = match_channels(bundle.facts.channels, rig.channels)
    path = folder / "vertices.f32"
    folder.mkdir(parents=True, exist_ok=True)
    reader = read_frames(footage)
    with path.open("wb") as stream:
        chunk: list[F32] = []

        def empty() -> None:
            if not chunk:
                return
            found = np.stack(chunk)
            chunk.clear()
            if fitter is None:
                out = np.zeros((len(found), len(rig.channels)), np.float32)
                out[:, columns[0]] = found[:, columns[1]]
                out = np.clip(out, rig.ranges[:, 0], rig.ranges[:, 1])
                weights.append(out if contact is None else contact.close(out))
                distances.append(np.zeros(len(found)))
                return
            fitted, distance = fitter.fit(found)
            if contact is not None:
                closed = contact.close(fitted)
                found += np.tensordot(closed - fitted, rig.deltas[:, moving], axes=1)
                fitted = closed
            stream.write(np.ascontiguousarray(found, "<f4").data)
            weights.append(fitted)
            distances.append(distance)

        try:
            for frame in reader:
                beside = None if second is None else second.picture_at(frame.time_s)
                face = None if faces is None else faces[len(times)]
                chunk.append(solver.solve(frame.image, beside, face, frame.time_s))
                if solver.landmarks is not None:
                    landmarks.append(solver.landmarks * footage.size_px - 0.5)
                times.append(frame.time_s)
                indices.append(frame.index)
                shown.append(gate is None or gate.shows_face(frame))
                if len(chunk) == CHUNK_FRAMES:
                    empty()
                if len(times) % REPORT_EVERY == 0:
                    yield Progress("solve", len(times), max(total, len(times)))
            empty()
        finally:
            reader.close()
            if second is not None:
                second.close()
    vertices = None
    if fitter is not None and times:
        vertices = np.memmap(path, "<f4", "r", shape=(len(times), len(moving), 3))
    yield Progress("solve", len(times), len(times))
    if not times:
        raise FacecapError(f"{settings.video.name} gave no frames.", "Check the trim range.")
    if not any(shown):
        raise no_face_in(settings.video, len(times))
    return Expressions(
        np.array(times),
        np.array(indices, np.int64),
        np.concatenate(weights),
        vertices,
        np.concatenate(distances),
        moving,
        _find_unlearned(bundle, rig),
        None if gate is None else np.array(shown),
        np.stack(landmarks).astype(np.float32) if landmarks else None,
        tuple(note for note in notes if note),
    )


def _look_for_face(footage: Footage, landmarker: Landmarker) -> F32:
    """(N, 4) boxes of the face in the first frames that show one, see `extract_face_keypoints`; (0, 4) without any."""
    gate, found = FaceGate(landmarker), []
    reader = read_frames(footage)
    try:
        for frame in reader:
            seen = gate.look(frame)
            if seen is not None:
                found.append(seen.landmarks_px)
            if len(found) == _LOOKED_AT:
                break
    finally:
        reader.close()
    if not found:
        return np.zeros((0, 4), np.float32)
    return extract_face_keypoints(np.stack(found), footage.size_px, landmarker.scheme)[1]


def observe_with_solver(
    found: Expressions, embedding: LandmarkEmbedding, footage: Footage
) -> tuple[LandmarkEmbedding, Observations] | None:
    """The landmarks that a solver found, and where they lie on the character; None where it found none.

    They stand for those of a landmark network: for the head's pose, confidence, what is drawn over the footage.
    """
    if found.landmarks_px is None or found.shows_face is None:
        return None
    chosen = np.arange(IBUG_68.count) if embedding.scheme == IBUG_68.scheme else np.array(MEDIAPIPE_OF_IBUG)
    points = replace(
        embedding,
        scheme=IBUG_68.scheme,
        triangle=embedding.triangle[chosen],
        barycentric=embedding.barycentric[chosen],
        valid=embedding.valid[chosen],
    )
    shown = found.shows_face.astype(np.float32)
    pixels = np.where(found.shows_face[:, None, None], found.landmarks_px, np.nan).astype(np.float32)
    trust = np.repeat(shown[:, None], IBUG_68.count, axis=1)
    seen = Observations(
        *(found.time_s, found.frame_index, pixels, np.zeros_like(trust), shown, trust, IBUG_68.scheme),
        *(footage.size_px, SOLVER_LANDMARKS),
    )
    return points, seen


def take_from(
    settings: SolveSettings,
    footage: Footage,
    rig: BlendshapeRig,
    found: Expressions,
    embedding: LandmarkEmbedding | None,
    observations: Observations | None,
) -> Take:
    """A take of expressions, with the head's pose and each region's confidence where landmarks were found.

    A region is trusted as far as the landmarks move with what the network says; without landmarks nothing is known
    against it. Frames without a face are missing, whatever the network makes of the wall.

    Args:
        embedding, observations: of the character and the footage; None: the head stays before the camera.
    """
    frames = len(found.time_s)
    focal_px = settings.focal_px or 0.0
    if not focal_px:
        lens = settings.lens_mm
        width, height = footage.size_px
        focal_px = (
            focal_px_from_lens(lens, settings.sensor_mm, width, height)
            if lens is not None
            else FOCAL_WIDTHS * max(width, height)
        )
    rotation = np.tile(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), (frames, 1, 1))
    translation = np.tile([0.0, 0.0, 0.6], (frames, 1))
    residual = np.full(frames, np.nan)
    landmarks = np.zeros((frames, 0, 2), np.float32)
    status = np.full(frames, STATUS_SOLVED, np.int8)
    if found.shows_face is not None:
        status[~found.shows_face] = STATUS_MISSING
    confidence = np.ones((frames, len(REGIONS)), np.float32)
    if embedding is not None and observations is not None and observations.frame_count == frames:
        landmarks, terms, fixed = observations.landmarks_px, terms_for(observations.scheme), _find_fixed(embedding)
        missed_mm = np.empty((frames, len(terms.used), 2), np.float32)
        for first in range(0, frames, CHUNK_FRAMES):
            part = slice(first, first + CHUNK_FRAMES)
            points = _place_landmarks(rig, embedding, found.weights[part])
            rotation[part], translation[part], residual[part] = head_poses(
                points[:, fixed], landmarks[part][:, fixed].astype(np.float64), focal_px, footage.size_px
            )
            seen = landmarks[part][:, terms.used]
            missed_mm[part] = measure_misses(
                points[:, terms.used], rotation[part], translation[part], seen, focal_px, footage.size_px
            )
        status[~np.isfinite(residual)] = STATUS_MISSING
        # Where a landmark always misses, it lies elsewhere on this actor: that says nothing about the frame.
        known = status == STATUS_SOLVED
        usual = np.median(missed_mm[known], axis=0) if known.any() else 0.0
        away = np.linalg.norm(np.nan_to_num(missed_mm - usual), axis=2).astype(np.float64)
        confidence = region_confidence(away, observations.confidence[:, terms.used], observations.presence, terms)
    is_own = observations is not None and observations.model_version == SOLVER_LANDMARKS
    shown = (status == STATUS_SOLVED)[:, None]
    weights = np.where(shown, found.weights, 0).astype(np.float32)
    quaternion = wxyz_of(Rotation.from_matrix(rotation))
    return Take(
        time_s=found.time_s,
        channels=rig.channels,
        weights=weights,
        head_rotation_wxyz=quaternion.astype(np.float32),
        head_translation_m=translation.astype(np.float32),
        gaze_rad=look_gaze(rig.channels, weights).astype(np.float32),
        confidence=np.where(shown, confidence, 0).astype(np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=np.asarray(landmarks, np.float32),
        residual_px=residual.astype(np.float32),
        image_size=footage.size_px,
        focal_px=float(focal_px),
        not_observed=found.not_learned,
        provenance={"method": "trained solver", **({"landmarks": SOLVER_LANDMARKS} if is_own else {})},
    )


def _place_landmarks(rig: BlendshapeRig, embedding: LandmarkEmbedding, weights: F32) -> NDArray[np.float64]:
    """(F, L, 3) m, head space."""
    neutral, deltas = landmark_geometry(rig, embedding)
    return (neutral + np.tensordot(weights, deltas, axes=1)).astype(np.float64)


def _find_fixed(embedding: LandmarkEmbedding) -> NDArray[np.bool_]:
    """Landmarks that stay where they are on the skin: the outline is no fixed place of it."""
    used = embedding.valid.copy()
    used[list(layout_of(embedding.scheme).outline)] = False
    return used


def _find_unlearned(bundle: SolverBundle, rig: BlendshapeRig) -> tuple[str, ...]:
    """Channels of the character that a solver of weights does not know."""
    if bundle.facts.kind == "mesh":
        return ()
    driven = set(match_channels(bundle.facts.channels, rig.channels)[0][0].tolist())
    return tuple(c for k, c in enumerate(rig.channels) if k not in driven)


def _open_second_camera(settings: SolveSettings, bundle: SolverBundle) -> SecondCamera | None:
    if bundle.facts.side_crop is None:
        return None
    if settings.side_video is None:
        raise FacecapError(
            "This solver was trained with a second camera from the side.", "Give its footage, too: --side-video."
        )
    return SecondCamera(open_footage(settings.side_video))
