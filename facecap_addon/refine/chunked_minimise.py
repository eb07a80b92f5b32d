"""Energies of many frames lowered: chunk by chunk, several chunks at once, finished ones kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from ..arrays import F32, F64, Rows
from ..render.renderer import Appearance
from .chunk_store import Kept
from .energies.contact import Contact
from .energies.deep_energy import DeepEnergy, EnergyWeights, Expected
from .energies.landmark_weights import LandmarkWeights
from .failure import landmark_error_mm
from .levenberg_marquardt import minimise
from .networks.crop_ensemble import Looks
from .parallel import cores, side_by_side
from .render_mesh import Actor
from .schedule import Pass, free_unknowns
from .shots import Shot, cut_plates, look_at_plates
from .state import DeepState

CHUNK_FRAMES = 4
# The jaw joint is held this closely to its rest.
_JAW_TURN_RAD, _JAW_SHIFT_M = 0.1, 0.004


@dataclass(frozen=True)
class Ground:
    """What the frames of a take have in common.

    Attributes:
        actor: the character.  shots: cameras.  looks: the network.  trust: of landmarks.
        expected: (F, K) weights.  precision: (K, K) of them.  contact: lips and lids that touch in F frames.
        regions: (K,) of the keys, see `schedule.key_regions`.
        jaw_joint: whether the jaw's bone moves.  device: torch's.
    """

    actor: Actor
    shots: list[Shot]
    looks: Looks
    trust: LandmarkWeights
    expected: F64
    precision: F64
    contact: Contact
    regions: NDArray[np.str_]
    jaw_joint: bool
    device: str


@dataclass(frozen=True)
class Memory:
    """What one pass finds and the next ones need not find again.

    Attributes:
        targets: camera and row to (L, 2), what the network sees of the footage.
        skies: row to (V,) 0..1, the sky that its surface sees; turning the head does not change it.
    """

    targets: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    skies: dict[int, NDArray[np.float16]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lowered:
    """Where energies ended.

    Attributes:
        energy: (F,), infinite where no frame was worked on.
        error_mm: (F,) what the network still sees differently, after a pass that is judged.
        short_of_memory: whether fewer frames than usual had to be worked on at once.
    """

    energy: F64
    error_mm: F64
    short_of_memory: bool


def lower(
    ground: Ground,
    part: Pass,
    rows: Rows,
    state: DeepState,
    appearance: list[Appearance],
    memory: Memory,
    kept: Kept,
    on_done: Callable[[int], None],
    on_picture: Callable[[int, F32, F32], None],
) -> Lowered:
    """Lower the energy of some rows of a state, in place.

    Args:
        rows: of the take.  state: of all its F frames.  appearance: one per camera.  memory: of earlier passes.
        kept: finished chunks.
        on_done: called a few times a second with rows done; it may raise to cancel.
        on_picture: called with a row, the footage's crop and the render's, (S, S, 3) in 0..1 each.
    """
    energy, error = (np.full(len(state.weights), np.inf) for _ in range(2))
    waiting = np.ones(len(rows), bool)
    size, at_once = CHUNK_FRAMES, cores() if ground.device == "cpu" else 1
    reading = Lock()

    def take_over(chunk: Rows, found: dict[str, NDArray[Any]]) -> None:
        state.put(chunk, DeepState(found["rotation"], found["translation"], found["weights"], found["jaw"]))
        energy[chunk], error[chunk] = found["energy"], found["error_mm"]
        memory.skies.update(zip((int(row) for row in chunk), found["sky"], strict=True))
        waiting[np.isin(rows, chunk)] = False

    def say() -> None:
        on_done(len(rows) - int(waiting.sum()))

    say()
    while waiting.any():
        left = rows[waiting]
        chunks = [left[first : first + size] for first in range(0, len(left), size)]
        fresh = []
        for chunk in chunks:
            known = kept.load(_part_name(part, chunk))
            if known is None or "sky" not in known or not np.array_equal(known["rows"], chunk):
                fresh.append(chunk)
            else:
                take_over(chunk, known)

        def work(chunk: Rows, poll: Callable[[], None]) -> tuple[dict[str, NDArray[Any]], tuple[F32, F32]]:
            return _lower_chunk(ground, part, chunk, state.part(chunk), appearance, memory, reading, poll)

        try:
            with threadpool_limits(1, user_api="blas"):
                for chunk, (found, pictures) in side_by_side(work, fresh, say, at_once):
                    kept.save(_part_name(part, chunk), found)
                    take_over(chunk, found)
                    on_picture(int(chunk[0]), *pictures)
        except (MemoryError, RuntimeError) as problem:
            if (at_once == 1 and size == 1) or not _out_of_memory(problem):
                raise
            size, at_once = max(1, size // 2), 1
    say()
    return Lowered(energy, error, size < CHUNK_FRAMES)


def _lower_chunk(
    ground: Ground,
    part: Pass,
    rows: Rows,
    begin: DeepState,
    appearance: list[Appearance],
    memory: Memory,
    reading: Lock,
    poll: Callable[[], None],
) -> tuple[dict[str, NDArray[Any]], tuple[F32, F32]]:
    with reading:  # footage is read in order, by one at a time
        poll()
        cuts = [cut_plates(shot, rows, ground.looks.size) for shot in ground.shots]
    plates = []
    for c, cut in enumerate(cuts):
        places = [(c, int(row)) for row in rows]
        known = [memory.targets[place] for place in places if place in memory.targets]
        plates.append(look_at_plates(cut, ground.looks, ground.device, known if len(known) == len(rows) else None))
        memory.targets.update(zip(places, plates[c].target, strict=True))
    jaw = np.repeat([_JAW_TURN_RAD, _JAW_SHIFT_M], 3) ** -2.0
    expected = Expected(ground.expected[rows], ground.precision, begin, np.zeros(6), jaw, ground.contact.part(rows))
    views = [shot.view for shot in ground.shots]
    energy = DeepEnergy(ground.actor, appearance, views, plates, ground.looks, ground.trust, expected)
    if part.shades or any(row not in memory.skies for row in rows.tolist()):
        energy.shade(begin)
        assert energy.sky is not None
        skies = energy.sky.cpu().numpy().astype(np.float16)
    else:
        skies = np.stack([memory.skies[row] for row in rows.tolist()])
    # As it will be kept, so that a run that was stopped ends where another would.
    energy.sky = torch.from_numpy(skies.astype(np.float32)).to(ground.device)
    now, compared = begin, None
    for stage in part.stages:
        free = free_unknowns(stage, ground.actor, ground.regions, jaw_joint=ground.jaw_joint)
        energy.expect(replace(expected, start=now, pose_precision=np.repeat(stage.hold, 3) ** -2.0))
        ended = minimise(energy, now, stage.weights, free, stage.iterations, poll)
        now, compared = ended.state, ended.compared
    assert compared is not None
    error = np.full(len(rows), np.nan)
    if part.judged:  # by what the network still sees differently, whatever the stages looked at
        error = landmark_error_mm(energy.compare(now, EnergyWeights()))
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
        "sky": skies,
    }
    return found, (plates[0].fine[0].cpu().numpy(), render[0].cpu().numpy())


def _part_name(part: Pass, chunk: Rows) -> str:
    return f"{part.name}-{int(chunk[0]):07d}"


def _out_of_memory(problem: BaseException) -> bool:
    return isinstance(problem, MemoryError) or "memory" in str(problem).lower()
