"""Where the landmarks lie on the head: found by the landmark network (find_landmarks.py), then checked by eye."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

FILE = Path(__file__).with_name("landmarks.npz")
COUNTS = (478, 68)  # of "mediapipe-478" and "ibug-68"


@dataclass(frozen=True)
class MeshLandmarks:
    """Landmarks on the head's faces.

    Attributes:
        vertices: (L, 3) int32, corners of the triangle that a landmark lies in.
        weights: (L, 3) float32, barycentric, in that triangle.
    """

    vertices: NDArray[np.int32]
    weights: NDArray[np.float32]

    def positions(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """(L, 3) where the landmarks are when the vertices are at points (V, 3)."""
        return np.einsum("lc,lcd->ld", self.weights, points[self.vertices])


def load_landmarks() -> list[MeshLandmarks]:
    """The stored landmarks, scheme after scheme: 478, then 68."""
    with np.load(FILE, allow_pickle=False) as data:
        return [MeshLandmarks(data[f"vertices_{count}"], data[f"weights_{count}"]) for count in COUNTS]


def distinct_vertices(landmarks: MeshLandmarks, neutral: NDArray[np.floating]) -> NDArray[np.int64]:
    """(L,) a vertex for each landmark, near it, no two the same."""
    near = np.unique(landmarks.vertices)
    distance = np.linalg.norm(landmarks.positions(neutral)[:, None] - neutral[near], axis=2)
    return near[linear_sum_assignment(distance)[1]]
