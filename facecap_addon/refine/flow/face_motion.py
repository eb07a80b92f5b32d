"""How the face moves in the footage, at the tracers of every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..chunk_store import Kept
from ..render_mesh import Actor
from ..shots import Shot
from ..state import DeepState
from .flow_tracking import flow_trust
from .infill import face_square
from .optical_flow import FacePair, PlateFlow
from .surface_points import Tracers, tracer_places, tracers_seen
from .temporal import Motion

_PART = 64


def face_motion(
    actor: Actor,
    tracers: Tracers,
    shot: Shot,
    state: DeepState,
    good: NDArray[np.bool_],
    time_s: NDArray[np.float64],
    flow: PlateFlow,
    kept: Kept,
    on_frame: Callable[[int], None] | None = None,
) -> Motion:
    """The motion of every tracer from each good frame to the next one, if that is good too.

    Args:
        state: of all F frames.  good: (F,) bool.  kept: finished parts.  on_frame: called with frames done.
    """
    pairs = np.flatnonzero(good[:-1] & good[1:])
    count = len(tracers.vertices)
    out = Motion(np.zeros((len(good) - 1, count, 2), np.float32), np.zeros((len(good) - 1, count), np.float32))
    for first in range(0, len(pairs), _PART):
        rows = pairs[first : first + _PART]
        # Where tracers lie changes from pass to pass, and with it what the flow says at them.
        name = f"flow-{int(rows[0]):07d}-{_places_key(state.part(rows))}"
        found = kept.load(name)
        if found is None or not np.array_equal(found["rows"], rows) or found["trust"].shape[1] != count:
            found = _part(
                actor, tracers, shot, state, rows, flow, lambda n, first=first: on_frame and on_frame(first + n)
            )
            kept.save(name, found)
        out.displacement[rows], out.trust[rows] = found["displacement"], found["trust"]
    return out


def _places_key(state: DeepState) -> str:
    digest = hashlib.sha256()
    for array in (state.rotation, state.translation, state.weights, state.jaw):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]


def _part(
    actor: Actor,
    tracers: Tracers,
    shot: Shot,
    state: DeepState,
    rows: NDArray[np.intp],
    flow: PlateFlow,
    on_frame: Callable[[int], object],
) -> dict[str, NDArray]:
    displacement = np.zeros((len(rows), len(tracers.vertices), 2), np.float32)
    trust = np.zeros((len(rows), len(tracers.vertices)), np.float32)
    picture, at = None, -1
    for n, row in enumerate(rows.tolist()):
        on_frame(n)
        one = state.part(np.array([row]))
        places, _ = tracer_places(actor, tracers, one, shot.view)
        first = picture if at == row and picture is not None else shot.picture(row)
        picture, at = shot.picture(row + 1), row + 1
        pair = FacePair(flow, first, picture, face_square(places[0]))
        moved, comes_back = pair.at(places[0])
        displacement[n] = moved
        trust[n] = flow_trust(comes_back, tracers_seen(actor, tracers, one, shot.view))
    return {"rows": rows, "displacement": displacement, "trust": trust}
