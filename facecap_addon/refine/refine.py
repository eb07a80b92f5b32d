"""The refinement: a solved take and its footage in, a better take out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64, Bools, Rows
from ..errors import FacecapError
from ..fit.energies.expression_prior import load_prior
from ..fit.energies.weight_priors import channel_priors
from ..landmarks.layout import layout_of
from ..render.renderer import Appearance
from ..takes.corrections import CORRECTIONS
from ..takes.take import STATUS_INFILLED, STATUS_SOLVED, Take
from .chunk_store import ChunkStore
from .chunked_minimise import PassCache, RefineContext, measure_disagreement, minimise_in_chunks
from .energies.appearance import (
    SurfaceObservation,
    estimate_appearance,
    lit_appearance,
    observe_surface,
    own_appearance,
)
from .energies.contact import contact_of
from .energies.expected_weights import expected_weights
from .energies.landmark_bias import Disagreement, estimate_bias, measure_unlikeness
from .energies.landmark_weights import weights_of
from .failure import find_failed, measure_landmark_error
from .finished_solve import FinishedSolve
from .flow.gaps import Gaps, find_seen_aside, note_frames, plan_gaps, start_between
from .flow.optical_flow import OpticalFlow
from .flow.take_motion import TakeMotion
from .flow.temporal import smooth_corrections
from .guard import take_what_helped
from .networks.crop_ensemble import CropEnsemble
from .networks.landmark_module import LandmarkModule
from .parallel import cores
from .render_mesh import RenderMesh, build_render_mesh
from .schedule import Pass, key_regions, moves_slowly, pass_again, passes_of
from .settings import DeepSettings
from .shots import Shot
from .state import DeepState
from .take_state import parse_rows, state_of, with_state

REFERENCE_FRAMES, BIAS_FRAMES = 12, 48
SAME_FACE_MM = 1.55
"""Proportions of a character with the actor's face are seen to differ by less than this; see docs/refine.md."""


@dataclass(frozen=True)
class Callbacks:
    """Who is told how things go.

    Attributes:
        progress: called with (stage, frames done, frames in all); it may raise to cancel.
        picture: called with a row, the footage's crop and the render's, (S, S, 3) float32 in 0..1 each.
    """

    progress: Callable[[str, int, int], None]
    picture: Callable[[int, NDArray[np.float32], NDArray[np.float32]], None]


@dataclass(frozen=True)
class RefineResult:
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


@dataclass(frozen=True)
class PictureModels:
    """What looks at pictures.

    Attributes:
        network: finds landmarks.  flow: finds the motion between frames.  device: torch's, where the network computes.
        threads: of the processor's cores; None: all.
    """

    network: LandmarkModule
    flow: OpticalFlow
    device: str = "cpu"
    threads: int | None = None

    @property
    def workers(self) -> int:
        """How many pieces of work go on at once; a card works on one after the other."""
        return min(self.threads or cores(), cores()) if self.device == "cpu" else 1


class Refinement:
    """A take refined by deep energies.

    Args:
        solve: what to start from.  shots: cameras, the take's own first.
        models: the network of the embedding's scheme.  callbacks: who is told.  store: earlier parts.
        rows: first and last row to refine; None: all.
    Raises:
        FacecapError: the network sees other landmarks than the character has.
    """

    def __init__(
        self,
        solve: FinishedSolve,
        shots: list[Shot],
        models: PictureModels,
        settings: DeepSettings,
        callbacks: Callbacks,
        store: ChunkStore,
        *,
        rows: tuple[int, int] | None = None,
    ) -> None:
        take, rig, embedding = solve.take, solve.rig, solve.embedding
        network, device = models.network, models.device
        if network.scheme != embedding.scheme:
            raise FacecapError(
                f"The character has {embedding.scheme} landmarks, the network sees {network.scheme}.",
                "Solve with the same landmark network first.",
            )
        self.take, self.settings, self.callbacks, self.store = take, settings, callbacks, store
        self.mesh = _hold_unobserved(build_render_mesh(rig, embedding, device), take.not_observed)
        # Cameras stand around the character as it is; here it is drawn life size.
        self.shots = [replace(shot, view=shot.view.scale(1 / self.mesh.scale)) for shot in shots]
        self.workers = models.workers
        self.first, self.last = rows if rows is not None else (0, take.frame_count - 1)
        solved = take.status == STATUS_SOLVED
        self.seen_aside = find_seen_aside(self.shots, solved)
        self.start = start_between(state_of(take, self.mesh), solved, take.time_s)
        measured = load_prior() if layout_of(network.scheme).count == 478 else None
        trained = measured if settings.prior > 0 else None
        self.priors = channel_priors(take.channels, trained, settings.prior, settings.smoothness)
        self.motion = TakeMotion(self.mesh, self.shots, models.flow, take.time_s, self.priors, self.workers, store)
        self.usual_precision = channel_priors(take.channels, measured, 1.0, 1.0).precision
        expected = expected_weights(take, solve.observations, rig.ranges, trained, self.priors)
        expected[self.seen_aside] = self.start.weights[self.seen_aside]
        ensemble = CropEnsemble(network, settings.looks, device)
        landmark_weights, precision = weights_of(network.scheme), self.priors.precision
        self.context = RefineContext(
            self.mesh,
            self.shots,
            ensemble,
            landmark_weights,
            expected,
            precision,
            contact_of(self.mesh, solve.observations, np.arange(take.frame_count)),
            key_regions(self.mesh),
            settings.jaw_joint,
            device,
            self.workers,
            store,
        )
        self._cache, self._short_of_memory, self._notes = PassCache(), False, list[str]()
        # The paper's stages move all keys by the network, and estimate skin and light for its sake.
        self.by_picture = settings.picture > 0 or settings.schedule == "paper"

    def run(self) -> RefineResult:
        solved = self.take.status == STATUS_SOLVED
        named = parse_rows(self.settings.infill_frames, self.take) & self._rows_in_range()
        good = self._rows_in_range() & (solved | self.seen_aside) & ~named
        rows = np.flatnonzero(good)
        if not len(rows):
            raise FacecapError("There is no solved frame to refine in this range.", "Solve it first.")
        state = self.start.part(slice(None))
        if self.settings.schedule == "refine":
            self._find_likeness()
        appearance = self._find_appearance(state)
        if self.settings.schedule == "paper":  # what its stages move is built up; the rest is the solve's
            state.weights[:, np.isin(self.context.regions, ("jaw", "mouth"))] = 0.0
            state.weights[:] = np.clip(state.weights, self.mesh.low, self.mesh.high)
            state.jaw[:] = 0.0
        *before, face = passes_of(self.settings, len(self.shots), by_picture=self.by_picture)
        for part in before:
            self._minimise(part, rows, state, appearance)
            state = self._refine_in_time(state, good)
            if part.updates_appearance:  # colours are read off the footage more sharply where the face lies right
                appearance = self._find_appearance(state)
        energy, error = self._minimise(face, rows, state, appearance)
        begun = self._look_at(rows, self.start, appearance, "compare frames")
        bad = np.zeros(self.take.frame_count, bool)
        bad[rows] = find_failed(
            error[rows],
            measure_landmark_error(begun.away_mm, begun.seen),
            energy[rows],
            state.part(rows),
            self.start.part(rows),
            self.context.expected[rows],
            self.usual_precision,
        )
        if bad[rows].all():
            raise FacecapError(
                "None of the frames could be refined: what the network sees of the renders makes no sense.",
                "Look at the solve this starts from, and at the character's landmarks.",
            )
        state.put(bad, self.start.part(bad))
        gaps = self._plan_gaps(named, good & ~bad)
        # Another face's renders move in another way: what flow gets wrong on them says nothing of the footage.
        look = appearance[0] if self.by_picture else None
        infilled = self.motion.fill(state, gaps, look, partial(self.callbacks.progress, "infill"))
        state = self._refine_in_time(state, (good & ~bad) | infilled)
        if self.settings.reestimate and self.settings.temporal != "none" and self.by_picture:
            again, part = np.flatnonzero(good & ~bad), pass_again(self.settings)
            before = state.part(slice(None))
            energy, _ = self._minimise(part, again, state, appearance)
            lost = good & ~bad & ~np.isfinite(energy)
            state.put(lost, before.part(lost))
        if not self.by_picture:
            self._keep_better(state, good & ~bad, appearance, begun.part(~bad[rows]))
        aside = self.seen_aside & good & ~bad
        self._notes += note_frames(bad, infilled, aside, gaps.left)
        if self._short_of_memory:
            self._notes.append("Memory was short: fewer frames were worked on at once, which takes longer.")
        return self._make_result(state, good & ~bad, infilled, bad, np.where(good, error, np.nan))

    def _find_likeness(self) -> None:
        """Whether the character has the actor's face, and if not, what the network always sees differently of both."""
        asked = self.settings.likeness
        if asked == "same" and self.by_picture:
            return
        note = "Compared is what changes in the landmarks; the picture has no influence."
        if asked == "auto":
            away_mm = self.measure_unlikeness()
            if away_mm < SAME_FACE_MM and self.by_picture:
                return
            if away_mm >= SAME_FACE_MM:
                note = (
                    f"The character's face is not the actor's (proportions differ by {away_mm:.1f} mm): "
                    "compared is what changes in them."
                )
        self.by_picture = False
        bias = self._find_bias(BIAS_FRAMES, self._own_looks())
        self.context = replace(self.context, bias_mm=bias, darkens_folds=False, expected=self.start.weights)
        self._notes.append(note)

    def measure_unlikeness(self) -> float:
        """By how much the character's proportions and the actor's are seen to differ, mm."""
        look = lit_appearance(self.mesh, self._sightings(self.shots[0], self.start))
        bias, trusted = self._find_bias(REFERENCE_FRAMES, [look] * len(self.shots)), self.context.landmark_weights
        return measure_unlikeness(bias[0], trusted.spans[trusted.proportions])

    def _find_bias(self, count: int, looks: list[Appearance]) -> list[F64]:
        """(L, 3) mm of each camera: what is always different in so many frames of the start, drawn so."""
        rows = np.flatnonzero(self.shots[0].seen & (self.take.status == STATUS_SOLVED))
        rows = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.intp)]
        seen = self._look_at(rows, self.start, looks, "likeness")
        return [estimate_bias(seen, shot.view, c, shot.seen[rows]) for c, shot in enumerate(self.shots)]

    def _own_looks(self) -> list[Appearance]:
        return [own_appearance(self.mesh)] * len(self.shots)

    def _find_appearance(self, state: DeepState) -> list[Appearance]:
        if not self.by_picture:
            return self._own_looks()
        return [self._estimate_appearance(shot, state) for shot in self.shots]

    def _look_at(self, rows: Rows, state: DeepState, appearance: list[Appearance], stage: str) -> Disagreement:
        return measure_disagreement(
            *(self.context, rows, state, appearance, self._cache),
            lambda done: self.callbacks.progress(stage, done, len(rows)),
        )

    def _keep_better(
        self, state: DeepState, refined: Bools, appearance: list[Appearance], before: Disagreement
    ) -> None:
        """Give regions that the network does not see better than at the start their start again, in place.

        Args:
            before: of the refined rows, at the start.
        """
        rows = np.flatnonzero(refined)
        after = self._look_at(rows, state, appearance, "compare frames")
        guarded = take_what_helped(
            *(before, after, self.start.part(rows), state.part(rows), self.context.landmark_weights),
            *(self.context.ensemble.network.scheme, self.context.regions, self.take.time_s[rows]),
        )
        state.put(rows, guarded.state)
        kept = [f"{name} in {int((of < 0.5).sum())}" for name, of in guarded.share.items() if (of < 0.5).any()]
        if kept:
            self._notes.append(
                f"Not better than the solve, which is kept there: {', '.join(kept)} of {len(rows)} frames."
            )

    def _rows_in_range(self) -> NDArray[np.bool_]:
        inside = np.arange(self.take.frame_count)
        return (inside >= self.first) & (inside <= self.last)

    def _estimate_appearance(self, shot: Shot, state: DeepState) -> Appearance:
        """Albedo and light."""
        sightings = self._sightings(shot, state)
        return estimate_appearance(self.mesh, sightings, own_colors=self.settings.albedo == "own")

    def _sightings(self, shot: Shot, state: DeepState) -> list[SurfaceObservation]:
        """The surface in frames spread over the whole take, the calmest or the one named among them."""
        seen = np.flatnonzero(shot.seen & (self.take.status == STATUS_SOLVED))
        if not len(seen):
            raise FacecapError("A camera shows no face in this take.", "Leave it out.")
        activity = np.abs(self.take.weights[seen]).sum(1)
        calm = seen[int(np.argmin(activity))]
        if self.settings.reference_frame is not None:
            calm = seen[int(np.argmin(np.abs(seen - self.settings.reference_frame)))]
        spread = seen[np.linspace(0, len(seen) - 1, min(REFERENCE_FRAMES, len(seen))).astype(np.intp)]
        chosen = np.unique(np.append(spread, calm))
        self.callbacks.progress("look", 0, len(chosen))
        sightings = []
        for i, row in enumerate(chosen.tolist()):
            sightings.append(observe_surface(self.mesh, state.part(np.array([row])), shot.view, shot.picture(row)))
            self.callbacks.progress("look", i + 1, len(chosen))
        return sightings

    def _minimise(self, part: Pass, rows: Rows, state: DeepState, appearance: list[Appearance]) -> tuple[F64, F64]:
        """Lower the energy of some rows of a state, in place; (F,) energy and landmark error where they ended."""

        def report(done: int) -> None:
            self.callbacks.progress(part.name, done, len(rows))

        ended = minimise_in_chunks(
            self.context, part, rows, state, appearance, self._cache, report, self.callbacks.picture
        )
        self._short_of_memory |= ended.short_of_memory
        return ended.energy, ended.error_mm

    def _plan_gaps(self, named: Bools, refined: Bools) -> Gaps:
        """Which frames flow solves: those that are named and, if that is wished for, all without a result."""
        inside = self._rows_in_range()
        present = refined | (~inside & (self.take.status == STATUS_SOLVED))
        wanted = inside & ~present if self.settings.infill else named
        return plan_gaps(wanted, present, inside, self.take.time_s, self.settings.longest_gap_s)

    def _refine_in_time(self, state: DeepState, good: NDArray[np.bool_]) -> DeepState:
        """Temporal refinement of the rows of the range."""
        inside = good & self._rows_in_range()
        smoothness = self.settings.smoothness
        if smoothness == 0 or self.settings.temporal == "none" or inside.sum() < 3:
            return state
        if not self.by_picture and self.settings.temporal in ("hybrid", "averaging"):
            slow = moves_slowly(self.context.regions)
            return smooth_corrections(self.mesh, self.start, state, inside, self.take.time_s, slow, smoothness)
        return self.motion.refine_in_time(
            state,
            inside,
            inside & ~self.seen_aside,
            self.usual_precision * 25,
            self.settings.temporal,
            smoothness,
            self.callbacks.progress,
        )

    def _make_result(
        self, state: DeepState, refined: Bools, infilled: Bools, bad: Bools, error_mm: F64
    ) -> RefineResult:
        take = with_state(self.take, state, refined | infilled, self.mesh)
        status = take.status.copy()
        status[infilled | (refined & self.seen_aside)] = STATUS_INFILLED
        # Frames that were corrected are others now: they can be solved around again.
        known = {name: facts for name, facts in take.provenance.items() if name != CORRECTIONS}
        provenance = {**known, "method": "deep energies"}
        return RefineResult(replace(take, status=status, provenance=provenance), self._notes, bad, error_mm)


def _hold_unobserved(mesh: RenderMesh, not_observed: tuple[str, ...]) -> RenderMesh:
    """The character with channels that the footage cannot show held at rest."""
    low, high = mesh.low.copy(), mesh.high.copy()
    for channel in not_observed:
        k = mesh.channels.index(channel)
        low[k] = high[k] = 0.0
    return replace(mesh, low=low, high=high)
