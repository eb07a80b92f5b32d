"""How the face moves in the footage, at the surface points of every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..chunk_store import ChunkStore
from ..render_mesh import RenderMesh
from ..shots import Shot
from ..state import DeepState
from .flow_tracking import flow_confidence
from .infill import face_square
from .optical_flow import FacePair, OpticalFlow
from .surface_points import SurfacePoints, find_visible_points, project_surface_points
from .temporal import Motion

_PART = 64


def measure_face_motion(
    mesh: RenderMesh,
    surface_points: SurfacePoints,
    shot: Shot,
    state: DeepState,
    good: NDArray[np.bool_],
    time_s: NDArray[np.float64],
    flow: OpticalFlow,
    store: ChunkStore,
    on_frame: Callable[[int], None] | None = None,
) -> Motion:
    """The motion of every surface point from each good frame to the next one, if that is good too.

    Args:
        state: of all F frames.  good: (F,) bool.  store: finished parts.  on_frame: called with frames done.
    """
    pairs = np.flatnonzero(good[:-1] & good[1:])
    count = len(surface_points.vertices)
    out = Motion(np.zeros((len(good) - 1, count, 2), np.float32), np.zeros((len(good) - 1, count), np.float32))
    for first in range(0, len(pairs), _PART):
        rows = pairs[first : first + _PART]
        # Where surface points lie changes from pass to pass, and with it what the flow says at them.
        name = f"flow-{int(rows[0]):07d}-{_places_key(state.part(rows))}"
        found = store.load(name)
        if found is None or not np.array_equal(found["rows"], rows) or found["trust"].shape[1] != count:
            found = _part(
                mesh, surface_points, shot, state, rows, flow, lambda n, first=first: on_frame and on_frame(first + n)
            )
            store.save(name, found)
        out.displacement[rows], out.confidence[rows] = found["displacement"], found["trust"]
    return out


def _places_key(state: DeepState) -> str:
    digest = hashlib.sha256()
    for array in (state.rotation, state.translation, state.weights, state.jaw):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]


def _part(
    mesh: RenderMesh,
    surface_points: SurfacePoints,
    shot: Shot,
    state: DeepState,
    rows: NDArray[np.intp],
    flow: OpticalFlow,
    on_frame: Callable[[int], object],
) -> dict[str, NDArray]:
    displacement = np.zeros((len(rows), len(surface_points.vertices), 2), np.float32)
    confidence = np.zeros((len(rows), len(surface_points.vertices)), np.float32)
    picture, at = None, -1
    for n, row in enumerate(rows.tolist()):
        on_frame(n)
        one = state.part(np.array([row]))
        places, _ = project_surface_points(mesh, surface_points, one, shot.view)
        first = picture if at == row and picture is not None else shot.picture(row)
        picture, at = shot.picture(row + 1), row + 1
        pair = FacePair(flow, first, picture, face_square(places[0]))
        moved, comes_back = pair.at(places[0])
        displacement[n] = moved
        confidence[n] = flow_confidence(comes_back, find_visible_points(mesh, surface_points, one, shot.view))
    return {"rows": rows, "displacement": displacement, "trust": confidence}
