"""How the face moves in the footage, at the surface points of every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...arrays import Arrays, Rows
from ..chunk_store import ChunkStore
from ..state import DeepState
from .flow_tracking import flow_confidence
from .optical_flow import FootageFlow
from .surface_points import ViewedPoints
from .temporal import Motion

_PART = 64


def measure_face_motion(
    viewed: ViewedPoints,
    footage: FootageFlow,
    state: DeepState,
    good: NDArray[np.bool_],
    store: ChunkStore,
    on_frame: Callable[[int], None] | None = None,
    camera: int = 0,
) -> Motion:
    """The motion of every surface point from each good frame to the next one, if that is good too.

    Args:
        viewed: by the camera of the footage.  state: of all F frames.  good: (F,) bool.
        store: finished parts.  on_frame: called with frames done; it may raise to cancel.
        camera: its number, for the parts' names.
    """
    pairs = np.flatnonzero(good[:-1] & good[1:])
    count = len(viewed.points.vertices)
    out = Motion(np.zeros((len(good) - 1, count, 2), np.float32), np.zeros((len(good) - 1, count), np.float32))
    for first in range(0, len(pairs), _PART):
        rows = pairs[first : first + _PART]
        # Where surface points lie changes from pass to pass, and with it what the flow says at them.
        by = f"-{camera}" if camera else ""
        name = f"flow{by}-{int(rows[0]):07d}-{_places_key(state.part(rows))}"
        found = store.load(name)
        if found is not None and "trust" in found:  # as older versions call it
            found["confidence"] = found.pop("trust")
        if found is None or not np.array_equal(found["rows"], rows) or found["confidence"].shape[1] != count:
            found = _measure_part(viewed, footage, state, rows, lambda n, first=first: on_frame and on_frame(first + n))
            store.save(name, found)
        out.displacement[rows], out.confidence[rows] = found["displacement"], found["confidence"]
    return out


def _places_key(state: DeepState) -> str:
    digest = hashlib.sha256()
    for array in (state.rotation, state.translation, state.weights, state.jaw):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]


def _measure_part(
    viewed: ViewedPoints, footage: FootageFlow, state: DeepState, rows: Rows, on_frame: Callable[[int], object]
) -> Arrays:
    displacement = np.zeros((len(rows), len(viewed.points.vertices), 2), np.float32)
    confidence = np.zeros((len(rows), len(viewed.points.vertices)), np.float32)
    for n, row in enumerate(rows.tolist()):
        on_frame(n)
        one = state.part(np.array([row]))
        places, _ = viewed.project(one)
        displacement[n], comes_back = footage.pair(row, row + 1, places[0]).at(places[0])
        confidence[n] = flow_confidence(comes_back, viewed.find_visible(one))
    return {"rows": rows, "displacement": displacement, "confidence": confidence}
