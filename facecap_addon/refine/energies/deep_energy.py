"""The deep energies of some frames: landmarks, edges and the picture itself, compared between footage and render.

    E = 1/2 Σ w ρ(N(F*) - N(F))²                    energy 1: what the network sees        (Bao et al. section 8.1)
      + 1/2 e Σ w |Δ N(F*) - Δ N(F)|²               energy 2: differences of neighbours    (the same)
      + 1/2 s Σ w ρ(Δ N(F*) - Δ N(F))²              spans: nose to mouth, eyes to brows    (as in the fit)
      + 1/2 c Σ ρ(B F* - B F)²                      the picture, band-passed by B
      + 1/2 (w - m)ᵀ P (w - m) + 1/2 λ |w|²         what is expected of weights            (section 8.2)
      + 1/2 |p - p₀|² / σ²                          pose near its start, jaw near rest     (section 5)
      + 1/2 Σ k max(gap, 0)²                        lips and lids that are seen to touch   (`contact`)

Landmark residuals are in millimetres at the face, minus what is always there (`landmark_bias`). ρ is Geman and
McClure's loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F32, F64
from ...fit.least_squares.levenberg_marquardt import robust_factor, robust_loss
from ...render.ambient_occlusion import measure_ambient_occlusion
from ...render.renderer import Appearance, background_of, pool_pixels, render
from ...render.shading import vertex_normals
from ..networks.crop_ensemble import FINER, CropEnsemble
from ..render_mesh import RenderMesh
from ..state import DeepState, camera_points, head_points, measure_offsets
from ..views import Plates, View, project_to_crop
from .contact import Contact, contact_energy, contact_equations
from .derivatives import differentiate_landmarks, differentiate_network, differentiate_picture
from .landmark_bias import project_bias
from .landmark_weights import LandmarkWeights
from .picture_bands import ROBUST_PIXEL, band_pass, band_pass_derivatives, compared_pixels, weigh_pixels

ROBUST_MM = 4.0


@dataclass(frozen=True)
class EnergyWeights:
    """What a stage minimises.

    Attributes:
        landmarks: group of `LandmarkWeights.of`.  network: factor on energy 1.
        edges: factor on energy 2.  spans: factor on spans.  If all three are 0, the network is left out.
        picture: factor on the picture's term.  blur_px: its finest detail, crop pixels.
        ridge: λ of L2 on the weights.  robust_mm: landmarks off by more than this lose their pull.
        by_geometry: whether what the network sees is taken to move as the surface does, instead of by its derivative.
    """

    landmarks: str = "all"
    network: float = 1.0
    edges: float = 0.0
    spans: float = 0.0
    picture: float = 0.0
    blur_px: float = 2.0
    ridge: float = 0.0
    robust_mm: float = ROBUST_MM
    by_geometry: bool = False

    @property
    def looks(self) -> bool:
        """Whether the network takes part."""
        return self.network > 0 or self.edges > 0 or self.spans > 0


@dataclass(frozen=True)
class Expected:
    """What is expected of N frames before looking at them.

    Attributes:
        weights: (N, K).  precision: (K, K).
        start: the pose is held near this state's.  pose_precision: (6,) per rad² and m².
        jaw_precision: (6,), the same, of the jaw joint about its rest, wherever a stage finds it.
        contact: lips and lids that are seen to touch, or None.
    """

    weights: F64
    precision: F64
    start: DeepState
    pose_precision: F64
    jaw_precision: F64
    contact: Contact | None = None

    def part(self, frames: NDArray[np.intp]) -> Expected:
        """That of some frames."""
        contact = None if self.contact is None else self.contact.part(frames)
        return replace(self, weights=self.weights[frames], start=self.start.part(frames), contact=contact)


@dataclass(frozen=True)
class Comparison:
    """How far renders of N frames are from the footage.

    Attributes:
        energy: (N,) float64.
        landmark_mm: (N, C, L, 2) float64, C cameras.
        picture: per frame and camera, (Q, 3) float32 residuals of the band-passed picture at the compared pixels.
    """

    energy: F64
    landmark_mm: F64
    picture: list[list[F32]]

    def part(self, frames: NDArray[np.intp]) -> Comparison:
        """That of some frames."""
        return Comparison(self.energy[frames], self.landmark_mm[frames], [self.picture[f] for f in frames])


class DeepEnergy:
    """The energy of N frames seen by one or several cameras.

    Args:
        mesh: the character.  appearance: albedo and light (one per camera), without ambient occlusion.
        views: cameras.  plates: what each saw.  ensemble: the network.
        landmark_weights: how far each landmark is trusted.  expected: priors.
        bias_mm: (L, 3) per camera, head space: what the network is known to see differently; None: nothing.
    """

    def __init__(
        self,
        mesh: RenderMesh,
        appearance: list[Appearance],
        views: list[View],
        plates: list[Plates],
        ensemble: CropEnsemble,
        landmark_weights: LandmarkWeights,
        expected: Expected,
        bias_mm: list[F64] | None = None,
    ) -> None:
        self.mesh, self.appearance, self.views, self.plates = mesh, appearance, views, plates
        self.ensemble, self.landmark_weights, self.expected = ensemble, landmark_weights, expected
        self.bias_mm = bias_mm
        self.ambient_occlusion: Tensor | None = None
        self._masks = [
            [compared_pixels(plate.target[n], ensemble.size) for n in range(len(plate.seen))] for plate in plates
        ]

    def part(self, frames: NDArray[np.intp]) -> DeepEnergy:
        """The energy of some of the frames."""
        out = DeepEnergy(
            self.mesh,
            self.appearance,
            self.views,
            [plate.part(frames) for plate in self.plates],
            self.ensemble,
            self.landmark_weights,
            self.expected.part(frames),
            self.bias_mm,
        )
        out.ambient_occlusion = (
            None if self.ambient_occlusion is None else self.ambient_occlusion[torch.from_numpy(frames)]
        )
        return out

    def expect(self, expected: Expected) -> None:
        """Other priors for the same frames; what is compared stays."""
        self.expected = expected

    def update_occlusion(self, state: DeepState) -> None:
        """Measure the surface's ambient occlusion in this state; it is kept from then on."""
        points = head_points(self.mesh, state.weights, state.jaw)
        normals = vertex_normals(points, self.mesh.topology.triangles)
        triangles = self.mesh.topology.triangles
        self.ambient_occlusion = torch.stack(
            [measure_ambient_occlusion(p, n, triangles) for p, n in zip(points, normals, strict=True)]
        )

    def renders(self, state: DeepState, view: int) -> Tensor:
        """(N, 2S, 2S, 3) sRGB: the character as a camera would see it, on the footage's crops."""
        plates = self.plates[view]
        points, places, depth = project_to_crop(
            camera_points(self.mesh, state), self.views[view], plates.image_from_fine
        )
        side = FINER * self.ensemble.size
        look = self._appearance(view)
        with torch.no_grad():
            return render(points, places, depth, self.mesh.topology, look, background_of(plates.fine), (side, side))

    def compare(self, state: DeepState, parts: EnergyWeights) -> Comparison:
        """Render, look, compare."""
        count, cameras = len(state.weights), len(self.views)
        weights = self.landmark_weights.of(parts.landmarks)
        energy = self._expectation(state, parts)
        landmarks = np.zeros((count, cameras, len(weights), 2))
        picture: list[list[F32]] = [[] for _ in range(count)]
        for c, (view, plates) in enumerate(zip(self.views, self.plates, strict=True)):
            fine = self.renders(state, c)
            if parts.looks:
                with torch.no_grad():
                    found = self.ensemble(fine)
                scale = plates.pixel_mm(view, self._depth(state, view), FINER)
                away = (found - plates.target).cpu().numpy().astype(np.float64) * scale[:, None, None]
                if self.bias_mm is not None:
                    turn = self.expected.start.rotation  # as the depth: a step does not change what is compared
                    away -= project_bias(self.bias_mm[c], turn, view, plates.image_from_fine)
                landmarks[:, c] = away * plates.seen[:, None, None]
                energy += self._landmark_energy(landmarks[:, c], weights, parts)
            if parts.picture > 0:
                difference = pool_pixels(fine - plates.fine, FINER).cpu().numpy()
                for n in range(count):
                    band = band_pass(difference[n], parts.blur_px)[self._masks[c][n]] * np.float32(plates.seen[n])
                    picture[n].append(band)
                    squared = (band**2).sum(-1, dtype=np.float64)
                    energy[n] += 0.5 * weigh_pixels(parts.picture) * (squared / (1 + squared / ROBUST_PIXEL)).sum()
        energy[~np.isfinite(energy)] = np.inf
        return Comparison(energy, landmarks, picture)

    def normal_equations(
        self, state: DeepState, compared: Comparison, parts: EnergyWeights, free: NDArray[np.bool_]
    ) -> tuple[F64, F64]:
        """JᵀWJ (N, U, U) and JᵀWr (N, U) at a state that has been compared; only the free (U,) unknowns move."""
        count, unknowns = len(state.weights), self.mesh.unknowns
        matrix, gradient = np.zeros((count, unknowns, unknowns)), np.zeros((count, unknowns))
        columns = np.flatnonzero(free)
        block = np.ix_(columns, columns)
        weights = self.landmark_weights.of(parts.landmarks)
        for c, view in enumerate(self.views):
            seen = np.flatnonzero(self.plates[c].seen)
            drawn, moved = [], []
            if parts.looks and parts.by_geometry:
                scale = self.plates[c].pixel_mm(view, self._depth(state, view), FINER)
                for n in seen.tolist():
                    one = np.array([n])
                    j = differentiate_landmarks(self.mesh, state.part(one), view, self.plates[c].part(one), columns)
                    away = compared.landmark_mm[n, c]
                    self._add_landmarks(matrix[n], gradient[n], block, j * scale[n], away, weights, parts)
                if parts.picture == 0:
                    continue
            for n in seen.tolist():
                one = np.array([n])
                picture, change = differentiate_picture(
                    self.mesh,
                    state.part(one),
                    view,
                    self.plates[c].part(one),
                    self._appearance(c, n),
                    self.ensemble.size,
                    columns,
                )
                if parts.picture > 0:
                    self._add_picture(matrix[n], gradient[n], block, change, compared.picture[n][c], c, n, parts)
                if parts.looks and not parts.by_geometry:
                    drawn.append(picture)
                    moved.append(change)
            if drawn:
                scale = self.plates[c].pixel_mm(view, self._depth(state, view), FINER)[seen]
                by_unknown = differentiate_network(self.ensemble.network, torch.stack(drawn), moved)
                for n, mm, j in zip(seen.tolist(), scale, by_unknown, strict=True):
                    away = compared.landmark_mm[n, c]
                    self._add_landmarks(matrix[n], gradient[n], block, j * mm, away, weights, parts)
        self._add_expectation(matrix, gradient, state, parts)
        return matrix, gradient

    def _add_picture(
        self,
        matrix: F64,
        gradient: F64,
        block: tuple[NDArray[np.intp], ...],
        moved: F32,
        band: F32,
        view: int,
        frame: int,
        parts: EnergyWeights,
    ) -> None:
        """Add the picture's term of one frame; moved (S, S, 3, D), band (Q, 3)."""
        j = band_pass_derivatives(moved, parts.blur_px, self._masks[view][frame])
        squared = (band**2).sum(-1, keepdims=True)
        w = weigh_pixels(parts.picture) / (1 + squared / ROBUST_PIXEL) ** 2
        weighted = (j * w[..., None]).reshape(-1, j.shape[-1])
        matrix[block] += (weighted.T @ j.reshape(-1, j.shape[-1])).astype(np.float64)
        gradient[block[1][0]] += (weighted.T @ band.reshape(-1)).astype(np.float64)

    def _appearance(self, view: int, frame: int | None = None) -> Appearance:
        look = self.appearance[view]
        ambient_occlusion = (
            self.ambient_occlusion
            if self.ambient_occlusion is None or frame is None
            else self.ambient_occlusion[frame : frame + 1]
        )
        return Appearance(look.albedo, look.light, ambient_occlusion)

    def _depth(self, state: DeepState, view: View) -> F64:
        """(N,) m: the head's depth; held at the start's, so that a step in depth does not rescale the energy."""
        start = self.expected.start.translation
        return np.maximum((start @ view.from_first[:3, :3].T + view.from_first[:3, 3])[:, 2], 0.02)

    def _landmark_energy(self, away: F64, weights: F64, parts: EnergyWeights) -> F64:
        squared = (away**2).sum(-1)
        out = 0.5 * robust_loss(parts.network * weights, squared, parts.robust_mm).sum(1)
        for (a, b), weight in self._differences(weights, parts):
            between = ((away[:, a] - away[:, b]) ** 2).sum(-1)
            out += 0.5 * robust_loss(weight, between, parts.robust_mm).sum(1)
        return out

    def _differences(self, weights: F64, parts: EnergyWeights) -> list[tuple[NDArray[np.intp], F64]]:
        """Pairs of landmarks (2, E) whose difference counts for itself, and their weights (E,), 1/mm²."""
        trusted, out = self.landmark_weights, []
        if parts.edges > 0:
            a, b = trusted.edges.T
            out.append((trusted.edges.T, parts.edges * np.minimum(weights[a], weights[b])))
        if parts.spans > 0:
            out.append((trusted.spans.T, parts.spans * trusted.span_weight))
        return out

    def _add_landmarks(
        self,
        matrix: F64,
        gradient: F64,
        block: tuple[NDArray[np.intp], ...],
        jacobian: F64,
        away: F64,
        weights: F64,
        parts: EnergyWeights,
    ) -> None:
        """Add energies 1 and 2 and the spans of one frame; jacobian (L, 2, D), away (L, 2)."""
        terms = [(jacobian, away, parts.network * weights)]
        for (a, b), weight in self._differences(weights, parts):
            terms.append((jacobian[a] - jacobian[b], away[a] - away[b], weight))
        for j, r, w in terms:
            weighted = (j * (w * robust_factor(r, parts.robust_mm))[:, None, None]).reshape(-1, j.shape[2])
            matrix[block] += weighted.T @ j.reshape(-1, j.shape[2])
            gradient[block[1][0]] += weighted.T @ r.reshape(-1)

    def _expectation(self, state: DeepState, parts: EnergyWeights) -> F64:
        off = state.weights - self.expected.weights
        away = measure_offsets(state, self.expected.start, self.mesh)
        pose = away[:, :6]
        out = 0.5 * (off * (off @ self.expected.precision)).sum(1) + 0.5 * parts.ridge * (state.weights**2).sum(1)
        out += 0.5 * (pose**2 @ self.expected.pose_precision)
        if self.expected.contact is not None:
            out += contact_energy(self.mesh, self.expected.contact, state)
        return out + 0.5 * (state.jaw**2 @ self.expected.jaw_precision) if self.mesh.jaw is not None else out

    def _add_expectation(self, matrix: F64, gradient: F64, state: DeepState, parts: EnergyWeights) -> None:
        keys = len(self.mesh.channels)
        expected = self.expected
        away = measure_offsets(state, expected.start, self.mesh)
        matrix[:, 6 : 6 + keys, 6 : 6 + keys] += expected.precision + parts.ridge * np.eye(keys)
        gradient[:, 6 : 6 + keys] += (state.weights - expected.weights) @ expected.precision
        gradient[:, 6 : 6 + keys] += parts.ridge * state.weights
        if expected.contact is not None:
            squares, pull = contact_equations(self.mesh, expected.contact, state)
            matrix += squares
            gradient += pull
        priors = [(np.arange(6), away[:, :6], expected.pose_precision)]
        if self.mesh.jaw is not None:
            priors.append((np.arange(6 + keys, 12 + keys), state.jaw, expected.jaw_precision))
        for at, off, precision in priors:
            matrix[:, at, at] += precision
            gradient[:, at] += off * precision
