"""How skin follows what is moved: the smoothest displacement field through given vertices.

The field minimises the squared Laplacian (a thin plate on the surface) between vertices whose displacement is given
and the border of the key's region, where it is zero: Botsch and Sorkine, "On linear variational surface deformation
methods", IEEE TVCG 14(1), 2008, equation 12.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from .proportions import Array


def cotangent_laplacian(points: Array, faces: NDArray[np.int64]) -> tuple[sp.csr_matrix, Array]:
    """Stiffness matrix (V, V) and lumped vertex areas (V,), negative cotangents cut off."""
    triangles = np.vstack([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    triangles = triangles[(triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2])]
    count = len(points)
    rows, cols, values = [], [], []
    area = np.zeros(count)
    for k in range(3):
        i, j, o = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]
        a, b = points[i] - points[o], points[j] - points[o]
        cross = np.linalg.norm(np.cross(a, b), axis=1)
        weight = np.clip(0.5 * (a * b).sum(1) / np.maximum(cross, 1e-6), 0.03, 20.0)
        rows += [i, j]
        cols += [j, i]
        values += [weight, weight]
        np.add.at(area, o, cross / 6)
    adjacency = sp.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(count, count)
    )
    adjacency = adjacency.tocsr()
    stiffness = sp.diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency
    return stiffness.tocsr(), np.maximum(area, 0.05)


class Tissue:
    """The skin's plate operator, made once and used for every key."""

    def __init__(self, points: Array, faces: NDArray[np.int64]) -> None:
        stiffness, area = cotangent_laplacian(points, faces)
        self.count = len(points)
        self.plate = (stiffness.T @ sp.diags(1.0 / area) @ stiffness + 1e-4 * stiffness).tocsr()

    def field(self, given: dict[int, Array] | tuple[NDArray[np.int64], Array], region: NDArray[np.bool_]) -> Array:
        """The smoothest field through the given values, zero outside the region.

        Args:
            given: (vertices, values (N, D)).
            region: (V,) True where the field may differ from zero.
        Returns:
            (V, D).
        """
        vertices, values = (
            given if isinstance(given, tuple) else (np.array(list(given)), np.array(list(given.values())))
        )
        result = np.zeros((self.count, values.shape[1]))
        result[vertices] = values
        known = ~region
        known[vertices] = True
        free = np.flatnonzero(~known)
        fixed = np.flatnonzero(known)
        system = self.plate[free][:, free].tocsc()
        right = -self.plate[free][:, fixed] @ result[fixed]
        result[free] = spla.splu(system).solve(np.ascontiguousarray(right))
        return result
