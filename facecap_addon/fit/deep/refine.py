"""The refinement: a solved take and its footage in, a better take out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...landmarks.layout import layout_of
from ...rig.blendshapes import BlendshapeRig
from ...rig.embedding import LandmarkEmbedding
from ...takes.take import STATUS_INFILLED, STATUS_MISSING, STATUS_SOLVED, Take
from ..channel_priors import channel_priors
from ..prior import load_prior
from .actor import Actor, actor_of
from .appearance import estimate_appearance, sight
from .energy import DeepEnergy, EnergyWeights, Expected
from .failure import failed, landmark_error_mm
from .infill import gaps_of, infill
from .landmark_module import LandmarkModule
from .looks import Looks
from .minimise import minimise
from .motion import face_motion
from .plate_flow import DisFlow, PlateFlow
from .schedule import Pass, Stage, free_unknowns, pass_again, passes_of
from .settings import DeepSettings
from .shots import Shot, plates_of
from .state import DeepState
from .take_state import rows_in, state_of, with_state
from .temporal import refine_in_time
from .tracers import spread_tracers
from .weights import weights_of

F64 = NDArray[np.float64]
Rows = NDArray[np.intp]

CHUNK_FRAMES, REFERENCE_FRAMES = 8, 12
# The jaw joint is held this closely to its rest.
_JAW_TURN_RAD, _JAW_SHIFT_M = 0.1, 0.004


class Kept(Protocol):
    """Keeps finished parts, so that a run that was stopped goes on."""

    def load(self, name: str) -> dict[str, NDArray] | None:
        """The arrays kept under a name, or None."""
        ...

    def save(self, name: str, arrays: dict[str, NDArray]) -> None:
        """Keep arrays, completely or not at all."""
        ...


@dataclass(frozen=True)
class Watch:
    """Who is told how things go.

    Attributes:
        progress: called with (stage, frames done, frames in all); it may raise to cancel.
        picture: called with a row, the footage's crop and the render's, (S, S, 3) float32 in 0..1 each.
    """

    progress: Callable[[str, int, int], None]
    picture: Callable[[int, NDArray[np.float32], NDArray[np.float32]], None]


@dataclass(frozen=True)
class Refined:
    """What came out.

    Attributes:
        take: refined.  notes: sentences for the user.
        failed: (F,) bool, frames whose energies ended somewhere implausible.
        error_mm: (F,) what the network still sees differently, NaN where it did not look.
    """

    take: Take
    notes: list[str]
    failed: NDArray[np.bool_]
    error_mm: F64


def refine_take(
    take: Take,
    expected: F64,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    shots: list[Shot],
    network: LandmarkModule,
    settings: DeepSettings,
    watch: Watch,
    kept: Kept,
    *,
    rows: tuple[int, int] | None = None,
    flow: PlateFlow | None = None,
    device: str = "cpu",
) -> Refined:
    """Refine a take by deep energies.

    Args:
        take: of F frames.  expected: (F, K), what is expected of weights (see `prior_mean`).
        rig, embedding: the character.  shots: cameras, the take's own first.
        network: of the embedding's scheme.  kept: earlier parts.  rows: first and last row to refine; None: all.
        flow: of the footage; None: OpenCV's DIS.
    Raises:
        FacecapError: the face does not look at the camera, or no frame could be refined.
    """
    if network.scheme != embedding.scheme:
        raise FacecapError(
            f"The character has {embedding.scheme} landmarks, the network sees {network.scheme}.",
            "Solve with the same landmark network first.",
        )
    return _Refinement(take, expected, rig, embedding, shots, network, settings, watch, kept, rows, flow, device).run()


class _Refinement:
    def __init__(
        self,
        take: Take,
        expected: F64,
        rig: BlendshapeRig,
        embedding: LandmarkEmbedding,
        shots: list[Shot],
        network: LandmarkModule,
        settings: DeepSettings,
        watch: Watch,
        kept: Kept,
        rows: tuple[int, int] | None,
        flow: PlateFlow | None,
        device: str,
    ) -> None:
        self.take, self.settings, self.watch, self.kept, self.shots = take, settings, watch, kept, shots
        self.actor = _without(actor_of(rig, embedding, device), take.not_observed)
        self.looks = Looks(network, settings.looks, device)
        self.trust = weights_of(network.scheme)
        self.device, self.expected = device, expected
        self.flow: PlateFlow = DisFlow() if flow is None else flow
        self.first, self.last = rows if rows is not None else (0, take.frame_count - 1)
        self.start = state_of(take, self.actor)
        trained = load_prior() if layout_of(network.scheme).count == 478 and settings.prior > 0 else None
        self.priors = channel_priors(take.channels, trained, settings.prior, settings.smoothness)
        self.chunk = CHUNK_FRAMES
        self._said = ("head", 0, 0)

    def run(self) -> Refined:
        good = self._range() & (self.take.status == STATUS_SOLVED) & ~rows_in(self.settings.infill_frames, self.take)
        rows = np.flatnonzero(good)
        if not len(rows):
            raise FacecapError("There is no solved frame to refine in this range.", "Solve it first.")
        appearance = [self._appearance(shot, rows) for shot in self.shots]
        state = self.start.part(slice(None))
        *before, face = passes_of(self.settings)
        for part in before:
            self._lower(part, rows, state, appearance)
            state = self._in_time(state, good)
        energy, error = self._lower(face, rows, state, appearance)
        bad = np.zeros(self.take.frame_count, bool)
        bad[rows] = failed(
            error[rows],
            energy[rows],
            state.part(rows),
            self.start.part(rows),
            self.expected[rows],
            self.priors.precision,
        )
        if bad[rows].all():
            raise FacecapError(
                "None of the frames could be refined: what the network sees of the renders makes no sense.",
                "Look at the solve this starts from, and at the character's landmarks.",
            )
        state.put(bad, self.start.part(bad))
        infilled = self._infill(state, good & ~bad)
        state = self._in_time(state, (good & ~bad) | infilled)
        if self.settings.reestimate and self.settings.temporal != "none":
            again, part = np.flatnonzero(good & ~bad), pass_again(self.settings)
            held = state.part(slice(None))
            energy, _ = self._lower(part, again, state, appearance)
            lost = good & ~bad & ~np.isfinite(energy)
            state.put(lost, held.part(lost))
        return self._result(state, good, bad, infilled, error)

    def _range(self) -> NDArray[np.bool_]:
        inside = np.arange(self.take.frame_count)
        return (inside >= self.first) & (inside <= self.last)

    def _appearance(self, shot: Shot, rows: Rows):
        """Albedo and light, from frames spread over the take, the calmest or the one named among them."""
        seen = rows[shot.seen[rows]]
        if not len(seen):
            raise FacecapError("A camera shows no face in this range.", "Leave it out, or choose another range.")
        activity = np.abs(self.take.weights[seen]).sum(1)
        calm = seen[int(np.argmin(activity))]
        if self.settings.reference_frame is not None:
            calm = seen[int(np.argmin(np.abs(seen - self.settings.reference_frame)))]
        spread = seen[np.linspace(0, len(seen) - 1, min(REFERENCE_FRAMES, len(seen))).astype(np.intp)]
        chosen = np.unique(np.append(spread, calm))
        self.watch.progress("look", 0, len(chosen))
        sightings = []
        for i, row in enumerate(chosen.tolist()):
            sightings.append(sight(self.actor, self.start.part(np.array([row])), shot.view, shot.picture(row)))
            self.watch.progress("look", i + 1, len(chosen))
        return estimate_appearance(self.actor, sightings, own_colors=self.settings.albedo == "own")

    def _lower(self, part: Pass, rows: Rows, state: DeepState, appearance: list) -> tuple[F64, F64]:
        """Lower the energy of some rows of a state, in place, chunk by chunk; finished chunks are kept.

        Returns:
            (F,) energy and (F,) landmark error in mm where they ended; infinite elsewhere.
        """
        energy, error = (np.full(self.take.frame_count, np.inf) for _ in range(2))
        done, name = 0, part.name
        while done < len(rows):
            self._said = (name, done, len(rows))
            self.watch.progress(*self._said)
            chunk = rows[done : done + self.chunk]
            kept = self.kept.load(_part_name(name, chunk[0]))
            if kept is None or not np.array_equal(kept["rows"], chunk):
                try:
                    kept = self._lower_chunk(chunk, state, appearance, part.stages)
                except (MemoryError, RuntimeError) as error:
                    if self.chunk == 1 or not _out_of_memory(error):
                        raise
                    self.chunk //= 2
                    continue
                self.kept.save(_part_name(name, chunk[0]), kept)
            state.put(chunk, DeepState(kept["rotation"], kept["translation"], kept["weights"], kept["jaw"]))
            energy[chunk], error[chunk] = kept["energy"], kept["error_mm"]
            done += len(chunk)
        self.watch.progress(name, len(rows), len(rows))
        return energy, error

    def _poll(self) -> None:
        """Say the same again, so that a cancel gets through between two steps."""
        self.watch.progress(*self._said)

    def _lower_chunk(
        self, rows: Rows, state: DeepState, appearance: list, stages: tuple[Stage, ...]
    ) -> dict[str, NDArray]:
        plates = [plates_of(shot, rows, self.looks, self.device) for shot in self.shots]
        begin = state.part(rows)
        jaw = np.repeat([_JAW_TURN_RAD, _JAW_SHIFT_M], 3) ** -2.0
        expected = Expected(self.expected[rows], self.priors.precision, begin, np.zeros(6), jaw)
        views = [shot.view for shot in self.shots]
        energy = DeepEnergy(self.actor, appearance, views, plates, self.looks, self.trust, expected)
        energy.shade(begin)
        now, compared = begin, None
        for stage in stages:
            free = free_unknowns(stage, self.actor, jaw_joint=self.settings.jaw_joint)
            energy.expect(replace(expected, start=now, pose_precision=np.repeat(stage.hold, 3) ** -2.0))
            ended = minimise(energy, now, stage.weights, free, stage.iterations, self._poll)
            now, compared = ended.state, ended.compared
        assert compared is not None
        # Whatever a stage looked at: what the network still sees differently says whether to believe the frame.
        looked = compared if stages[-1].weights.network > 0 else energy.compare(now, EnergyWeights())
        render = energy.renders(now, 0)
        self.watch.picture(int(rows[0]), plates[0].fine[0].cpu().numpy(), render[0].cpu().numpy())
        return {
            "rows": rows,
            "rotation": now.rotation,
            "translation": now.translation,
            "weights": now.weights,
            "jaw": now.jaw,
            "energy": compared.energy,
            "error_mm": landmark_error_mm(looked),
        }

    def _infill(self, state: DeepState, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Solve gaps by flow, in place; returns (F,) which frames."""
        filled = np.zeros(len(good), bool)
        if not self.settings.infill:
            return filled
        wanted = self._range() & ~good
        present = good | (~self._range() & (self.take.status == STATUS_SOLVED))
        gaps = [gap for gap in gaps_of(~present) if wanted[gap[0] : gap[1] + 1].all()]
        time_s, tracers, shot = self.take.time_s, spread_tracers(self.actor), self.shots[0]
        total = sum(last - first + 1 for first, last in gaps)
        done = 0
        for first, last in gaps:
            if time_s[last + 1] - time_s[first - 1] > self.settings.longest_gap_s:
                continue
            pictures = {row: shot.picture(row) for row in range(first - 1, last + 2)}

            def say(done: int = done) -> None:
                self.watch.progress("infill", done, total)

            found = infill(
                self.actor, tracers, shot.view, state, (first, last), pictures, time_s, self.flow,
                self.priors.precision, self.priors.smooth, say,
            )  # fmt: skip
            rows = np.arange(first, last + 1)
            state.put(rows, found)
            filled[rows] = True
            done += len(rows)
        return filled

    def _in_time(self, state: DeepState, good: NDArray[np.bool_]) -> DeepState:
        """Temporal refinement of the rows of the range."""
        inside = good & self._range()
        if self.settings.temporal == "none" or inside.sum() < 3:
            return state
        tracers, shot, time_s = spread_tracers(self.actor), self.shots[0], self.take.time_s
        count = int(inside.sum())

        def say(done: int) -> None:
            self.watch.progress("flow", done, count)

        motion = face_motion(self.actor, tracers, shot, state, inside, time_s, self.flow, self.kept, say)
        return refine_in_time(
            self.actor,
            tracers,
            shot.view,
            state,
            motion,
            inside,
            time_s,
            self.priors.precision * 25,
            method=self.settings.temporal,
            on_frame=lambda row: self.watch.progress("time", row, self.take.frame_count),
        )

    def _result(
        self, state: DeepState, good: NDArray[np.bool_], bad: NDArray[np.bool_], infilled: NDArray[np.bool_], error: F64
    ) -> Refined:
        changed = (good & ~bad) | infilled
        take = with_state(self.take, state, changed, self.actor)
        status = take.status.copy()
        status[infilled] = STATUS_INFILLED
        by_hand = rows_in(self.settings.infill_frames, self.take) & self._range()
        status[by_hand & ~infilled] = STATUS_MISSING
        notes = []
        left = bad & ~infilled
        if bad.any():
            where = ", ".join(str(row) for row in np.flatnonzero(bad)[:10])
            how = "were solved by optical flow" if not left.any() else "keep the solve they started from"
            notes.append(
                f"{int(bad.sum())} frames could not be refined ({where}{', …' if bad.sum() > 10 else ''}) and {how}."
            )
        if infilled.any():
            notes.append(f"{int(infilled.sum())} frames were solved by optical flow from their neighbours.")
        if self.chunk < CHUNK_FRAMES:
            notes.append("Memory was short: fewer frames were worked on at once, which takes longer.")
        seen = np.where(good, error, np.nan)
        provenance = {**take.provenance, "method": "deep energies"}
        return Refined(replace(take, status=status, provenance=provenance), notes, bad, seen)


def _without(actor: Actor, not_observed: tuple[str, ...]) -> Actor:
    """The character with channels that the footage cannot show held at rest."""
    low, high = actor.low.copy(), actor.high.copy()
    for channel in not_observed:
        k = actor.channels.index(channel)
        low[k] = high[k] = 0.0
    return replace(actor, low=low, high=high)


def _part_name(name: str, row: int) -> str:
    return f"{name}-{int(row):07d}"


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error).lower()
