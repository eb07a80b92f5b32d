"""Lips and lids that the footage shows touching must touch: a slit of half a millimetre is a detail to the picture's
energy, and the first thing that an animator sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...fit.energies.contact import find_closing_gaps, measure_closedness
from ...fit.least_squares.levenberg_marquardt import robust_factor, robust_loss
from ...landmarks.observations import Observations
from ..render_mesh import RenderMesh
from ..state import DeepState, differentiate_vertices, head_points

# How closely a gap that is surely seen closed is closed.
_ERROR_MM = 0.3
# The network calls lips closed that are two millimetres apart; where the picture opens them this far, it is believed.
_ROBUST_MM = 0.5


@dataclass(frozen=True)
class Contact:
    """Gaps that are seen closed in N frames.

    Attributes:
        upper, lower: (G,) int, the landmarks on both sides of each gap.
        most_mm: (G,) float64, height in head space up to which the gap counts as closed.
        weight: (N, G) float64, 1/mm^2.
    """

    upper: NDArray[np.intp]
    lower: NDArray[np.intp]
    most_mm: F64
    weight: F64

    def part(self, frames: NDArray[np.intp]) -> Contact:
        """That of some frames."""
        return Contact(self.upper, self.lower, self.most_mm, self.weight[frames])


def contact_of(mesh: RenderMesh, observations: Observations, rows: NDArray[np.intp]) -> Contact:
    """What the landmarks of some rows say of lips and lids that touch.

    Args:
        observations: of the take's camera.  rows: (N,) of these; without landmarks nothing is said.
    """
    deltas = np.einsum("lc,lcdk->kld", mesh.landmark_shares, mesh.deltas.cpu().numpy()[mesh.landmark_vertices])
    gaps = find_closing_gaps(observations.scheme, mesh.landmarks, deltas, mesh.high)
    used = observations.landmarks_px[np.ix_(rows, gaps.terms.used)].astype(np.float64)
    seen = measure_closedness(gaps.terms, used)[:, gaps.chosen]
    return Contact(gaps.upper, gaps.lower, gaps.most_mm, np.nan_to_num(seen) / _ERROR_MM**2)


def open_mm(mesh: RenderMesh, contact: Contact, state: DeepState) -> F64:
    """(N, G) float64 mm: how far gaps that ought to be closed are open."""
    used, corner = _corners(mesh, contact)
    height = head_points(mesh, state.weights, state.jaw, used)[..., 2].cpu().numpy().astype(np.float64)
    at = (_landmark_shares(mesh, contact) * height[:, corner]).sum(-1)
    return np.asarray(np.maximum(1000.0 * (at[:, 0] - at[:, 1]) - contact.most_mm, 0.0))


def contact_energy(mesh: RenderMesh, contact: Contact, state: DeepState) -> F64:
    """(N,) float64."""
    return np.asarray(0.5 * robust_loss(contact.weight, open_mm(mesh, contact, state) ** 2, _ROBUST_MM).sum(1))


def contact_equations(mesh: RenderMesh, contact: Contact, state: DeepState) -> tuple[F64, F64]:
    """JᵀWJ (N, U, U) and JᵀWr (N, U) of the energy."""
    used, corner = _corners(mesh, contact)
    shares, wide = _landmark_shares(mesh, contact), open_mm(mesh, contact, state)
    matrix = np.zeros((len(wide), mesh.unknowns, mesh.unknowns))
    gradient = np.zeros((len(wide), mesh.unknowns))
    for n in np.flatnonzero((contact.weight * wide > 0).any(1)).tolist():
        still = DeepState(np.eye(3)[None], np.zeros((1, 3)), state.weights[n : n + 1], state.jaw[n : n + 1])
        up = 1000.0 * differentiate_vertices(mesh, still, used)[:, 2]
        up[:, :6] = 0.0  # the head takes lips along
        sides = np.einsum("sgc,sgcu->sgu", shares, up[corner])
        j = (sides[0] - sides[1]) * (wide[n] > 0)[:, None]
        weighted = j * (contact.weight[n] * robust_factor(wide[n][:, None], _ROBUST_MM))[:, None]
        matrix[n] = weighted.T @ j
        gradient[n] = weighted.T @ wide[n]
    return matrix, gradient


def _corners(mesh: RenderMesh, contact: Contact) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The vertices around the gaps, and (2, G, 3) which of these the landmarks lie between."""
    both = mesh.landmark_vertices[np.stack([contact.upper, contact.lower])]
    used, index = np.unique(both, return_inverse=True)
    return used, index.reshape(both.shape)


def _landmark_shares(mesh: RenderMesh, contact: Contact) -> NDArray[np.float32]:
    """(2, G, 3) barycentric coordinates of the landmarks at the gaps."""
    return mesh.landmark_shares[np.stack([contact.upper, contact.lower])]
