"""A mesh that follows points of no known layout: tracked empties, markers of a motion capture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ..errors import FacecapError
from ..geometry.easing import smoothstep
from .farthest_points import pick_farthest_points
from .geodesic import edge_graph, measure_distance
from .rbf import SPACINGS, fit_rbf, measure_influence, merge_points, spacing
from .warp import SkinPlan, Warp

_FULL, _ANCHORS = 0.15, 40
_SAME_PLACE = 1e-3


def make_marker_warp(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    points: NDArray[np.floating],
    *,
    kernel: str = "gaussian-printed",
    sigma_m: float | None = None,
    reach_m: float | None = None,
) -> tuple[Warp, list[str]]:
    """Prepare a mesh to follow points that lie on or near it.

    Args:
        vertices: (V, 3) float m.  triangles: (T, 3) int.  points: (N, 3) float m, at rest.
        reach_m: distance along the mesh beyond which nothing moves, m; None: that of the points' own spread.
    Returns:
        the warp, whose landmarks are the points, and what there is to say.
    Raises:
        FacecapError: fewer than four points, all in one plane, or far from the mesh.
    """
    places, points = np.asarray(vertices, np.float64), np.asarray(points, np.float64)
    if len(points) < 4:
        raise FacecapError(f"{len(points)} points cannot move a mesh; four or more are needed.", "Add more.")
    spread = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    distance, nearest = cKDTree(places).query(points)
    if np.median(distance) > spread:
        raise FacecapError(
            "The points lie far from the mesh.", "Move them onto it in the first frame, in the mesh's own scale."
        )
    first = merge_points(points, closer_than=_SAME_PLACE * spread)
    used = np.flatnonzero(first == np.arange(len(points)))
    said = [f"{len(points) - len(used)} points lie where others do and were merged"] if len(used) < len(points) else []
    reach = reach_m if reach_m is not None else spread
    away = measure_distance(edge_graph(places, triangles), nearest, limit=1.3 * reach)
    fade = smoothstep((reach - np.minimum(away, reach)) / ((1.0 - _FULL) * reach))
    anchors = pick_farthest_points(places, np.flatnonzero((away >= reach) & np.isfinite(away)), _ANCHORS)
    centres = np.concatenate([points[used], places[anchors]])
    # By the points' own distances: anchors stand closer to each other, and few points would pull narrow cones.
    width = sigma_m if sigma_m is not None else SPACINGS[kernel] * spacing(points[used])
    interpolant = fit_rbf(centres, kernel=kernel, sigma=width, anchors=len(anchors))
    rows = np.flatnonzero(fade > 0)
    part = measure_influence(interpolant, places[rows]) * fade[rows].astype(np.float32)[:, None]
    matrix = np.zeros((len(rows), len(points)), np.float32)
    for column, landmark in enumerate(used):
        group = np.flatnonzero(first == landmark)
        matrix[:, group] = (part[:, column] / len(group))[:, None]
    plan = SkinPlan(used, centres, rows, np.zeros((len(rows), 0)), fade[rows])
    return Warp(np.asarray(vertices, np.float32), points, "", np.eye(3), rows, matrix, plan), said
