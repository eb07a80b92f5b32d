"""Energies of many frames minimised: chunk by chunk, several chunks at once, finished ones stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from ..arrays import F32, F64, Arrays, Bools, Rows
from ..render.renderer import Appearance
from .chunk_store import ChunkStore
from .energies.contact import Contact
from .energies.deep_energy import DeepEnergy, EnergyWeights, Expected
from .energies.landmark_bias import Disagreement
from .energies.landmark_weights import LandmarkWeights
from .failure import measure_landmark_error
from .levenberg_marquardt import minimise
from .networks.crop_ensemble import CropEnsemble
from .parallel import run_parallel
from .render_mesh import RenderMesh
from .schedule import Pass, free_unknowns
from .shots import Shot, cut_plates, detect_landmarks
from .state import DeepState

CHUNK_FRAMES = 4
# The jaw joint is held this closely to its rest.
_JAW_TURN_RAD, _JAW_SHIFT_M = 0.1, 0.004


@dataclass(frozen=True)
class RefineContext:
    """What the frames of a take have in common.

    Attributes:
        mesh: the character.  shots: cameras.  ensemble: the network.  landmark_weights: of landmarks.
        expected: (F, K) weights.  precision: (K, K) of them.  contact: lips and lids that touch in F frames.
        regions: (K,) of the keys, see `schedule.key_regions`.
        jaw_joint: whether the jaw's bone moves.  device: torch's.  workers: chunks worked on at once.
        store: finished chunks.
        bias_mm: (L, 3) per camera: what the network always sees differently; None: nothing.
        darkens_folds: whether renders hold ambient occlusion.
    """

    mesh: RenderMesh
    shots: list[Shot]
    ensemble: CropEnsemble
    landmark_weights: LandmarkWeights
    expected: F64
    precision: F64
    contact: Contact
    regions: NDArray[np.str_]
    jaw_joint: bool
    device: str
    workers: int
    store: ChunkStore
    bias_mm: list[F64] | None = None
    darkens_folds: bool = True


@dataclass(frozen=True)
class PassCache:
    """What one pass finds and the next ones need not find again.

    Attributes:
        targets: camera and row to (L, 2), what the network sees of the footage.
        occlusions: row to (V,) 0..1, its ambient occlusion; turning the head does not change it.
    """

    targets: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    occlusions: dict[int, NDArray[np.float16]] = field(default_factory=dict)


@dataclass(frozen=True)
class ChunkedResult:
    """Where energies ended.

    Attributes:
        energy: (F,), infinite where no frame was worked on.
        error_mm: (F,) what the network still sees differently, after a pass that finds failures.
        short_of_memory: whether fewer frames than usual had to be worked on at once.
    """

    energy: F64
    error_mm: F64
    short_of_memory: bool


def minimise_in_chunks(
    context: RefineContext,
    part: Pass,
    rows: Rows,
    state: DeepState,
    appearance: list[Appearance],
    cache: PassCache,
    on_done: Callable[[int], None],
    on_picture: Callable[[int, F32, F32], None],
) -> ChunkedResult:
    """Lower the energy of some rows of a state, in place.

    Args:
        rows: of the take.  state: of all its F frames.  appearance: one per camera.  cache: of earlier passes.
        on_done: called a few times a second with rows done; it may raise to cancel.
        on_picture: called with a row, the footage's crop and the render's, (S, S, 3) in 0..1 each.
    """
    energy, error = (np.full(len(state.weights), np.inf) for _ in range(2))
    waiting = np.ones(len(rows), bool)
    size, workers = CHUNK_FRAMES, context.workers
    reading = Lock()

    def take_over(chunk: Rows, found: Arrays) -> None:
        state.put(chunk, DeepState(found["rotation"], found["translation"], found["weights"], found["jaw"]))
        energy[chunk], error[chunk] = found["energy"], found["error_mm"]
        cache.occlusions.update(zip((int(row) for row in chunk), found["ambient_occlusion"], strict=True))
        waiting[np.isin(rows, chunk)] = False

    def report() -> None:
        on_done(len(rows) - int(waiting.sum()))

    report()
    while waiting.any():
        left = rows[waiting]
        chunks = [left[first : first + size] for first in range(0, len(left), size)]
        fresh = []
        for chunk in chunks:
            known = _load_chunk(context.store, _part_name(part, chunk))
            if known is None or not np.array_equal(known["rows"], chunk):
                fresh.append(chunk)
            else:
                take_over(chunk, known)

        def work(chunk: Rows, poll: Callable[[], None]) -> tuple[Arrays, tuple[F32, F32]]:
            return _minimise_chunk(context, part, chunk, state.part(chunk), appearance, cache, reading, poll)

        try:
            with threadpool_limits(1, user_api="blas"):
                for chunk, (found, pictures) in run_parallel(work, fresh, report, workers):
                    context.store.save(_part_name(part, chunk), found)
                    take_over(chunk, found)
                    on_picture(int(chunk[0]), *pictures)
        except (MemoryError, RuntimeError) as problem:
            if (workers == 1 and size == 1) or not _out_of_memory(problem):
                raise
            size, workers = max(1, size // 2), 1
    report()
    return ChunkedResult(energy, error, size < CHUNK_FRAMES)


def _minimise_chunk(
    context: RefineContext,
    part: Pass,
    rows: Rows,
    begin: DeepState,
    appearance: list[Appearance],
    cache: PassCache,
    reading: Lock,
    poll: Callable[[], None],
) -> tuple[Arrays, tuple[F32, F32]]:
    energy = _open_energy(context, rows, begin, appearance, cache, reading, poll)
    expected = energy.expected
    if not context.darkens_folds:
        occlusions = np.zeros((len(rows), 0), np.float16)
    elif part.updates_occlusion or any(row not in cache.occlusions for row in rows.tolist()):
        energy.update_occlusion(begin)
        assert energy.ambient_occlusion is not None
        occlusions = energy.ambient_occlusion.cpu().numpy().astype(np.float16)
    else:
        occlusions = np.stack([cache.occlusions[row] for row in rows.tolist()])
    if context.darkens_folds:  # as it will be kept, so that a run that was stopped ends where another would
        energy.ambient_occlusion = torch.from_numpy(occlusions.astype(np.float32)).to(context.device)
    now, compared = begin, None
    for stage in part.stages:
        free = free_unknowns(stage, context.mesh, context.regions, jaw_joint=context.jaw_joint)
        energy.expect(replace(expected, start=now, pose_precision=np.repeat(stage.hold, 3) ** -2.0))
        ended = minimise(energy, now, stage.weights, free, stage.iterations, poll)
        now, compared = ended.state, ended.compared
    assert compared is not None
    error = np.full(len(rows), np.nan)
    if part.finds_failures:  # by what the network still sees differently, whatever the stages looked at
        error = measure_landmark_error(energy.compare(now, EnergyWeights()).landmark_mm, _seen_by(energy))
    first = np.array([0])
    render = energy.part(first).renders(now.part(first), 0)
    found = {
        "rows": rows,
        "rotation": now.rotation,
        "translation": now.translation,
        "weights": now.weights,
        "jaw": now.jaw,
        "energy": compared.energy,
        "error_mm": error,
        "ambient_occlusion": occlusions,
    }
    return found, (energy.plates[0].fine[0].cpu().numpy(), render[0].cpu().numpy())


def measure_disagreement(
    context: RefineContext,
    rows: Rows,
    state: DeepState,
    appearance: list[Appearance],
    cache: PassCache,
    on_done: Callable[[int], None],
) -> Disagreement:
    """What the network sees of renders of some rows (N,) of a state, and how it differs from the footage."""
    away: dict[int, F64] = {}
    crops: dict[int, F64] = {}
    seen: dict[int, Bools] = {}
    chunks = [rows[first : first + CHUNK_FRAMES] for first in range(0, len(rows), CHUNK_FRAMES)]
    reading = Lock()

    def work(chunk: Rows, poll: Callable[[], None]) -> tuple[F64, F64, Bools]:
        energy = _open_energy(context, chunk, state.part(chunk), appearance, cache, reading, poll)
        crop = np.stack([plate.image_from_fine for plate in energy.plates], axis=1)
        return energy.compare(state.part(chunk), EnergyWeights()).landmark_mm, crop, _seen_by(energy)

    def report() -> None:
        on_done(len(away))

    with threadpool_limits(1, user_api="blas"):
        for chunk, found in run_parallel(work, chunks, report, context.workers):
            for kept, values in zip((away, crops, seen), found, strict=True):
                kept.update(zip(chunk.tolist(), values, strict=True))
    order = rows.tolist()
    return Disagreement(
        np.stack([away[row] for row in order]),
        state.rotation[rows],
        np.stack([crops[row] for row in order], axis=1),
        np.stack([seen[row] for row in order]),
    )


def _seen_by(energy: DeepEnergy) -> Bools:
    """(N, C) whether each camera shows the face."""
    return np.stack([plate.seen for plate in energy.plates], axis=1)


def _open_energy(
    context: RefineContext,
    rows: Rows,
    begin: DeepState,
    appearance: list[Appearance],
    cache: PassCache,
    reading: Lock,
    poll: Callable[[], None],
) -> DeepEnergy:
    """The energy of some rows, without ambient occlusion."""
    with reading:  # footage is read in order, by one at a time
        poll()
        cuts = [cut_plates(shot, rows, context.ensemble.size) for shot in context.shots]
    plates = []
    for c, cut in enumerate(cuts):
        places = [(c, int(row)) for row in rows]
        known = [cache.targets[place] for place in places if place in cache.targets]
        plates.append(
            detect_landmarks(cut, context.ensemble, context.device, known if len(known) == len(rows) else None)
        )
        cache.targets.update(zip(places, plates[c].target, strict=True))
    jaw = np.repeat([_JAW_TURN_RAD, _JAW_SHIFT_M], 3) ** -2.0
    expected = Expected(context.expected[rows], context.precision, begin, np.zeros(6), jaw, context.contact.part(rows))
    views = [shot.view for shot in context.shots]
    return DeepEnergy(
        *(context.mesh, appearance, views, plates, context.ensemble, context.landmark_weights, expected),
        bias_mm=context.bias_mm,
    )


def _load_chunk(store: ChunkStore, name: str) -> Arrays | None:
    """A finished chunk, or None where there is none, or one that knows no ambient occlusion."""
    found = store.load(name)
    if found is not None and "sky" in found:  # as older versions call it
        found["ambient_occlusion"] = found.pop("sky")
    return found if found is not None and "ambient_occlusion" in found else None


def _part_name(part: Pass, chunk: Rows) -> str:
    return f"{part.name}-{int(chunk[0]):07d}"


def _out_of_memory(problem: BaseException) -> bool:
    return isinstance(problem, MemoryError) or "memory" in str(problem).lower()
